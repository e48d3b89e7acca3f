"""Frames of a moved photograph, finished: any size, in place, steady."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from helpers.photographs import make_numbers, make_photograph
from helpers.recorded_faces import needs_model

from actalker_core.errors import InputError
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph, RenderedFrame
from actalker_core.models.tgdm.network import TGDM
from actalker_core.models.tgdm.pipeline import FRAMES_AT_ONCE, Refinement, refine_frames
from actalker_core.models.tgdm.sampling import Sampling

pytestmark = needs_model

Frames = list[tuple[RenderedFrame, FrameNumbers]]


@pytest.fixture(scope="module")
def photograph() -> Photograph:
    """Of a face 90 pixels wide in 240 x 256."""
    return make_photograph()


@pytest.fixture(scope="module")
def frames(photograph: Photograph) -> Frames:
    rows = [make_numbers(yaw=4.0 * i, jawOpen=0.15 * i) for i in range(6)]
    return [(photograph.render(row), row) for row in rows]


def finish(refinement: Refinement, frames: Frames) -> list[np.ndarray]:
    return list(refine_frames(refinement, frames))


def test_frames_have_the_size_of_the_picture_and_their_own_content(
    network: TGDM, photograph: Photograph, frames: Frames
) -> None:
    images = finish(Refinement(network, photograph), frames)
    assert len(images) == len(frames) > FRAMES_AT_ONCE
    for image, (frame, _) in zip(images, frames, strict=True):
        assert image.shape == frame.image.shape
        assert not np.array_equal(image, frame.image)


def test_a_clip_is_its_frames(network: TGDM, photograph: Photograph, frames: Frames) -> None:
    refinement = Refinement(network, photograph, Sampling(2))
    images = finish(refinement, frames)
    for image, frame in zip(images, frames, strict=True):
        alone = finish(refinement, [frame])[0]
        assert np.abs(alone.astype(int) - image).max() <= 1


def test_seeds_decide_and_repeat(network: TGDM, photograph: Photograph, frames: Frames) -> None:
    first, second, third = (
        finish(Refinement(network, photograph, Sampling(1), seed=seed), frames[:1])[0]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_the_same_frame_is_finished_the_same_at_any_time(
    network: TGDM, photograph: Photograph, frames: Frames
) -> None:
    images = finish(Refinement(network, photograph, Sampling(2)), [frames[1]] * 6)
    assert all(np.abs(image.astype(int) - images[0]).max() <= 1 for image in images)


def test_outside_the_square_the_moved_photograph_stays(network: TGDM) -> None:
    photograph = make_photograph(400, 500, 60, (200, 180))
    numbers = make_numbers(yaw=5.0)
    frame = photograph.render(numbers)
    refinement = Refinement(network, photograph)
    (image,) = refine_frames(refinement, [(frame, numbers)])
    is_outside = np.ones(image.shape[:2], bool)
    is_outside[refinement.view.box.slices] = False
    assert np.array_equal(image[is_outside], frame.image[is_outside])


def test_a_mask_of_nothing_leaves_every_frame(
    network: TGDM, photograph: Photograph, frames: Frames
) -> None:
    mask = np.zeros(photograph.image.shape[:2], np.float32)
    for image, (frame, _) in zip(
        finish(Refinement(network, photograph, mask=mask), frames), frames, strict=True
    ):
        assert np.array_equal(image, frame.image)


def test_where_nothing_is_invented_the_frame_stays_if_that_is_asked_for(
    network: TGDM, photograph: Photograph, frames: Frames
) -> None:
    refinement = Refinement(network, photograph, place="invented")
    for image, (frame, _) in zip(finish(refinement, frames), frames, strict=True):
        is_known = frame.invented_mask == 0
        assert np.array_equal(image[is_known], frame.image[is_known])
    empty_mask = np.zeros(photograph.image.shape[:2], np.uint8)
    known_frames = [(RenderedFrame(frame.image, empty_mask), row) for frame, row in frames]
    for image, (frame, _) in zip(finish(refinement, known_frames), frames, strict=True):
        assert np.array_equal(image, frame.image)


def test_nothing_is_drawn_ahead_of_what_is_read(network: TGDM, photograph: Photograph) -> None:
    count = 0

    def draw() -> Iterator[tuple[RenderedFrame, FrameNumbers]]:
        nonlocal count
        while True:
            count += 1
            numbers = make_numbers()
            yield photograph.render(numbers), numbers

    next(refine_frames(Refinement(network, photograph), draw()))
    assert count == FRAMES_AT_ONCE


def test_absolute_lips_count_from_shut_ones(network: TGDM) -> None:
    smile = make_numbers(mouthSmileLeft=0.8, browInnerUp=0.5).blendshapes
    photograph = make_photograph()
    photograph.blendshapes = smile
    numbers = make_numbers()
    frame = photograph.render(numbers)
    relative = Refinement(network, photograph)
    images = [
        finish(refinement, [(frame, numbers)])[0]
        for refinement in (relative, replace(relative, lips="absolute"))
    ]
    assert not np.array_equal(*images), "a smile of the photograph is none of the numbers"


def test_an_unknown_place_is_refused(network: TGDM, photograph: Photograph) -> None:
    with pytest.raises(InputError, match="Place of the refinement"):
        Refinement(network, photograph, place="hair")
