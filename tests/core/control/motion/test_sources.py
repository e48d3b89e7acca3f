"""Who moves a photograph, and for how long."""

import numpy as np
import pytest
import torch
from helpers.edits import quick
from helpers.motions import motion
from helpers.signals import is_same
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.motion.hand import move_by_text
from actalker_core.control.motion.idle import IdleAmounts
from actalker_core.control.motion.mix import SOURCES, mix_motion
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.control.motion.sources import (
    EXTENSIONS,
    USUAL_SECONDS,
    count_frames,
    gather_sources,
)
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.errors import InputError
from actalker_core.media import Audio

FPS = 10.0
WORDS = parse_prompt("0s: neutral; 2s: joyful")


def speech(seconds: float) -> Audio:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, round(seconds * 16_000)))
    return Audio(noise.astype(np.float32), 16_000)


def clip(frames: int) -> MotionSignal:
    """Another motion in each frame."""
    return motion(frames, FPS, with_detail=True)


@quick
@given(st.floats(0.001, 3000), st.floats(1, 30))
def test_a_duration_holds_as_many_whole_frames(seconds: float, fps: float) -> None:
    count = count_frames(seconds, fps)
    assert count == 1 or count / fps <= seconds + 1e-6
    assert (count + 1) / fps > seconds - 1e-6
    assert count_frames(count / fps, fps) == count


@pytest.mark.parametrize(("seconds", "fps"), [(1e9, 25), (1, 0), (1, float("nan"))])
def test_a_duration_beyond_the_limits_is_refused(seconds: float, fps: float) -> None:
    with pytest.raises(InputError):
        count_frames(seconds, fps)


def test_a_duration_of_too_many_frames_is_refused_with_the_longest() -> None:
    assert count_frames(4000, 25) == 100_000
    with pytest.raises(InputError, match=r"at most 4,000 s.*100,000 frames at 25.*got 4,001 s"):
        count_frames(4001, 25)


def test_without_any_source_there_is_none() -> None:
    sources = gather_sources(FPS)
    assert not sources.motions
    assert sources.frames == USUAL_SECONDS * FPS


@pytest.mark.parametrize(
    ("given_sources", "frames"),
    [
        ({"speech": speech(1.25), "clip": clip(30), "seconds": 9.0}, 12),
        ({"speech": speech(2.0), "clip": clip(5)}, 20),
        ({"clip": clip(30), "numbers": clip(7), "seconds": 9.0}, 30),
        ({"numbers": clip(7), "words": WORDS}, 7),
        ({"words": WORDS}, 30),
        ({"words": WORDS, "seconds": 1.0}, 10),
        ({"hand": "smile=1", "seconds": 1.0}, 10),
        ({"idle": IdleAmounts()}, 40),
        ({"speech": speech(2.0), "max_frames": 3}, 3),
        ({"clip": clip(2), "max_frames": 3}, 2),
        ({"speech": speech(0.01)}, 1),
    ],
)
def test_speech_decides_the_length_else_clip_and_numbers_else_who_asks(
    given_sources: dict, frames: int
) -> None:
    sources = gather_sources(FPS, **given_sources)
    assert sources.frames == frames
    assert all(len(signal) >= frames for signal in sources.motions.values())
    mix = mix_motion(sources.motions, frames=frames, fps=FPS)
    assert len(mix) == frames


def test_all_sources_come_by_their_names() -> None:
    sources = gather_sources(
        FPS,
        speech=speech(1.0),
        clip=clip(10),
        numbers=clip(10),
        words=WORDS,
        idle=IdleAmounts(),
    )
    assert set(sources.motions) == set(SOURCES)
    assert is_same(sources.motions["clip"], clip(10))


@pytest.mark.parametrize("extend", EXTENSIONS)
def test_a_clip_shorter_than_the_speech_goes_on(extend: str) -> None:
    short = clip(4)
    longer = gather_sources(FPS, speech=speech(1.0), clip=short, extend=extend).motions["clip"]
    assert len(longer) >= 10
    assert torch.equal(longer.blendshapes[:2], short.blendshapes[:2])
    expected = {"hold": 3, "ping-pong": 0, "loop": 2}[extend]
    frame = {"hold": 9, "ping-pong": 6, "loop": 6}[extend]
    assert torch.allclose(longer.blendshapes[frame], short.blendshapes[expected], atol=1e-5)


def test_a_hand_replaces_the_groups_of_a_file_that_it_moves() -> None:
    file = clip(10)
    by_hand = gather_sources(FPS, numbers=file, hand="yaw=10").motions["numbers"]
    assert torch.equal(by_hand.rotation_degrees, move_by_text("yaw=10", 10, FPS).rotation_degrees)
    assert torch.equal(by_hand.gaze, file.gaze)
    alone = gather_sources(FPS, hand="yaw=10", seconds=1.0).motions["numbers"]
    assert torch.equal(alone.rotation_degrees, by_hand.rotation_degrees)


def test_a_hand_that_moves_nothing_leaves_the_file() -> None:
    file = clip(10)
    assert is_same(gather_sources(FPS, numbers=file, hand="yaw=0").motions["numbers"], file)


@pytest.mark.parametrize(
    "wrong", [{"max_frames": 0}, {"offset_ms": 1e9, "speech": speech(1.0)}, {"hand": "smile=?"}]
)
def test_numbers_outside_their_limits_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        gather_sources(FPS, **wrong)
