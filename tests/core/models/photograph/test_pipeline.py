"""Frames come in order, lazily, and touch nothing that they need not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.hopper import FPS, load_hopper, nod
from helpers.recorded_faces import needs_model
from torch import Tensor

from actalker_core.control.motion.signal import MotionSignal
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.pose import to_image
from actalker_core.media import write_video
from actalker_core.models.photograph import pipeline
from actalker_core.models.photograph.pipeline import (
    MovedFrames,
    animate,
    render_frames,
    trace_face,
)
from actalker_core.models.photograph.plan import Driver, plan_photograph

pytestmark = needs_model


def test_at_rest_it_is_the_photograph(photograph: Photograph) -> None:
    plan = plan_photograph(photograph, MotionSignal.rest(2, FPS))
    for frame in render_frames(plan):
        difference = np.abs(frame.image.astype(int) - photograph.image)
        assert difference.mean() <= 0.1
    assert [chunk.dtype for chunk in animate(plan).chunks] == [torch.uint8]


def test_any_number_of_threads_draws_the_same_frames_in_order(photograph: Photograph) -> None:
    plan = plan_photograph(photograph, nod(8))
    serial, parallel = (
        [frame.image for frame in render_frames(plan, threads=count)] for count in (1, 4)
    )
    assert len(serial) == len(parallel) == 8
    assert all(np.array_equal(a, b) for a, b in zip(serial, parallel, strict=True))
    distances = [np.abs(image.astype(int) - serial[0]).mean() for image in serial]
    assert distances == sorted(distances)
    assert distances[-1] > 1


def test_outside_the_reach_of_the_head_every_pixel_stays(photograph: Photograph) -> None:
    (chunk,) = animate(plan_photograph(photograph, nod(4))).chunks
    still = torch.from_numpy(photograph.image).movedim(-1, 0).expand(4, -1, -1, -1).clone()
    rows, columns = photograph.box.slices
    outside = chunk.clone()
    outside[:, :, rows, columns] = still[:, :, rows, columns]
    assert torch.equal(outside, still)


def test_a_mask_keeps_what_is_black(photograph: Photograph) -> None:
    height, width = photograph.image.shape[:2]
    mask = torch.zeros(height, width)
    mask[:, : width // 2] = 1
    frames = list(render_frames(plan_photograph(photograph, nod(4))))
    masked_frames = list(render_frames(plan_photograph(photograph, nod(4), mask=mask)))
    for full, half in zip(frames, masked_frames, strict=True):
        assert np.array_equal(half.image[:, : width // 2], full.image[:, : width // 2])
        assert np.array_equal(half.image[:, width // 2 :], photograph.image[:, width // 2 :])
        assert not half.invented_mask[:, width // 2 :].any()


def test_a_grey_mask_is_halfway(photograph: Photograph) -> None:
    mask = torch.full(photograph.image.shape[:2], 0.5)
    (*_, full) = render_frames(plan_photograph(photograph, nod(3)))
    (*_, half) = render_frames(plan_photograph(photograph, nod(3), mask=mask))
    middle = (full.image.astype(float) + photograph.image) / 2
    assert np.abs(half.image - middle).max() <= 0.5


def test_frames_are_read_and_drawn_no_sooner_than_needed(photograph: Photograph) -> None:
    reads: list[int] = []

    def read() -> Iterator[Tensor]:
        for i in range(1000):
            reads.append(i)
            yield load_hopper(0.5)

    face = np.asarray(trace_landmarks(photograph))
    driver = Driver(read(), np.broadcast_to(face, (1000, 478, 3)))
    frames = render_frames(
        plan_photograph(photograph, MotionSignal.rest(1000, FPS), driver=driver), threads=2
    )
    for _ in range(3):
        next(frames)
    frames.close()
    assert len(reads) <= 6


def trace_landmarks(photograph: Photograph) -> np.ndarray:
    """(478, 3) landmarks of the photograph, irises in the middle of nowhere."""
    vertices = to_image(photograph.vertices, photograph.pose)
    return np.concatenate([vertices, vertices[:10]])


def test_an_error_while_drawing_reaches_the_reader(
    photograph: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("drawing")

    monkeypatch.setattr(pipeline, "_render", fail)
    with pytest.raises(KeyError):
        list(render_frames(plan_photograph(photograph, nod())))


def test_chunks_hold_few_large_frames(
    photograph: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", 3 * photograph.image.nbytes)
    sizes = [len(chunk) for chunk in animate(plan_photograph(photograph, nod(8))).chunks]
    assert sizes == [3, 3, 2]
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", 1)
    assert [len(c) for c in animate(plan_photograph(photograph, nod(2))).chunks] == [1, 1]


def test_a_video_of_bytes_is_that_of_numbers(photograph: Photograph, tmp_path: Path) -> None:
    """What the encoder is given is the same; PNG keeps every bit of it."""
    (chunk,) = animate(plan_photograph(photograph, nod(2))).chunks
    for name, frames in (("a", chunk), ("b", chunk.float() / 255)):
        assert write_video(tmp_path / name / "%d.png", [frames], FPS) == 2
    for i in (1, 2):
        pngs = [(tmp_path / n / f"{i}.png").read_bytes() for n in ("a", "b")]
        assert pngs[0] == pngs[1]


def test_moved_frames_are_a_clip_that_is_read_again(photograph: Photograph) -> None:
    clip = MovedFrames(plan_photograph(photograph, nod(4)))
    first, second = list(clip), list(clip)
    assert len(clip) == len(first) == 4
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_traced_face_goes_where_the_head_goes(photograph: Photograph) -> None:
    motion = nod(5)
    motion.translation[:, 0] = torch.linspace(0, 0.2, 5)
    plan = plan_photograph(photograph, motion)
    face = (40.0, 20.0, 140.0, 150.0)
    track = trace_face(plan, face)
    assert track.boxes[0] == pytest.approx(face, abs=0.5)
    centres = (track.boxes[:, 0] + track.boxes[:, 2]) / 2
    assert np.all(np.diff(centres) > 0)
    assert centres[-1] - centres[0] > 0.15 * photograph.face_width
    assert track.size == photograph.image.shape[:2]
    assert not track.gaps
