"""What a node shows of a photograph while its face is moved by hand."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from helpers.hopper import load_hopper
from helpers.photographs import Open
from helpers.recorded_faces import needs_model
from torch import Tensor

from actalker_core.control.motion.hand import move_by_hand
from actalker_core.faces import find_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.models.photograph import preview
from actalker_core.models.photograph.pipeline import render_frames
from actalker_core.models.photograph.plan import plan_photograph
from actalker_core.models.photograph.preview import MAX_SIDE_PX, Preview, open_preview

pytestmark = needs_model
NUMBERS = {"yaw": 12.0, "pitch": -6.0, "smile": 0.5, "aaa": 0.6, "gaze_x": 0.5}


def open_picture(image: Tensor, landmarker: Landmarker, mesh: FaceMesh) -> Preview:
    return open_preview(image, find_face(landmarker, image), landmarker, mesh)


@pytest.fixture(scope="module")
def hopper(landmarker: Landmarker, mesh: FaceMesh) -> Preview:
    return open_picture(load_hopper(0.5), landmarker, mesh)


def enlarge(image: Tensor, factor: int) -> Tensor:
    pixels = image.movedim(0, -1).numpy()
    larger = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(larger).movedim(-1, 0).clamp(0, 1)


@pytest.mark.parametrize("numbers", [{}, NUMBERS, {"yaw": -60.0}])
def test_it_is_what_the_photograph_becomes(
    hopper: Preview, open_image: Open, numbers: dict[str, float]
) -> None:
    motion = move_by_hand(numbers)
    plan = plan_photograph(open_image(load_hopper(0.5)), motion, fps=motion.rate_hz)
    frame = next(render_frames(plan, threads=1))
    difference = np.abs(hopper.draw(motion).image.astype(float) - frame.image)
    assert difference.mean() < 0.01  # angles are rounded elsewhere


def test_a_large_picture_is_shown_small_and_moves_alike(
    hopper: Preview, landmarker: Landmarker, mesh: FaceMesh
) -> None:
    large = open_picture(enlarge(load_hopper(0.5), 5), landmarker, mesh)
    motion = move_by_hand(NUMBERS)
    frame, small = large.draw(motion), hopper.draw(motion)
    assert max(frame.image.shape) == MAX_SIDE_PX
    np.testing.assert_allclose(frame.face, small.face, atol=0.02)
    size = small.image.shape[1::-1]
    smaller = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA).astype(float)
    error = np.abs(smaller - small.image).mean()
    assert error < 0.5 * np.abs(hopper.photograph.image.astype(float) - small.image).mean()


def test_of_a_small_face_what_can_move_is_shown(landmarker: Landmarker, mesh: FaceMesh) -> None:
    image = load_hopper(0.5)
    margin = (3 * image.shape[2], 0, 0, 3 * image.shape[1])
    wide = torch.nn.functional.pad(image[None], margin, value=0.5)[0]
    close_up = open_picture(wide, landmarker, mesh)
    rest = close_up.draw(move_by_hand({}))
    frame = close_up.draw(move_by_hand(NUMBERS))
    assert max(frame.image.shape[:2]) < max(wide.shape) / 2
    assert frame.face[2] - frame.face[0] > 0.25
    assert not np.array_equal(frame.image, rest.image)
    photograph = close_up.photograph
    frame = photograph.render(move_by_hand(NUMBERS).frame(0))
    outside = np.ones(frame.image.shape[:2], bool)
    outside[close_up.view.slices] = False
    assert np.array_equal(frame.image[outside], photograph.image[outside])


def test_face_and_eyes_are_where_they_are_seen(hopper: Preview) -> None:
    rest, later = (
        hopper.draw(move_by_hand({})),
        hopper.draw(move_by_hand({"move_x": 0.2})),
    )
    width = rest.face[2] - rest.face[0]
    for before, after in zip((rest.face, *rest.eyes), (later.face, *later.eyes), strict=True):
        np.testing.assert_allclose(after[0] - before[0], 0.2 * width, rtol=0.05)
    for eye in rest.eyes:
        assert rest.face[0] < eye[0] < eye[2] < rest.face[2]
        assert rest.face[1] < eye[1] < eye[3] < rest.face[3]
    left, right = rest.eyes
    assert left[0] > right[2]  # the person's left is at the image's right


@pytest.mark.parametrize(("yaw", "is_beyond"), [(0.0, False), (5.0, False), (60.0, True)])
def test_a_turn_beyond_what_shows_is_told(hopper: Preview, yaw: float, is_beyond: bool) -> None:
    assert hopper.draw(move_by_hand({"yaw": yaw})).is_beyond == is_beyond


def test_only_what_is_too_large_is_scaled(
    landmarker: Landmarker, mesh: FaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = load_hopper(0.5)
    side = max(image.shape[1:])
    for limit in (side - 7, side, side + 7):
        monkeypatch.setattr(preview, "MAX_SIDE_PX", limit)
        frame = open_picture(image, landmarker, mesh).draw(move_by_hand({}))
        assert max(frame.image.shape) == min(side, limit)
    face = replace(find_face(landmarker, image), box=(0.0, 0.0, 1.0, 1.0))
    assert open_preview(image, face, landmarker, mesh).view.shape
