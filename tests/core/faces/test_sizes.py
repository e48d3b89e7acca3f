"""Faces of several sizes in one image: all are found, each once, whichever is meant."""

import json

import cv2
import numpy as np
import pytest
import torch
from helpers.recorded_faces import PORTRAIT, SHARED_FOLDER, TASK, needs_portrait
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.cli import main
from actalker_core.faces import Box, Face, choose_face, find_face, track_face
from actalker_core.faces.box import box_area, box_iou, longer_side
from actalker_core.faces.face import ORDERS, find_first_face, sort_faces
from actalker_core.faces.landmarker import SEARCHES, Landmarker, _split_into_tiles
from actalker_core.media import load_image

GROUP = SHARED_FOLDER / "cases" / "face_group_2sizes.jpg"
Pixels = NDArray[np.uint8]
HEAD = slice(135, 810), slice(190, 850)
"""Rows and columns of the portrait's head with its hair."""
FACE = (155.0, 97.0, 508.0, 504.0)
"""The face in them."""
FACE_HEIGHT = FACE[3] - FACE[1]

pytestmark = needs_portrait


@pytest.fixture(scope="module")
def head() -> Pixels:
    image = (load_image(PORTRAIT) * 255).round().byte()
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy()[HEAD])


def to_tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def canvas(width: int, height: int) -> Pixels:
    """Soft coloured clouds, which look like no face."""
    noise = np.random.default_rng(3).integers(0, 255, (height // 40, width // 40, 3))
    return cv2.resize(noise.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def paste_head(
    onto: Pixels, head: Pixels, face_px: int, x: int, y: int, mirror: bool = False
) -> Box:
    """The head with a face of such a height, its corner at x, y; where the face is then."""
    scale = face_px / FACE_HEIGHT
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (edge * scale for edge in FACE)
    if mirror:
        small, x0, x1 = small[:, ::-1], small.shape[1] - x1, small.shape[1] - x0
    onto[y : y + small.shape[0], x : x + small.shape[1]] = small
    return x + x0, y + y0, x + x1, y + y1


def assert_found(faces: list[Face], boxes: list[Box]) -> None:
    """All that are there, each once, nothing else, in the order of counting."""
    assert len(faces) == len(boxes)
    expected = sort_faces(Face(box, 1.0) for box in boxes)
    for face, reference in zip(sort_faces(faces), expected, strict=True):
        assert box_iou(face.box, reference.box) > 0.5


SEVERAL = (
    (520, 500, 150, False),
    (150, 60, 40, True),
    (60, 1500, 60, False),
    (40, 1700, 500, True),
)
"""Height of the face, corner of the head, and whether it is mirrored."""


@pytest.fixture(scope="module")
def several(head: Pixels) -> tuple[Tensor, list[Box]]:
    """Four faces of four sizes in a full-HD image."""
    pixels = canvas(1920, 1080)
    boxes = [paste_head(pixels, head, *face) for face in SEVERAL]
    return to_tensor(pixels), boxes


@pytest.fixture(scope="module")
def faces(landmarker: Landmarker, several: tuple[Tensor, list[Box]]) -> list[Face]:
    return landmarker.find(several[0])


def test_faces_of_four_sizes_are_found(
    faces: list[Face], several: tuple[Tensor, list[Box]]
) -> None:
    assert_found(faces, several[1])


def test_the_largest_comes_first(faces: list[Face]) -> None:
    sizes = [box_area(face.box) for face in faces]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        *(("largest", 0), ("left", 1), ("right", 3), ("centre", 0)),
        *(("0", 1), ("1", 0), ("2", 2), ("3", 3)),
    ],
)
def test_every_choice_is_among_all(
    faces: list[Face], several: tuple[Tensor, list[Box]], choice: str, expected: int
) -> None:
    face = choose_face(faces, choice, (1080, 1920), "portrait")
    assert box_iou(face.box, several[1][expected]) > 0.5


@pytest.mark.parametrize("choice", ["largest", "left"])
def test_a_choice_is_searched_for_as_deep_as_it_needs(
    landmarker: Landmarker, several: tuple[Tensor, list[Box]], choice: str
) -> None:
    face = find_face(landmarker, several[0], choice, "portrait")
    assert box_iou(face.box, several[1][ORDERS.index(choice)]) > 0.5


def test_a_clip_chooses_among_all_faces_of_its_first_frame(
    landmarker: Landmarker, several: tuple[Tensor, list[Box]]
) -> None:
    image, boxes = several
    track = track_face(landmarker, [image] * 2, "left")
    assert track.gaps == []
    assert all(box_iou(tuple(box), boxes[1]) > 0.5 for box in track.boxes.tolist())
    assert box_iou(find_first_face(landmarker, [image], "left", "head clip").box, boxes[1]) > 0.5


def test_the_largest_of_small_ones_is_found(landmarker: Landmarker, head: Pixels) -> None:
    pixels = canvas(1920, 1080)
    sizes = [(36, 200), (60, 600), (48, 1000), (40, 1400)]
    boxes = [paste_head(pixels, head, face_px, x, 500) for face_px, x in sizes]
    face = find_face(landmarker, to_tensor(pixels), "largest", "portrait")
    assert box_iou(face.box, boxes[1]) > 0.5


@pytest.mark.parametrize("gap_px", [0, 30])
def test_rows_of_small_faces_are_counted(landmarker: Landmarker, head: Pixels, gap_px: int) -> None:
    pixels = canvas(1280, 720)
    boxes = [
        paste_head(pixels, head, 60, 20 + column * (100 + gap_px), 100 + row * (102 + gap_px))
        for row in range(2)
        for column in range(6)
    ]
    assert_found(landmarker.find(to_tensor(pixels)), boxes)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0), (1, 0.5)])
def test_a_small_face_at_the_border_is_found_beside_a_large_one(
    landmarker: Landmarker, head: Pixels, x: float, y: float
) -> None:
    pixels = canvas(1200, 800)
    large = paste_head(pixels, head, 300, 350, 150)
    corner = round(x * (1200 - 66)), round(y * (800 - 67))
    small = paste_head(pixels, head, 40, *corner)
    assert_found(landmarker.find(to_tensor(pixels)), [large, small])


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_two_faces_that_overlap_a_little_stay_two(
    landmarker: Landmarker, head: Pixels, share: float
) -> None:
    """The left one is in front; of the other's width a part is hidden."""
    pixels = canvas(1280, 720)
    (left, top, right, bottom), scale = map(int, FACE), 0.7
    tight = head[top - 60 : bottom + 60, left:right]
    tight = cv2.resize(tight, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = tight.shape[:2]
    step = round(width * (1 - share))
    for x in (300 + step, 300):
        pixels[150 : 150 + height, x : x + width] = tight
    y0, y1 = 150 + 60 * scale, 150 + height - 60 * scale
    boxes = [(float(x), y0, float(x + width), y1) for x in (300, 300 + step)]
    assert_found(landmarker.find(to_tensor(pixels)), boxes)


@pytest.mark.parametrize("side", [100, 180, 350, 600, 1300, 2048])
def test_one_large_face_is_one_at_any_size(landmarker: Landmarker, side: int) -> None:
    """No eye, no mouth and no lock of hair passes for another."""
    image = (load_image(PORTRAIT) * 255).round().byte().permute(1, 2, 0).numpy()
    shrinks = cv2.INTER_AREA if side < 1024 else cv2.INTER_CUBIC
    image_of_size = to_tensor(cv2.resize(image, (side, side), interpolation=shrinks))
    (face,) = landmarker.find(image_of_size)
    (quick,) = landmarker.find(image_of_size, "largest")
    assert box_iou(face.box, quick.box) > 0.95


def test_a_face_that_fills_the_image_is_one(landmarker: Landmarker, head: Pixels) -> None:
    x0, y0, x1, y1 = map(int, FACE)
    close = cv2.resize(head[y0:y1, x0:x1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (face,) = landmarker.find(to_tensor(close))
    assert longer_side(face.box) > 0.8 * close.shape[0]


@pytest.mark.parametrize("kind", ["noise", "gravel", "stripes", "hair"])
def test_textures_show_no_face(landmarker: Landmarker, head: Pixels, kind: str) -> None:
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 255, (700, 1000, 3)).astype(np.uint8)
    stripes = np.sin(np.add.outer(np.arange(700) / 9, np.arange(1000) / 5))
    hair = cv2.resize(head[300:, :150], (1000, 2500))[:700]
    pixels = {
        "noise": noise,
        "gravel": cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX),
        "stripes": np.repeat((127 * (1 + stripes)).astype(np.uint8)[..., None], 3, axis=2),
        "hair": hair,
    }[kind]
    assert landmarker.find(to_tensor(pixels)) == []


def test_an_even_image_is_not_searched(
    landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dark beginnings of clips cost nothing."""

    class UnusedNetwork:
        def setInput(self, _: object) -> None:  # noqa: N802
            raise AssertionError("searched")

    monkeypatch.setattr(landmarker._networks, "detector", UnusedNetwork())
    image = torch.full((3, 1080, 1920), 10, dtype=torch.uint8)
    assert landmarker.find(image) == []


@pytest.mark.parametrize("size", [(1080, 1920), (3000, 2000), (130, 4000), (64, 64)])
def test_every_spot_is_searched_at_every_size(size: tuple[int, int]) -> None:
    """A face of a quarter of a tile, which the size before shows too, is whole in one of each."""
    height, width = size
    spots = np.random.default_rng(7).uniform(0, 1, (50, 2))
    for tiles in _split_into_tiles(height, width):
        face = (tiles[0][2] - tiles[0][0]) / 4
        for x, y in spots * (width - face, height - face) if face < min(size) else ():
            assert any(
                x0 - x < 0.01 and y0 - y < 0.01 and x + face - x1 < 0.01 and y + face - y1 < 0.01
                for x0, y0, x1, y1 in tiles
            )
    assert len(list(_split_into_tiles(height, width))) <= len(SEARCHES)


@pytest.mark.skipif(not GROUP.is_file(), reason="no images of groups in shared/")
def test_a_small_face_left_of_a_large_one_is_listed_and_chosen(
    landmarker: Landmarker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["faces", str(GROUP), "--landmarker", str(TASK)]) == 0
    left, right = (row["box"] for row in json.loads(capsys.readouterr().out))
    assert box_iou(left, (151, 477, 272, 620)) > 0.8
    assert box_iou(right, (971, 435, 1390, 924)) > 0.8
    image = load_image(GROUP)
    for choice, box in (("left", left), ("0", left), ("1", right), ("centre", right)):
        face = find_face(landmarker, image, choice, "portrait")
        assert face.box == pytest.approx(box, abs=0.1)
