"""Synthetic speech: the same for a seed, and each phoneme has the shape of its mouth."""

import numpy as np
import pytest

from actalker_core.synthetic.speech import (
    CONSONANTS,
    PHONEMES,
    RATE_HZ,
    SILENCE,
    VOWELS,
    Phoneme,
    Speech,
    Voice,
    random_speech,
    random_voice,
    synthesize_speech,
)

VOICE = Voice(80.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0)


def speak(*names: str, voice: Voice = VOICE) -> Speech:
    script = [(PHONEMES[name], 0.3) for name in names]
    return synthesize_speech(script, 0.3 * len(names), voice, np.random.default_rng(0))


def power(samples: np.ndarray, hz: float) -> float:
    """Mean power of the spectrum within 100 Hz of a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    distance = np.abs(np.fft.rfftfreq(len(samples), 1 / RATE_HZ) - hz)
    return float(spectrum[distance < 100].mean())


def test_a_seed_is_one_speech() -> None:
    a, b = (random_speech(np.random.default_rng(5), 3.0) for _ in range(2))
    assert np.array_equal(a.samples, b.samples)
    assert np.array_equal(a.mouth, b.mouth)
    c = random_speech(np.random.default_rng(6), 3.0)
    assert not np.array_equal(a.samples, c.samples)


@pytest.mark.parametrize("seconds", [0.04, 0.5, 7.3])
def test_lengths(seconds: float) -> None:
    speech = random_speech(np.random.default_rng(1), seconds)
    assert len(speech.samples) == pytest.approx(seconds * RATE_HZ, abs=RATE_HZ / 100)
    assert len(speech.samples) == 160 * len(speech.mouth)
    assert speech.samples.dtype == np.float32
    assert np.abs(speech.samples).max() <= 1


@pytest.mark.parametrize("name", VOWELS)
def test_a_vowel_rings_at_its_first_two_formants(name: str) -> None:
    samples = speak(name).samples[1600:-1600]
    first, second, _ = VOWELS[name].formants_hz
    between = power(samples, (first + second) / 2)
    assert power(samples, first) > 1.5 * between
    assert power(samples, second) > 1.5 * between


@pytest.mark.parametrize("name", PHONEMES)
def test_every_phoneme_has_its_mouth(name: str) -> None:
    middle = speak(name).interpolate_mouth(np.array([0.15]))[0]
    assert middle == pytest.approx(PHONEMES[name].mouth, abs=1e-6)


def test_lips_close_for_m_and_b() -> None:
    mouth = speak("a", "m", "a").interpolate_mouth(np.array([0.15, 0.45, 0.75]))[:, 0]
    assert mouth[1] < 0.01
    assert mouth[[0, 2]] == pytest.approx(1, abs=1e-6)


def test_silence_is_quiet_and_shut() -> None:
    quiet = synthesize_speech([(SILENCE, 1.0)], 1.0, VOICE, np.random.default_rng(0))
    assert np.abs(quiet.samples).max() < 0.02
    assert not quiet.mouth.any()


def test_frication_lies_in_its_band() -> None:
    spectrum = np.abs(np.fft.rfft(speak("s").samples)) ** 2
    hz = np.fft.rfftfreq(len(speak("s").samples), 1 / RATE_HZ)
    low, high = CONSONANTS["s"].band_hz
    assert spectrum[(hz > low) & (hz < high)].sum() > 0.9 * spectrum.sum()


def test_voices_differ_in_pitch() -> None:
    voices = [random_voice(np.random.default_rng(i)) for i in range(40)]
    pitches = [voice.pitch_hz for voice in voices]
    assert min(pitches) < 110
    assert max(pitches) > 200
    assert np.corrcoef(pitches, [voice.formant_scale for voice in voices])[0, 1] > 0.5


def test_no_two_phonemes_are_alike() -> None:
    def acoustics(phoneme: Phoneme) -> tuple[object, ...]:
        return phoneme.formants_hz, phoneme.voicing, phoneme.frication, phoneme.band_hz

    assert len({acoustics(phoneme) for phoneme in PHONEMES.values()}) == len(PHONEMES)
