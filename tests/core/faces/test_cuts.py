"""A clip that cuts to another person is named; light, movement and dark moments are none."""

import logging
import re
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.recorded_faces import (
    DRIVING,
    PORTRAIT,
    SHARED_FOLDER,
    TASK,
    needs_driving,
    needs_portrait,
)
from torch import Tensor

from actalker_core.faces import Box, Face, SearchDepth, track_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.media import load_image, read_frames
from actalker_core.synthetic import demo

SCENES = SHARED_FOLDER / "cases" / "scenecut.mp4"
SECONDS, FRAMES = 0.8, 20
BOX = demo.locate_driving_face(0)


class StillFinder:
    """Sees a face in the same place of every frame that is not empty, without landmarks."""

    def __init__(self, box: Box = BOX, lost_frames: tuple[int, ...] = ()) -> None:
        self.box, self.lost_frames, self.frame = box, lost_frames, 0

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        self.frame += 1
        is_empty = self.frame - 1 in self.lost_frames or image.float().std() < 0.01
        return [] if is_empty else [Face(self.box, 0.5)]

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        return None


def find_warned_cuts(
    finder: object, frames: list[Tensor], caplog: pytest.LogCaptureFixture
) -> list[int]:
    """The frames that a warning names; its last number is where counting begins."""
    with caplog.at_level(logging.WARNING, "actalker_core.faces.track"):
        track_face(finder, frames)
    messages = [r.getMessage() for r in caplog.records if "cuts to" in r.getMessage()]
    assert len(messages) <= 1
    return [int(number) for message in messages for number in re.findall(r"\d+", message)][:-1]


@pytest.fixture(scope="module")
def films() -> list[list[Tensor]]:
    """Four drawn people, each in a place of their own."""
    return [list(demo.render_driving_frames(SECONDS, person)) for person in range(4)]


@pytest.mark.parametrize("person", [1, 2, 3])
@pytest.mark.parametrize("at", [1, 7, 19])
def test_a_cut_to_another_person_is_named(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture, person: int, at: int
) -> None:
    frames = films[0][:at] + films[person]
    assert find_warned_cuts(StillFinder(), frames, caplog) == [at]


def test_every_cut_is_named(films: list[list[Tensor]], caplog: pytest.LogCaptureFixture) -> None:
    frames = films[0][:6] + films[1][:9] + films[2][:5] + films[0][6:]
    assert find_warned_cuts(StillFinder(), frames, caplog) == [6, 15, 20]


def test_a_cut_away_from_the_face_is_named(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    """The other person is where no face is looked for."""
    frames = films[0] + [frame.flip(1, 2) for frame in films[1]]
    lost_frames = tuple(range(FRAMES, 2 * FRAMES + 1))
    assert find_warned_cuts(StillFinder(lost_frames=lost_frames), frames, caplog) == [FRAMES]


def test_another_person_in_the_same_room_is_named(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    x0, y0, x1, y1 = map(round, BOX)
    frames = [frame.clone() for frame in films[0]]
    for frame, source in zip(frames, films[1], strict=True):
        frame[:, y0:y1, x0:x1] = source[:, y0:y1, x0:x1]
    assert find_warned_cuts(StillFinder(), films[0] + frames, caplog) == [FRAMES]


def test_a_warning_names_frame_second_clip_and_remedy(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        track_face(StillFinder(), films[0][:15] + films[1], name="head clip", fps=12.5)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "head clip cuts to another person" in record.getMessage()
    assert "frame 15 (1.20 s)" in record.getMessage()
    assert "Cut the clip there" in record.getMessage()


def test_very_many_cuts_are_counted(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    frames = (films[0][:5] + films[1][:5]) * 15
    with caplog.at_level(logging.WARNING):
        track_face(StillFinder(), frames)
    assert "and 9 more" in caplog.text
    assert len(caplog.text) < 500


def change_light(frames: list[Tensor], kind: str) -> list[Tensor]:
    """One shot in changing light, or moved."""
    bright = [frame.float() / 255 if frame.dtype == torch.uint8 else frame for frame in frames]
    random = torch.Generator().manual_seed(1)
    if kind == "flicker":
        gains = torch.empty(len(bright)).uniform_(0.4, 1, generator=random).tolist()
        return [frame * gain for frame, gain in zip(bright, gains, strict=True)]
    if kind == "fade":
        middle = len(bright) // 2
        return [frame * max(abs(i - middle) - 2, 0) / middle for i, frame in enumerate(bright)]
    if kind == "flash":
        bright[7], bright[8] = torch.ones_like(bright[7]), bright[8] * 0.3 + 0.7
        return bright
    if kind == "white flash and dark moment":
        bright[5], bright[12] = torch.ones_like(bright[5]), torch.zeros_like(bright[12])
        return bright
    if kind == "warmer":
        tint = torch.tensor([1.0, 0.8, 0.5])[:, None, None]
        return bright[:10] + [frame * tint for frame in bright[10:]]
    if kind == "noise":
        return [(f + 0.1 * torch.randn(f.shape, generator=random)).clamp(0, 1) for f in bright]
    return [frame.roll(3 * i, 2) for i, frame in enumerate(bright)]


@pytest.mark.parametrize(
    "kind", ["flicker", "fade", "flash", "white flash and dark moment", "warmer", "noise"]
)
def test_light_is_no_cut(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    assert find_warned_cuts(StillFinder(), change_light(films[0], kind), caplog) == []


def test_a_person_after_a_dark_moment_is_named(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    dark = [torch.zeros_like(films[0][0])] * 6
    assert find_warned_cuts(StillFinder(), films[0] + dark + films[1], caplog) == [FRAMES + 6]
    caplog.clear()
    assert find_warned_cuts(StillFinder(), films[0] + dark + films[0], caplog) == []


def test_a_pan_across_the_room_is_no_cut(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    """The camera goes after the face: its surroundings change and it does not."""
    x0, y0, x1, y1 = map(round, BOX)
    room = torch.rand(3, 6, 40, generator=torch.Generator().manual_seed(2))
    height, width = films[0][0].shape[1:]
    canvas = F.interpolate(room[None], (height, 10 * width), mode="bicubic")[0].clamp(0, 1)
    frames = []
    for i, frame in enumerate(films[0]):
        face = frame.float() / 255 if frame.dtype == torch.uint8 else frame
        view = canvas[:, :, width * i // 4 : width * i // 4 + width].clone()
        view[:, y0:y1, x0:x1] = face[:, y0:y1, x0:x1]
        frames.append(view)
    assert find_warned_cuts(StillFinder(), frames, caplog) == []


def test_a_face_that_leaves_during_a_pan_is_no_cut(
    films: list[list[Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    still_frames, lost_frames = films[0][:6], range(7, 30)
    frames = still_frames + [films[0][6].roll(8 * i, 2) for i in range(14)]
    assert find_warned_cuts(StillFinder(lost_frames=tuple(lost_frames)), frames, caplog) == []


# Real faces --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driving() -> list[Tensor]:
    return list(read_frames(DRIVING, 25))


@needs_driving
@pytest.mark.parametrize("step", [5, 8])
def test_a_fast_head_is_no_cut(
    landmarker: Landmarker,
    driving: list[Tensor],
    caplog: pytest.LogCaptureFixture,
    step: int,
) -> None:
    assert find_warned_cuts(landmarker, driving[::step], caplog) == []


@needs_driving
@pytest.mark.parametrize("kind", ["flicker", "fade", "flash", "pan"])
def test_light_on_a_real_face_is_no_cut(
    landmarker: Landmarker, driving: list[Tensor], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    assert find_warned_cuts(landmarker, change_light(driving[100:124], kind), caplog) == []


@needs_portrait
@needs_driving
@pytest.mark.parametrize("at", [1, 11])
def test_a_cut_to_a_photograph_is_named(
    landmarker: Landmarker, driving: list[Tensor], caplog: pytest.LogCaptureFixture, at: int
) -> None:
    size = tuple(driving[0].shape[1:])
    photograph = (F.interpolate(load_image(PORTRAIT)[None], size, mode="area")[0] * 255).byte()
    frames = driving[100 : 100 + at] + [photograph] * 4 + driving[160:166]
    assert find_warned_cuts(landmarker, frames, caplog) == [at, at + 4]


@pytest.mark.skipif(not (SCENES.is_file() and TASK.is_file()), reason="no such clip in shared/")
@pytest.mark.parametrize(("fps", "expected"), [(25, 30), (12.5, 15)])
def test_the_clip_with_a_cut_is_named(
    landmarker: Landmarker, caplog: pytest.LogCaptureFixture, fps: float, expected: int
) -> None:
    frames = list(islice(read_frames(Path(SCENES), fps), 60))
    assert find_warned_cuts(landmarker, frames, caplog) == [expected]
