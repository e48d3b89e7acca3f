"""The face swap: outside bit for bit, what lies before a face stays, clips of every kind."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.photographs import mesh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from actalker_core.errors import InputError
from actalker_core.geometry.rig import Rig
from actalker_core.geometry.swap import start_swap
from actalker_core.models.tgdm.network import TGDM
from actalker_core.models.tgdm.occlusion import OcclusionFinder, choose_references
from actalker_core.models.tgdm.sampling import Sampling
from actalker_core.models.tgdm.swap import Swap, SwapTarget, compose, measure_absolute, swap_frames
from actalker_core.models.tgdm.view import View
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.landmarks import DrawnLandmarks, name_blendshapes
from actalker_core.synthetic.rendering import render_face

Image = NDArray[np.uint8]
STATES = [FaceState(yaw=2.0 * i, open=0.1 * i, smile=0.1 * i) for i in range(5)]


def draw_clip(seed: int, states: list[FaceState]) -> tuple[list[Image], SwapTarget]:
    identity = replace(make_identity(seed), glasses=0)
    landmarks = DrawnLandmarks(mesh())
    target = SwapTarget(
        np.stack([landmarks.place(identity, state) for state in states]),
        np.stack([name_blendshapes(state) for state in states]),
        np.ones(len(states), bool),
    )
    return [render_face(identity, state).image for state in states], target


def make_swap(network: TGDM, **settings: object) -> Swap:
    identity, state = make_identity(7), FaceState()
    points = DrawnLandmarks(mesh()).place(identity, state)
    image = render_face(identity, state).image
    return replace(Swap(network, mesh(), image, points), **settings)


def face_area(points: NDArray[np.floating], shape: tuple[int, int], grow: int) -> NDArray[np.bool_]:
    area = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(area, cv2.convexHull(points[:, :2].round().astype(np.int32)), (1,))
    return cv2.dilate(area, np.ones((grow, grow), np.uint8)) > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0, 5))
def test_outside_the_mask_a_frame_is_kept_bit_for_bit(
    seed: int, height: int, width: int, seam_px: float
) -> None:
    rng = np.random.default_rng(seed)
    frame, image = rng.integers(0, 256, (2, height, width, 3), np.uint8)
    mask = np.where(rng.random((height, width)) < 0.7, 255, 0).astype(np.uint8)
    occluder = rng.random((height, width)).astype(np.float32)
    occluder[0] = 1
    out = compose(frame, image, mask, occluder, seam_px)
    assert np.array_equal(out[mask == 0], frame[mask == 0])
    assert np.array_equal(out[0], frame[0]), "what is kept"
    full = np.full((height, width), 255, np.uint8)
    inside = compose(frame, image, full, np.zeros_like(occluder), 0.0)
    assert np.array_equal(inside[3:-3, 3:-3], image[3:-3, 3:-3])


@pytest.mark.parametrize("scale", [1, 2])
def test_only_the_face_changes(network: TGDM, scale: int) -> None:
    frames, target = draw_clip(3, STATES[:3])
    frames = [cv2.resize(f, None, fx=scale, fy=scale) for f in frames]
    target = replace(target, landmarks=target.landmarks * scale)
    for frame, out, points in zip(
        frames, swap_frames(make_swap(network), target, frames), target.landmarks, strict=True
    ):
        area = face_area(points, frame.shape[:2], 23 * scale)
        assert np.array_equal(out[~area], frame[~area])
        middle = tuple(points[4, 1::-1].round().astype(int))
        assert not np.array_equal(out[area], frame[area])
        assert out[middle].any()


def test_skin_that_the_source_shows_stays_if_that_is_asked_for(network: TGDM) -> None:
    frames, target = draw_clip(3, STATES[:1])
    (image,) = swap_frames(make_swap(network, place="invented"), target, frames)
    start = start_swap(
        make_swap(network).source,
        make_swap(network).landmarks,
        frames[0],
        target.landmarks[0],
        mesh(),
    )
    cheek = tuple(target.landmarks[0, 50, 1::-1].round().astype(int))
    assert start.invented_mask[cheek] == 0
    assert np.array_equal(image[cheek], start.image[cheek])
    (finished_image,) = swap_frames(make_swap(network), target, frames)
    assert not np.array_equal(finished_image, image)
    with pytest.raises(InputError, match="Place of the swap"):
        make_swap(network, place="hair")


def test_one_face_of_several_changes(network: TGDM) -> None:
    frames, target = draw_clip(3, STATES[:2])
    pairs = [np.concatenate([frame, frame], 1) for frame in frames]
    width = frames[0].shape[1]
    for frame, out in zip(pairs, swap_frames(make_swap(network), target, pairs), strict=True):
        assert np.array_equal(out[:, width + 5 :], frame[:, width + 5 :])
        assert not np.array_equal(out, frame)


def test_frames_without_the_face_are_kept(network: TGDM) -> None:
    frames, target = draw_clip(3, STATES)
    is_swapped = np.array([False, True, True, False, True])
    outs = list(swap_frames(make_swap(network), replace(target, is_swapped=is_swapped), frames))
    is_same = [np.array_equal(a, b) for a, b in zip(outs, frames, strict=True)]
    assert is_same == list(~is_swapped)


def test_a_clip_of_one_frame_has_a_swap(network: TGDM) -> None:
    frames, target = draw_clip(3, STATES[2:3])
    (out,) = swap_frames(make_swap(network), target, frames)
    assert not np.array_equal(out, frames[0])


def test_a_seed_gives_the_same_frames(network: TGDM) -> None:
    frames, target = draw_clip(3, STATES[:1])
    swap = make_swap(network, sampling=Sampling(steps=2, noise=1.0))
    first, again, second = (
        next(swap_frames(replace(swap, seed=seed), target, frames)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_clip_that_never_shows_the_face_is_refused() -> None:
    _, target = draw_clip(3, STATES[:2])
    with pytest.raises(InputError, match="one that does, got 0"):
        replace(target, is_swapped=np.zeros(2, bool))


# Occlusion ---------------------------------------------------------------------------------------


def find_occluders(frames: list[Image], target: SwapTarget) -> list[NDArray[np.float32]]:
    shape = frames[0].shape
    finder = OcclusionFinder(
        target.landmarks, target.blendshapes, mesh(), Rig(mesh()), (shape[0], shape[1])
    )
    finder.read(frames)
    return [finder.find(frame, number) for number, frame in enumerate(frames)]


@pytest.mark.parametrize("seed", [3, 11])
def test_a_hand_before_the_face_stays_and_little_else(network: TGDM, seed: int) -> None:
    frames, target = draw_clip(seed, STATES)
    bare = find_occluders(frames, target)
    hands = [frame.copy() for frame in frames]
    hand = np.zeros(frames[0].shape[:2], np.uint8)
    x, y = target.landmarks[2, 50, :2].round().astype(int).tolist()
    cv2.ellipse(hand, (x, y), (14, 9), 30, 0, 360, (1,), -1)
    hands[2][hand > 0] = (40, 110, 70)
    occluders = find_occluders(hands, target)
    face = face_area(target.landmarks[2], hand.shape, 1)
    assert np.mean([k[face].mean() for k in bare]) < 0.03
    assert occluders[2][(hand > 0) & face].mean() > 0.9
    out = list(swap_frames(make_swap(network), target, hands))[2]
    assert np.abs(out[hand > 0].astype(int) - hands[2][hand > 0]).mean() < 4


def test_references_look_ahead_and_lie_apart() -> None:
    states = [replace(STATES[0], yaw=float(yaw)) for yaw in (20, 0, 15, 10, 0, 20)]
    _, target = draw_clip(3, states)
    assert choose_references(target.landmarks, target.blendshapes, mesh()) == {1, 3, 4}


# What the network reads --------------------------------------------------------------------------


def test_numbers_are_those_of_the_face_itself() -> None:
    _, target = draw_clip(3, [FaceState(yaw=15.0, smile=0.5)] * 2)
    numbers = measure_absolute(target.landmarks, target.blendshapes, mesh(), Rig(mesh()))
    assert np.allclose(numbers[0].blendshapes[1:], target.blendshapes[0][1:], atol=0.3)
    assert abs(numbers[0].rotation_degrees[1]) > 8


def test_squares_that_follow_have_one_size_and_move_little() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((20, 30, 2)) * [60, 80] + [100, 60]
    points[:, 0], points[:, 1] = (100, 60), (160, 140)
    shaken = points + rng.normal(0, 1.5, (20, 1, 2))
    views = View.follow(shaken, 16, (240, 320))
    assert len({view.box.shape for view in views}) == 1
    steps = np.abs(np.diff([view.box.corner for view in views], axis=0))
    assert steps.mean() < np.abs(np.diff(shaken[:, 0], axis=0)).mean()
    for view, face in zip(views, shaken, strict=True):
        place = view.place(np.pad(face, ((0, 0), (0, 1))))[:, :2]
        assert (place > 0).all()
        assert (place < 16).all()
