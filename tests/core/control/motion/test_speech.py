"""What lips do becomes numbers of the mouth: open, wide, round, shut, and still in silence."""

import numpy as np
import pytest
import torch
from helpers.edits import EXPECTED_GOT, quick
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.motion.columns import COLUMNS
from actalker_core.control.motion.groups import find_moving_groups
from actalker_core.control.motion.lips.track import LipTrack
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.control.motion.speech import move_by_lips, move_by_speech
from actalker_core.errors import InputError
from actalker_core.media import Audio
from actalker_core.synthetic.speech import RATE_HZ, random_speech

FPS = 25.0
LIPS = ("openness", "width", "pucker", "closure", "teeth_on_lip")


def lips(rows: int = 100, **values: float) -> LipTrack:
    """Each of them the same throughout."""
    return LipTrack(*(np.full(rows, values.get(name, 0.0), np.float32) for name in LIPS))


def move(amount: float = 1.0, **values: float) -> MotionSignal:
    return move_by_lips(lips(**values), 25, FPS, amount=amount)


def value(signal: MotionSignal, name: str, frame: int = 12) -> float:
    track, column = COLUMNS[name]
    return float(signal.tracks[track][frame, column])


def test_silence_is_rest() -> None:
    assert find_moving_groups(move()) == ()


@pytest.mark.parametrize("name", LIPS)
def test_lips_move_the_mouth_alone(name: str) -> None:
    assert find_moving_groups(move(**{name: 1.0})) == ("mouth",)


@pytest.mark.parametrize(
    ("lip", "name"),
    [
        ("openness", "jawOpen"),
        ("openness", "mouthLowerDownLeft"),
        ("width", "mouthStretchRight"),
        ("pucker", "mouthPucker"),
        ("closure", "mouthClose"),
        ("teeth_on_lip", "mouthRollLower"),
    ],
)
def test_the_more_lips_do_the_more_the_mouth_does(lip: str, name: str) -> None:
    values = [value(move(**{lip: strength}), name) for strength in (0.0, 0.3, 0.6, 1.0)]
    assert values[0] == 0
    assert values == sorted(set(values))


def test_a_narrow_mouth_is_round_and_no_smile() -> None:
    signal = move(width=-1.0)
    assert value(signal, "mouthFunnel") > 0
    assert value(signal, "mouthStretchLeft") == value(signal, "mouthSmileLeft") == 0


def test_a_closure_between_two_frames_shuts_the_lips_of_one() -> None:
    track = lips(openness=0.8)
    track.closure[49:51] = 1
    track.openness[49:51] = 0
    signal = move_by_lips(track, 25, FPS)
    closures = signal.blendshapes[:, 27]
    assert closures.max() == 1
    assert int((closures > 0).sum()) == 1


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0, 3.0])
def test_an_amount_scales_openness_and_keeps_closures(amount: float) -> None:
    expected = min(amount * value(move(openness=0.3), "jawOpen"), 1)
    assert value(move(amount, openness=0.3), "jawOpen") == pytest.approx(expected)
    assert value(move(amount, closure=1.0), "mouthClose") == min(amount, 1)


@quick
@given(
    rows=st.lists(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5), min_size=1),
    amount=st.floats(0, 3),
    fps=st.sampled_from([12.5, 24.0, 29.97, 60.0]),
)
def test_numbers_stay_within_their_limits(
    rows: list[list[float]], amount: float, fps: float
) -> None:
    track = LipTrack(*np.array(rows, np.float32).T)
    signal = move_by_lips(track, 30, fps, amount=amount)
    assert (len(signal), signal.rate_hz) == (30, fps)
    assert bool(((signal.blendshapes >= 0) & (signal.blendshapes <= 1)).all())


def test_after_the_end_the_mouth_is_at_rest() -> None:
    signal = move_by_lips(lips(rows=40, openness=1.0), 25, FPS)
    assert value(signal, "jawOpen", 9) > 0
    assert not signal.blendshapes[11:].any()


@pytest.mark.parametrize("numbers", [{"amount": -1.0}, {"amount": float("nan")}])
def test_numbers_have_limits(numbers: dict[str, float]) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        move_by_lips(lips(), 25, FPS, **numbers)


def test_the_same_lips_are_the_same_motion() -> None:
    assert torch.equal(move(openness=0.4).blendshapes, move(openness=0.4).blendshapes)


# From sound --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def babble() -> tuple[Audio, np.ndarray]:
    """Four seconds of made speech after one of silence; how open its mouth is in each frame."""
    speech = random_speech(np.random.default_rng(4), 4.0)
    samples = np.concatenate([np.zeros(RATE_HZ), speech.samples]).astype(np.float32)
    opening = speech.interpolate_mouth(np.arange(100) / FPS)[:, 0]
    return Audio(samples[None], RATE_HZ), np.concatenate([np.zeros(25), opening])


def test_a_sound_opens_the_mouth_when_it_speaks(babble: tuple[Audio, np.ndarray]) -> None:
    audio, opening = babble
    jaw = move_by_speech(audio, 125, FPS).blendshapes[:, COLUMNS["jawOpen"][1]].numpy()
    assert jaw[:22].max() < 0.02
    assert jaw[25:].max() > 0.1
    assert np.corrcoef(jaw, opening)[0, 1] > 0.5


def test_an_offset_moves_the_lips_later(babble: tuple[Audio, np.ndarray]) -> None:
    audio, _ = babble
    early, late = (move_by_speech(audio, 125, FPS, offset_ms=ms).blendshapes for ms in (0, 200))
    torch.testing.assert_close(late[10:120], early[5:115], atol=0.02, rtol=0)


def test_frames_after_the_sound_are_at_rest(babble: tuple[Audio, np.ndarray]) -> None:
    audio, _ = babble
    assert not move_by_speech(audio, 200, FPS).blendshapes[140:].any()
