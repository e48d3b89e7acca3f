"""What is heard of a recording, however long it is."""

import contextlib
import copy
import logging
import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.signals import noise
from helpers.tiny import tiny_model
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.errors import ACTalkerError, InputError, MediaError
from actalker_core.media import Audio
from actalker_core.models.actalker.config import AudioProjectionConfig
from actalker_core.models.actalker.encoders.audio import (
    CHUNK_SAMPLES,
    CUTS,
    FADE_END_SECONDS,
    FADE_START_SECONDS,
    SAMPLE_RATE_HZ,
    STATES_PER_SECOND,
    WhisperEncoder,
    compute_hidden_states,
    encode_audio,
    window_audio_states,
)

EXPECTED_GOT = r"(?s)expected.*got"


LONG_SECONDS = 70
STATES_PER_FRAME = AudioProjectionConfig().seq_len
BORDERS = (30, 60)


@pytest.fixture(scope="module")
def ear() -> WhisperEncoder:
    return tiny_model().audio_encoder


def speech(seconds: float, seed: int = 0) -> Tensor:
    """A voice that moves, over noise."""
    t = torch.arange(round(seconds * SAMPLE_RATE_HZ), dtype=torch.float64) / SAMPLE_RATE_HZ
    voice = 0.3 * torch.sin(2 * torch.pi * 150 * t + 30 * torch.sin(2 * torch.pi * 0.8 * t))
    loudness = 0.6 + 0.4 * torch.sin(2 * torch.pi * 1.3 * t)
    return (loudness * voice).float() + 0.05 * noise(len(t), seed=seed)


@pytest.fixture(scope="module")
def samples() -> Tensor:
    return speech(LONG_SECONDS)


@pytest.fixture(scope="module")
def hidden_states(ear: WhisperEncoder, samples: Tensor) -> dict[str, Tensor]:
    return {cut: compute_hidden_states(ear, samples, cut) for cut in CUTS}


def seconds_from_border(states: int) -> Tensor:
    """Of each state's beginning, to the nearest border."""
    at = torch.arange(states, dtype=torch.float64) / STATES_PER_SECOND
    return torch.stack([(at - border).abs() for border in BORDERS]).amin(0)


def sound(samples: Tensor | NDArray[Any], rate_hz: int = SAMPLE_RATE_HZ) -> Audio:
    return Audio(np.atleast_2d(np.asarray(samples, np.float32)), rate_hz)


def test_far_from_the_borders_both_cuts_are_the_same(hidden_states: dict[str, Tensor]) -> None:
    far = seconds_from_border(3500) > FADE_END_SECONDS + 0.03
    assert far.sum() == 3500 - 2 * 503
    assert torch.equal(hidden_states["seamless"][far], hidden_states["released"][far])


@pytest.mark.parametrize("border", BORDERS)
def test_near_a_border_speech_is_heard_across_it(
    ear: WhisperEncoder, samples: Tensor, hidden_states: dict[str, Tensor], border: int
) -> None:
    start, end = ((border + side) * SAMPLE_RATE_HZ for side in (-15, 15))
    alone = compute_hidden_states(ear, samples[start:end], "released")
    stretch = hidden_states["seamless"][(border - 15) * 50 :][: len(alone)]
    reach = round((FADE_START_SECONDS - 0.02) * 50)
    near = slice(15 * 50 - reach, 15 * 50 + reach)
    assert torch.allclose(stretch[near], alone[near], atol=1e-5)
    assert not torch.allclose(
        hidden_states["released"][(border - 15) * 50 :][near], alone[near], atol=0.1
    )


def test_between_near_and_far_one_fades_into_the_other(
    ear: WhisperEncoder, samples: Tensor, hidden_states: dict[str, Tensor]
) -> None:
    alone = compute_hidden_states(ear, samples[15 * SAMPLE_RATE_HZ : 45 * SAMPLE_RATE_HZ])
    a, b, mixture = hidden_states["released"][750:2250], alone, hidden_states["seamless"][750:2250]
    share = ((mixture - a) * (b - a)).sum((1, 2)) / (b - a).square().sum((1, 2))
    steps = share.diff()
    rising, falling = steps[495:605], steps[895:1005]  # 5 to 3 s before, 3 to 5 s after
    assert rising.min() > -1e-3
    assert falling.max() < 1e-3
    assert steps.abs().max() < 0.02


def sinusoidal(ear: WhisperEncoder) -> WhisperEncoder:
    """The encoder with Whisper's own positions, which move evenly along a piece."""
    ear = copy.deepcopy(ear)
    count, width = ear.embed_positions.weight.shape
    speeds = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
    phases = torch.arange(count)[:, None] * speeds
    ear.embed_positions.weight.data = torch.cat([phases.sin(), phases.cos()], 1)
    return ear


def test_a_steady_tone_does_not_jump_at_a_border(ear: WhisperEncoder) -> None:
    t = torch.arange(LONG_SECONDS * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = 0.3 * torch.sin(2 * torch.pi * 500 * t.double()).float()
    smooth = sinusoidal(ear)
    for cut, jumps in (("seamless", False), ("released", True)):
        steps = compute_hidden_states(smooth, tone, cut).diff(dim=0).flatten(1).norm(dim=1)
        seconds = seconds_from_border(len(steps))
        usual = steps[(seconds > 6) & (torch.arange(len(steps)) > 50)].max()
        assert (steps[seconds < 6].max() > 1.2 * usual) == jumps


def test_speech_does_not_jump_at_a_border(hidden_states: dict[str, Tensor]) -> None:
    steps = hidden_states["seamless"].diff(dim=0).flatten(1).norm(dim=1)
    seconds = seconds_from_border(len(steps))
    assert steps[seconds < 6].max() < 1.1 * steps[seconds > 6].max()


@pytest.mark.parametrize("seconds", [0.04, 1, 29.99, 30])
def test_up_to_30_seconds_there_is_nothing_to_cut(ear: WhisperEncoder, seconds: float) -> None:
    states = [compute_hidden_states(ear, speech(seconds), cut) for cut in CUTS]
    assert torch.equal(*states)


COUNTS = [640, 1279, 1280, 16_001, *(CHUNK_SAMPLES + n for n in (-1, 0, 1, 639, 640, 16_000))]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("count", [*COUNTS, 2 * CHUNK_SAMPLES + 1])
def test_two_states_for_40_ms(ear: WhisperEncoder, samples: Tensor, cut: str, count: int) -> None:
    states = compute_hidden_states(ear, samples[:count], cut)
    assert states.shape == (2 * (count // 640), 3, 32)
    assert states.isfinite().all()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("seconds", [0.1, 20, 24.9, 29.87, 29.89, 34.9, 40, 59.9])
def test_the_beginning_is_heard_as_in_the_whole(
    ear: WhisperEncoder, samples: Tensor, hidden_states: dict[str, Tensor], cut: str, seconds: float
) -> None:
    part = encode_audio(ear, sound(samples), seconds=seconds, cut=cut).states
    count = math.ceil(seconds * STATES_PER_SECOND)
    assert len(part) >= count
    assert torch.allclose(part[:count], hidden_states[cut][:count], atol=1e-5)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("fps", [12.5, 25, 60])
def test_the_last_frame_hears_what_follows_it(
    ear: WhisperEncoder, samples: Tensor, hidden_states: dict[str, Tensor], cut: str, fps: float
) -> None:
    frames = math.floor(29.99 * fps)
    part = encode_audio(ear, sound(samples), seconds=frames / fps, cut=cut).states
    windows = [
        window_audio_states(states, frames, fps, STATES_PER_FRAME)
        for states in (part, hidden_states[cut])
    ]
    assert torch.allclose(*windows, atol=1e-5)


@pytest.mark.parametrize("seconds", [1e9, 1e300, 1e308])
def test_to_hear_more_than_there_is_is_refused_or_all(ear: WhisperEncoder, seconds: float) -> None:
    with contextlib.suppress(InputError):
        assert len(encode_audio(ear, sound(speech(1)), seconds=seconds)) == 50


def test_what_is_not_needed_is_not_heard(ear: WhisperEncoder, samples: Tensor) -> None:
    pieces: dict[float | None, int] = {}
    for seconds in (10.0, None):
        encode_audio(
            ear,
            sound(samples),
            seconds=seconds,
            on_chunk=lambda _, total, seconds=seconds: pieces.update({seconds: total}),
        )
    assert pieces[10.0] < pieces[None]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_hearing_does_not_depend_on_the_batch(
    ear: WhisperEncoder, samples: Tensor, hidden_states: dict[str, Tensor], cut: str, batch: int
) -> None:
    calls: list[tuple[int, int]] = []
    states = compute_hidden_states(ear, samples, cut, batch, lambda *call: calls.append(call))
    assert torch.allclose(states, hidden_states[cut], atol=1e-5)
    total = 3 if cut == "released" else 5
    assert calls == [(min(n, total), total) for n in range(batch, total + batch, batch)]


@pytest.mark.parametrize("cut", ["", "Seamless", "none"])
def test_an_unknown_cut_is_refused(ear: WhisperEncoder, cut: str) -> None:
    with pytest.raises(InputError, match=f"seamless or released, got '{cut}'"):
        encode_audio(ear, sound(speech(1)), cut=cut)


@pytest.mark.parametrize("count", [1, 639])
@pytest.mark.parametrize("cut", CUTS)
def test_less_than_40_ms_is_refused(ear: WhisperEncoder, count: int, cut: str) -> None:
    with pytest.raises(InputError, match=f"40 ms.*got {count}"):
        encode_audio(ear, sound(speech(1)[:count]), cut=cut)


@pytest.mark.parametrize("seconds", [-1.0, -100.0, math.nan])
def test_seconds_to_hear_are_a_time(ear: WhisperEncoder, seconds: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        encode_audio(ear, sound(speech(1)), seconds=seconds)


# Bad sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "channels", "amplitude"),
    [
        pytest.param(1, 16_000, 1, 0.0, id="silent"),
        pytest.param(1, 8_000, 1, 1.0, id="8 kHz"),
        pytest.param(1, 48_000, 6, 1.0, id="6 channels"),
        pytest.param(1, 22_050, 2, 0.0, id="silent stereo"),
        pytest.param(1, 16_000, 1, 1e-30, id="nearly silent"),
        pytest.param(31, 16_000, 1, 0.0, id="long silence"),
        pytest.param(1, 16_000, 1, 32_768.0, id="not scaled"),
    ],
)
def test_usable_sound_has_finite_states(
    ear: WhisperEncoder, seconds: int, rate_hz: int, channels: int, amplitude: float
) -> None:
    samples = amplitude * 0.1 * noise(channels, seconds * rate_hz).numpy()
    signal = encode_audio(ear, Audio(samples, rate_hz), source="запись")
    assert len(signal) == 50 * seconds
    assert signal.states.isfinite().all()
    assert (signal.rate_hz, signal.source) == (50, "запись")


def test_six_equal_channels_are_one(ear: WhisperEncoder) -> None:
    mono = speech(2)
    alone, six = (encode_audio(ear, sound(mono.expand(n, -1))).states for n in (1, 6))
    assert torch.allclose(alone, six, atol=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_become_silence(
    ear: WhisperEncoder, caplog: pytest.LogCaptureFixture, bad: float
) -> None:
    recording, silence = speech(1), speech(1)
    recording[4000:5000], silence[4000:5000] = bad, 0
    with caplog.at_level(logging.WARNING, "actalker_core.media.audio"):
        audio = sound(recording)
    assert "silence" in caplog.text
    assert np.array_equal(audio.samples, sound(silence).samples)
    states = encode_audio(ear, audio).states
    assert torch.equal(states, encode_audio(ear, sound(silence)).states)


def test_good_samples_are_kept_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    samples = speech(1)[None].numpy()
    assert np.array_equal(Audio(samples, 16_000).samples, samples)
    assert not caplog.records


@pytest.mark.parametrize(
    ("shape", "rate_hz"),
    [((1, 0), 16_000), ((0, 9), 16_000), ((9,), 8_000), ((1, 9), 0), ((1, 9), -1)],
)
def test_what_is_no_sound_is_refused_at_once(shape: tuple[int, ...], rate_hz: int) -> None:
    with pytest.raises(MediaError, match=EXPECTED_GOT):
        Audio(np.zeros(shape, np.float32), rate_hz)


@pytest.mark.parametrize("amplitude", [1e30, 3e38])
@pytest.mark.parametrize("channels", [1, 6])
def test_absurdly_loud_sound_ends_in_states_or_one_clear_line(
    ear: WhisperEncoder, amplitude: float, channels: int
) -> None:
    try:
        audio = Audio(np.full((channels, 16_000), amplitude, np.float32), 16_000)
        result = "finite"
        assert encode_audio(ear, audio).states.isfinite().all()
    except ACTalkerError as error:
        result = str(error)
    assert result == "finite" or "Encode it again" not in result
