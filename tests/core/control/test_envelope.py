"""Gates that follow the loudness of a sound."""

import math

import numpy as np
import pytest
import torch
from helpers.curves import make_sound, quick
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import curves
from actalker_core.control.curves import loudness_envelope
from actalker_core.errors import InputError
from actalker_core.media import Audio

LEVELS = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(
    lambda levels: [round(level, 3) for level in levels]
)
AUDIBLE = LEVELS.filter(any)
TIMES = st.sampled_from([0.0, 0.01, 0.05, 0.2, 1.0, 10.0])


def measure(audio: Audio, frames: int, fps: float = 25, threshold: float = 0.0) -> Tensor:
    return loudness_envelope(
        audio, frames, fps, attack_seconds=0, release_seconds=0, threshold=threshold
    )


@pytest.mark.parametrize("text", ["envelope", "envelope attack=0 release=0 threshold=0"])
def test_silence_shuts_the_gate(text: str) -> None:
    assert curves.parse_curve(text, 9, 25, make_sound([0.0] * 9)).tolist() == [0] * 9
    assert curves.parse_curve(f"invert {text}", 9, 25, make_sound([0.0] * 9)).tolist() == [1] * 9


@quick
@given(AUDIBLE)
def test_the_envelope_is_the_loudness_as_a_share_of_the_loudest(levels: list[float]) -> None:
    expected = np.array(levels) / max(levels)
    assert measure(make_sound(levels), len(levels)).numpy() == pytest.approx(expected, abs=1e-4)


@quick
@given(AUDIBLE, TIMES, st.floats(0, 0.99))
def test_without_attack_the_loudest_frame_is_1(
    levels: list[float], release: float, threshold: float
) -> None:
    curve = loudness_envelope(
        make_sound(levels),
        len(levels),
        25,
        attack_seconds=0,
        release_seconds=release,
        threshold=threshold,
    )
    assert curve[int(np.argmax(levels))].item() == pytest.approx(1, abs=1e-6)
    assert curve.max() <= 1


@quick
@given(LEVELS, TIMES, TIMES, TIMES)
def test_a_longer_release_is_never_below_a_shorter_one(
    levels: list[float], attack: float, first: float, second: float
) -> None:
    audio, frames = make_sound(levels), len(levels) + 5
    short, long = (
        loudness_envelope(audio, frames, 25, attack_seconds=attack, release_seconds=release)
        for release in sorted([first, second])
    )
    assert (long - short >= -1e-6).all()


@quick
@given(LEVELS, TIMES, TIMES, TIMES)
def test_a_longer_attack_is_never_above_a_shorter_one(
    levels: list[float], release: float, first: float, second: float
) -> None:
    audio, frames = make_sound(levels), len(levels) + 5
    short, long = (
        loudness_envelope(audio, frames, 25, attack_seconds=attack, release_seconds=release)
        for attack in sorted([first, second])
    )
    assert (long - short <= 1e-6).all()


def test_attack_and_release_take_their_time_to_63_percent() -> None:
    audio = make_sound([1.0] * 50 + [0.0] * 50)
    curve = loudness_envelope(audio, 100, 25, attack_seconds=0.4, release_seconds=0.8)
    assert (curve[:50].diff() > 0).all()
    assert (curve[50:].diff() < 0).all()
    assert curve[9].item() == pytest.approx(1 - math.exp(-1), abs=1e-4)
    assert (curve[69] / curve[49]).item() == pytest.approx(math.exp(-1), abs=1e-4)


@quick
@given(AUDIBLE, st.floats(0.01, 0.99))
def test_the_threshold_shuts_what_is_quieter_and_nothing_else(
    levels: list[float], threshold: float
) -> None:
    curve = measure(make_sound(levels), len(levels), threshold=threshold)
    shares = torch.tensor(levels) / max(levels)
    assert (curve[shares < threshold - 1e-4] == 0).all()
    assert (curve[shares > threshold + 1e-4] > 0).all()


def test_the_gate_is_shut_after_the_end_of_the_sound() -> None:
    assert measure(make_sound([1.0] * 4), 9).tolist() == pytest.approx([1] * 4 + [0] * 5)


@pytest.mark.parametrize("fps", [12.5, 25.0])
@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 6), (16000, 2), (44100, 1), (48000, 6), (192000, 2)]
)
def test_the_envelope_is_alike_at_any_rate_and_number_of_channels(
    rate_hz: int, channels: int, fps: float
) -> None:
    levels = [0.0, 0.2, 0.9, 0.6, 0.0, 0.03, 0.5, 0.1]
    expected = loudness_envelope(make_sound(levels, 8000, 1, fps), 10, fps)
    result = loudness_envelope(make_sound(levels, rate_hz, channels, fps), 10, fps)
    assert torch.allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("fps", [23.976, 7.3, 60.0])
def test_frames_that_hold_no_whole_number_of_samples(fps: float) -> None:
    t = np.arange(11025) / 11025
    loud = (t >= 0.5).astype(np.float32)
    curve = measure(Audio(loud[None], 11025), int(fps), fps)
    starts = torch.arange(int(fps)) / fps
    assert (curve[starts + 1 / fps < 0.499] == 0).all()
    assert (curve[starts > 0.501] > 0.99).all()


@quick
@given(LEVELS, st.floats(1e-4, 8), TIMES)
def test_volume_changes_nothing(levels: list[float], volume: float, attack: float) -> None:
    audio, frames = make_sound(levels), len(levels) + 2
    changed_audio = Audio(audio.samples * np.float32(volume), audio.rate_hz)
    expected = loudness_envelope(audio, frames, 25, attack_seconds=attack)
    assert torch.allclose(
        loudness_envelope(changed_audio, frames, 25, attack_seconds=attack), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    "options",
    [
        {"attack_seconds": -0.1},
        {"release_seconds": -1e-9},
        {"threshold": -0.1},
        {"threshold": 1.0},
        {"threshold": math.nan},
        {"attack_seconds": math.nan},
        {"release_seconds": math.nan},
    ],
    ids=str,
)
def test_an_envelope_that_cannot_be_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Envelope: expected"):
        loudness_envelope(make_sound([1.0]), 3, 25, **options)


def test_the_text_of_an_envelope_gives_its_values() -> None:
    audio = make_sound([0.1, 0.9, 0.3, 0.0, 0.7])
    result = curves.parse_curve("envelope  threshold=.2 attack=1e-1\nrelease=0.3", 8, 25, audio)
    expected = loudness_envelope(
        audio, 8, 25, attack_seconds=0.1, release_seconds=0.3, threshold=0.2
    )
    assert torch.equal(result, expected)
    assert torch.equal(
        curves.parse_curve("envelope", 8, 25, audio), loudness_envelope(audio, 8, 25)
    )


@pytest.mark.parametrize("text", ["envelope", "1 * envelope", "invert envelope attack=1"])
def test_an_envelope_of_no_sound_is_refused(text: str) -> None:
    place = text.index("envelope") + 1
    with pytest.raises(InputError, match=rf"at character {place}\b.*envelope"):
        curves.parse_curve(text, 5, 25)
