"""Many channels as two or one: speech keeps its level, nothing cancels out."""

import numpy as np
import pytest
from helpers.media_files import CASES, CLICKS, clicks_in
from numpy.typing import NDArray

from actalker_core.media import Audio, downmix, load_audio

Samples = NDArray[np.float32]


def test_speech_in_the_centre_keeps_its_level() -> None:
    """It is the third of six channels, and as loud as in the stereo version."""
    audio = load_audio(CASES / "c51.flac")
    centre = Audio(audio.samples[2:3], audio.rate_hz)
    assert np.allclose(audio.to_mono(16000), centre.to_mono(16000), atol=0.02)
    stereo = audio.to_playable().samples
    assert len(stereo) == 2
    assert np.abs(stereo).max() == pytest.approx(np.abs(audio.samples[2]).max(), abs=0.02)


def test_an_inverted_channel_is_not_silence(warnings: pytest.LogCaptureFixture) -> None:
    audio = load_audio(CASES / "antiphase.flac")
    mono = audio.to_mono(16000).numpy()
    assert clicks_in(mono[None], 16000) == pytest.approx(CLICKS, abs=0.005)
    assert np.abs(mono).max() == pytest.approx(np.abs(audio.samples).max(), abs=0.02)
    assert "cancel" in warnings.text


def speech(seed: int, samples: int = 8000) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def level_db(mono: Samples, of: Samples) -> float:
    return float(10 * np.log10((mono.astype(float) ** 2).mean() / (of.astype(float) ** 2).mean()))


FULL = {
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
    "5.1(side)": ("FL", "FR", "FC", "LFE", "SL", "SR"),
    "5.0": ("FL", "FR", "FC", "BL", "BR"),
    "7.1": ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
    "3.0": ("FL", "FR", "FC"),
    "quad": ("FL", "FR", "BL", "BR"),
}


@pytest.mark.parametrize("name", FULL)
def test_speech_keeps_its_level_wherever_it_stands(name: str) -> None:
    names, voice = FULL[name], speech(1)
    for stands in (("FC",), ("FL", "FR"), names):
        if not set(stands) <= set(names):
            continue
        samples = np.stack([voice if n in stands else 0 * voice for n in names])
        mono = downmix.mix_to_mono(samples, names)
        assert level_db(mono, voice) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ["5.1", "5.1(side)", "7.1"])
def test_low_effects_are_left_out_and_surrounds_are_softer(name: str) -> None:
    names, voice = FULL[name], speech(1)
    at = dict(zip(names, np.eye(len(names), dtype=np.float32), strict=True))
    for channel, expected in (("FL", -3), ("FR", -3), (names[4], -6), (names[5], -6)):
        mono = downmix.mix_to_mono(at[channel][:, None] * voice, names)
        assert level_db(mono, voice) == pytest.approx(expected, abs=0.1)
    assert not downmix.mix_to_mono(at["LFE"][:, None] * voice, names).any()


def test_left_and_right_stay_apart_when_played() -> None:
    left, right = speech(1), speech(2)
    zeros = 0 * left
    stereo = Audio(np.stack([left, right, zeros, zeros, zeros, zeros]), 48000).to_playable().samples
    for mine, opposite in ((0, 1), (1, 0)):
        correlation = np.corrcoef(stereo[mine], (left, right)[mine])[0, 1]
        assert correlation > 0.999
        assert abs(np.corrcoef(stereo[mine], (left, right)[opposite])[0, 1]) < 0.1
    assert np.abs(stereo).max() <= 1


@pytest.mark.parametrize("channels", [3, 4, 7, 10, 16])
def test_free_inputs_do_not_thin_out_the_one_that_is_used(channels: int) -> None:
    samples = np.zeros((channels, 8000), np.float32)
    samples[channels // 2] = speech(1)
    assert np.array_equal(downmix.mix_to_mono(samples), samples[channels // 2])


def test_two_channels_are_averaged_as_ever() -> None:
    stereo = np.stack([speech(1), speech(2)])
    assert np.array_equal(downmix.mix_to_mono(stereo), stereo.mean(0))
    assert np.array_equal(downmix.mix_to_mono(np.stack([stereo[0]] * 2)), stereo[0])


@pytest.mark.parametrize("louder", [0, 1])
def test_of_channels_that_cancel_the_louder_is_taken(
    warnings: pytest.LogCaptureFixture, louder: int
) -> None:
    voice = speech(1)
    pair = [voice, -0.9 * voice] if louder == 0 else [0.9 * voice, -voice]
    samples = np.stack(pair).astype(np.float32)
    assert np.array_equal(downmix.mix_to_mono(samples), samples[louder])
    assert "cancel" in warnings.text


def test_unlike_channels_do_not_cancel(warnings: pytest.LogCaptureFixture) -> None:
    downmix.mix_to_mono(np.stack([speech(1), speech(2)]))
    downmix.mix_to_mono(np.stack([speech(1), 0 * speech(1)]))
    downmix.mix_to_mono(np.zeros((2, 100), np.float32))
    assert not warnings.records
