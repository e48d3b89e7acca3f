"""The square that the network sees: where it lies, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.models.tgdm.view import View

quick = settings(max_examples=40, deadline=None)
sizes = st.integers(24, 300)


def make_view(seed: int, height: int, width: int, side_px: int = 16) -> View:
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, 1, 2) * (width, height)
    points = centre + rng.uniform(-0.5, 0.5, (9, 2)) * rng.uniform(8, max(height, width))
    return View.around(points, side_px, (height, width))


@quick
@given(st.integers(0, 9999), sizes, sizes)
def test_it_is_a_square_within_the_image(seed: int, height: int, width: int) -> None:
    box = make_view(seed, height, width).box
    assert box.shape[0] == box.shape[1] > 0
    assert box.left >= 0
    assert box.top >= 0
    assert box.right <= width
    assert box.bottom <= height


def test_a_picture_that_the_face_fills_is_seen_whole_and_a_small_face_is_near() -> None:
    face = np.array([[10.0, 20], [110, 100]])
    assert View.around(face, 128, (128, 128)).box.shape == (128, 128)
    near = View.around(face + 400, 128, (1000, 1000)).box
    assert near.shape == (155, 155)
    assert np.allclose(near.corner + 77.5, (460, 460), atol=1)


@quick
@given(st.integers(0, 9999), sizes, sizes)
def test_landmarks_go_where_their_pixels_go(seed: int, height: int, width: int) -> None:
    view = make_view(seed, height, width)
    left, top, right, bottom = view.box.left, view.box.top, view.box.right, view.box.bottom
    corners = np.array([[left, top, 0.0], [right, bottom, view.box.shape[0]]])
    side = view.side_px
    assert np.allclose(view.place(corners), [[0, 0, 0], [side, side, side]])


@quick
@given(st.integers(0, 9999), sizes, sizes)
def test_no_change_is_the_image_to_the_bit(seed: int, height: int, width: int) -> None:
    view = make_view(seed, height, width)
    image = np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)
    before = view.cut(image).astype(np.float32)
    after = view.paste_change(image, before, before, np.zeros((height, width), np.float32))
    assert np.array_equal(after, image)


@quick
@given(st.integers(0, 9999), sizes, sizes)
def test_outside_the_square_nothing_changes(seed: int, height: int, width: int) -> None:
    view = make_view(seed, height, width)
    rng = np.random.default_rng(seed)
    image = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    before, after = rng.uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    result = view.paste_change(image, before, after, rng.random((height, width)))
    is_outside = np.ones((height, width), bool)
    is_outside[view.box.slices] = False
    assert np.array_equal(result[is_outside], image[is_outside])
    assert not np.array_equal(result, image)


def test_at_its_own_size_the_result_is_what_the_network_made() -> None:
    view = View.around(np.array([[2.0, 2], [14, 14]]), 16, (16, 16))
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(16, 16, 3), dtype=np.uint8)
    after = rng.integers(256, size=(16, 16, 3)).astype(np.float32)
    result = view.paste_change(image, image.astype(np.float32), after, np.zeros((16, 16)))
    assert np.array_equal(result, after)


def test_a_large_picture_keeps_its_detail_but_where_it_is_replaced() -> None:
    view = View.around(np.array([[4.0, 4], [60, 60]]), 16, (64, 64))
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    image = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
    before = view.cut(image).astype(np.float32)
    share = np.zeros((64, 64), np.float32)
    share[:, :32] = 1
    result = view.paste_change(image, before, before - 8, share).astype(float)
    assert result[:, :28].std() < 2, "replaced by a grey of few pixels"
    assert result[:, 36:].std() > 100, "darker, with all its detail"


def test_an_edge_that_moves_leaves_no_ghost() -> None:
    view = View.around(np.array([[4.0, 4], [60, 60]]), 16, (64, 64))
    image = np.full((64, 64, 3), 220, np.uint8)
    image[:, :30] = 40
    before = view.cut(image).astype(np.float32)
    after = np.full((16, 16, 3), 220.0, np.float32)
    after[:, :10] = 40
    result = view.paste_change(image, before, after, np.zeros((64, 64)))
    rows = result[20:44, :, 0].astype(int)
    assert (np.diff(rows, axis=1) >= -12).all(), "one edge, up to what enlarging overshoots"
    assert rows[:, 34].max() < 60
    assert rows[:, 46].min() > 200


@pytest.mark.parametrize("landmarks", [np.full((3, 2), -50.0), np.full((3, 2), 500.0)])
def test_a_face_beyond_the_border_has_a_square_too(landmarks: np.ndarray) -> None:
    view = View.around(landmarks + np.eye(3, 2), 16, (40, 60))
    assert view.cut(np.zeros((40, 60, 3), np.uint8)).shape == (16, 16, 3)
