"""Faces of several sizes in one picture: all are found, each once, whichever is meant."""

import json

import cv2
import numpy as np
import pytest
import torch
from helpers.recorded_faces import PORTRAIT, SHARED, TASK, needs_portrait
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.cli import main
from actalker_core.faces import Box, Face, choose_face, find_face, track_face
from actalker_core.faces.box import box_area, box_iou, longer_side
from actalker_core.faces.face import ORDERS, find_first_face, sort_faces
from actalker_core.faces.landmarker import SEARCHES, Landmarker, _split_into_tiles
from actalker_core.media import load_image

GROUP = SHARED / "cases" / "face_group_2sizes.jpg"
Pixels = NDArray[np.uint8]
HEAD = slice(135, 810), slice(190, 850)
"""Rows and columns of the portrait's head with its hair."""
FACE = (155.0, 97.0, 508.0, 504.0)
"""The face in them."""
FACE_HEIGHT = FACE[3] - FACE[1]

pytestmark = needs_portrait


@pytest.fixture(scope="module")
def head() -> Pixels:
    picture = (load_image(PORTRAIT) * 255).round().byte()
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy()[HEAD])


def as_picture(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def canvas(width: int, height: int) -> Pixels:
    """Soft coloured clouds, which look like no face."""
    noise = np.random.default_rng(3).integers(0, 255, (height // 40, width // 40, 3))
    return cv2.resize(noise.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def pasted(onto: Pixels, head: Pixels, face_px: int, x: int, y: int, mirrored: bool = False) -> Box:
    """The head with a face of such a height, its corner at x, y; where the face is then."""
    scale = face_px / FACE_HEIGHT
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (edge * scale for edge in FACE)
    if mirrored:
        small, x0, x1 = small[:, ::-1], small.shape[1] - x1, small.shape[1] - x0
    onto[y : y + small.shape[0], x : x + small.shape[1]] = small
    return x + x0, y + y0, x + x1, y + y1


def assert_found(found: list[Face], there: list[Box]) -> None:
    """All that are there, each once, nothing else, in the order of counting."""
    assert len(found) == len(there)
    expected = sort_faces(Face(box, 1.0) for box in there)
    for face, other in zip(sort_faces(found), expected, strict=True):
        assert box_iou(face.box, other.box) > 0.5


SEVERAL = (
    (520, 500, 150, False),
    (150, 60, 40, True),
    (60, 1500, 60, False),
    (40, 1700, 500, True),
)
"""Height of the face, corner of the head, and whether it is mirrored."""


@pytest.fixture(scope="module")
def several(head: Pixels) -> tuple[Tensor, list[Box]]:
    """Four faces of four sizes in a full-HD picture."""
    pixels = canvas(1920, 1080)
    there = [pasted(pixels, head, *face) for face in SEVERAL]
    return as_picture(pixels), there


@pytest.fixture(scope="module")
def found(landmarker: Landmarker, several: tuple[Tensor, list[Box]]) -> list[Face]:
    return landmarker.find(several[0])


def test_faces_of_four_sizes_are_found(
    found: list[Face], several: tuple[Tensor, list[Box]]
) -> None:
    assert_found(found, several[1])


def test_the_largest_comes_first(found: list[Face]) -> None:
    sizes = [box_area(face.box) for face in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        *(("largest", 0), ("left", 1), ("right", 3), ("centre", 0)),
        *(("0", 1), ("1", 0), ("2", 2), ("3", 3)),
    ],
)
def test_every_choice_is_among_all(
    found: list[Face], several: tuple[Tensor, list[Box]], choice: str, expected: int
) -> None:
    meant = choose_face(found, choice, (1080, 1920), "portrait")
    assert box_iou(meant.box, several[1][expected]) > 0.5


@pytest.mark.parametrize("choice", ["largest", "left"])
def test_a_choice_is_searched_for_as_deep_as_it_needs(
    landmarker: Landmarker, several: tuple[Tensor, list[Box]], choice: str
) -> None:
    meant = find_face(landmarker, several[0], choice, "portrait")
    assert box_iou(meant.box, several[1][ORDERS.index(choice)]) > 0.5


def test_a_clip_chooses_among_all_faces_of_its_first_frame(
    landmarker: Landmarker, several: tuple[Tensor, list[Box]]
) -> None:
    picture, there = several
    followed = track_face(landmarker, [picture] * 2, "left")
    assert followed.gaps == []
    assert all(box_iou(tuple(box), there[1]) > 0.5 for box in followed.boxes.tolist())
    assert box_iou(find_first_face(landmarker, [picture], "left", "head clip").box, there[1]) > 0.5


def test_the_largest_of_small_ones_is_found(landmarker: Landmarker, head: Pixels) -> None:
    pixels = canvas(1920, 1080)
    sizes = [(36, 200), (60, 600), (48, 1000), (40, 1400)]
    there = [pasted(pixels, head, face_px, x, 500) for face_px, x in sizes]
    meant = find_face(landmarker, as_picture(pixels), "largest", "portrait")
    assert box_iou(meant.box, there[1]) > 0.5


@pytest.mark.parametrize("gap_px", [0, 30])
def test_rows_of_small_faces_are_counted(landmarker: Landmarker, head: Pixels, gap_px: int) -> None:
    pixels = canvas(1280, 720)
    there = [
        pasted(pixels, head, 60, 20 + column * (100 + gap_px), 100 + row * (102 + gap_px))
        for row in range(2)
        for column in range(6)
    ]
    assert_found(landmarker.find(as_picture(pixels)), there)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0), (1, 0.5)])
def test_a_small_face_at_the_border_is_found_beside_a_large_one(
    landmarker: Landmarker, head: Pixels, x: float, y: float
) -> None:
    pixels = canvas(1200, 800)
    large = pasted(pixels, head, 300, 350, 150)
    corner = round(x * (1200 - 66)), round(y * (800 - 67))
    small = pasted(pixels, head, 40, *corner)
    assert_found(landmarker.find(as_picture(pixels)), [large, small])


@pytest.mark.parametrize("shared", [0.1, 0.25])
def test_two_faces_that_overlap_a_little_stay_two(
    landmarker: Landmarker, head: Pixels, shared: float
) -> None:
    """The left one is in front; of the other's width a part is hidden."""
    pixels = canvas(1280, 720)
    (left, top, right, bottom), scale = map(int, FACE), 0.7
    tight = head[top - 60 : bottom + 60, left:right]
    tight = cv2.resize(tight, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = tight.shape[:2]
    step = round(width * (1 - shared))
    for x in (300 + step, 300):
        pixels[150 : 150 + height, x : x + width] = tight
    y0, y1 = 150 + 60 * scale, 150 + height - 60 * scale
    there = [(float(x), y0, float(x + width), y1) for x in (300, 300 + step)]
    assert_found(landmarker.find(as_picture(pixels)), there)


@pytest.mark.parametrize("side", [100, 180, 350, 600, 1300, 2048])
def test_one_large_face_is_one_at_any_size(landmarker: Landmarker, side: int) -> None:
    """No eye, no mouth and no lock of hair passes for another."""
    picture = (load_image(PORTRAIT) * 255).round().byte().permute(1, 2, 0).numpy()
    shrinks = cv2.INTER_AREA if side < 1024 else cv2.INTER_CUBIC
    resized = as_picture(cv2.resize(picture, (side, side), interpolation=shrinks))
    (face,) = landmarker.find(resized)
    (quick,) = landmarker.find(resized, "largest")
    assert box_iou(face.box, quick.box) > 0.95


def test_a_face_that_fills_the_picture_is_one(landmarker: Landmarker, head: Pixels) -> None:
    x0, y0, x1, y1 = map(int, FACE)
    close = cv2.resize(head[y0:y1, x0:x1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (face,) = landmarker.find(as_picture(close))
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
    assert landmarker.find(as_picture(pixels)) == []


def test_an_even_picture_is_not_searched(
    landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dark beginnings of clips cost nothing."""

    class Unused:
        def setInput(self, _: object) -> None:  # noqa: N802
            raise AssertionError("searched")

    monkeypatch.setattr(landmarker, "_detector", Unused())
    picture = torch.full((3, 1080, 1920), 10, dtype=torch.uint8)
    assert landmarker.find(picture) == []


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


@pytest.mark.skipif(not GROUP.is_file(), reason="no pictures of groups in shared/")
def test_a_small_face_left_of_a_large_one_is_listed_and_chosen(
    landmarker: Landmarker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["faces", str(GROUP), "--landmarker", str(TASK)]) == 0
    left, right = (row["box"] for row in json.loads(capsys.readouterr().out))
    assert box_iou(left, (151, 477, 272, 620)) > 0.8
    assert box_iou(right, (971, 435, 1390, 924)) > 0.8
    picture = load_image(GROUP)
    for choice, box in (("left", left), ("0", left), ("1", right), ("centre", right)):
        meant = find_face(landmarker, picture, choice, "portrait")
        assert meant.box == pytest.approx(box, abs=0.1)
