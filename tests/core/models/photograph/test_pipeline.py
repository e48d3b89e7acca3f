"""Frames come in order, lazily, and touch nothing that they need not."""

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.hopper import FPS, load_hopper, nod
from helpers.photographs import Open
from helpers.recorded_faces import needs_model
from torch import Tensor

from actalker_core.control.motion.columns import build_motion
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.geometry.photograph import Photograph, RenderedFrame
from actalker_core.geometry.pose import to_image
from actalker_core.geometry.rings import MOUTH_CORNERS
from actalker_core.media import write_video
from actalker_core.models.photograph import pipeline
from actalker_core.models.photograph.pipeline import (
    MovedFrames,
    animate,
    render_frames,
    trace_face,
)
from actalker_core.models.photograph.plan import Driver, PhotographPlan, plan_photograph

pytestmark = needs_model


def test_at_rest_it_is_the_photograph(photograph: Photograph) -> None:
    plan = plan_photograph(photograph, MotionSignal.rest(2, FPS))
    for frame in render_frames(plan):
        difference = np.abs(frame.image.astype(int) - photograph.image)
        assert difference.mean() <= 0.1
    assert [chunk.dtype for chunk in animate(plan).chunks] == [torch.uint8] * 2


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
    chunk = torch.cat(list(animate(plan_photograph(photograph, nod(4))).chunks))
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


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("place", ["drawing", "reading the driver", "counting"])
def test_what_is_stopped_leaves_neither_file_nor_thread(
    photograph: Photograph,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: type[BaseException],
    place: str,
) -> None:
    draw = pipeline._render

    def fail(name: str, number: int) -> None:
        if name == place and number == 6:
            raise error

    def render(plan: PhotographPlan, index: int, *driver: object) -> RenderedFrame:
        fail("drawing", index)
        return draw(plan, index, *driver)

    def read() -> Iterator[Tensor]:
        for i in range(40):
            fail("reading the driver", i)
            yield load_hopper(0.5)

    def count(chunks: Iterator[Tensor]) -> Iterator[Tensor]:
        for i, chunk in enumerate(chunks):
            fail("counting", i)
            yield chunk

    monkeypatch.setattr(pipeline, "_render", render)
    landmarks = np.broadcast_to(trace_landmarks(photograph), (40, 478, 3))
    plan = plan_photograph(photograph, nod(40), driver=Driver(read(), landmarks))
    video = animate(plan)
    with pytest.raises(error):
        write_video(tmp_path / "out.mp4", count(video.chunks), FPS)
    video.chunks.close()
    assert not list(tmp_path.iterdir())
    assert not [t for t in threading.enumerate() if t.name.startswith("actalker")]


def test_each_frame_is_handed_on_as_it_was_drawn_without_a_copy(photograph: Photograph) -> None:
    plan = plan_photograph(photograph, nod(4))
    expected = [frame.image for frame in render_frames(plan)]
    height, width = photograph.image.shape[:2]
    for chunk, image in zip(animate(plan).chunks, expected, strict=True):
        assert chunk.shape == (1, 3, height, width)
        assert chunk[0].movedim(0, -1).is_contiguous()
        assert np.array_equal(chunk[0].movedim(0, -1), image)


def test_a_video_of_bytes_is_that_of_numbers(photograph: Photograph, tmp_path: Path) -> None:
    """What the encoder is given is the same; PNG keeps every bit of it."""
    chunk = torch.cat(list(animate(plan_photograph(photograph, nod(2))).chunks))
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


def test_a_smiling_source_saturates_and_its_teeth_do_not_pop(
    photograph: Photograph, open_image: Open
) -> None:
    """Its corners go no farther than a smile goes, and frames follow each other evenly."""
    smile = build_motion(
        {"mouthSmileLeft": torch.ones(1), "mouthSmileRight": torch.ones(1)}, FPS, "test"
    )
    (frame,) = render_frames(plan_photograph(photograph, smile))
    smiling = open_image(torch.from_numpy(frame.image).movedim(-1, 0).float() / 255)
    course = torch.linspace(0, 1, 13)
    smile = build_motion(
        {"mouthSmileLeft": course, "mouthSmileRight": course, "jawOpen": 0.3 * course}, FPS, "test"
    )
    widths = [
        np.linalg.norm(np.diff(source.move(smile.frame(12))[list(MOUTH_CORNERS)], axis=0))
        / np.linalg.norm(np.diff(source.vertices[list(MOUTH_CORNERS)], axis=0))
        for source in (photograph, smiling)
    ]
    assert 1 <= widths[1] < 1 + 0.6 * (widths[0] - 1)
    images = [f.image.astype(float) for f in render_frames(plan_photograph(smiling, smile))]
    steps = [np.abs(b - a).mean() for a, b in pairwise(images)]
    assert max(steps) < 3 * np.mean(steps)
