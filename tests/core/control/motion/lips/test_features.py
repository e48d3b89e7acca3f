"""Features: what a speaker's lips are read from, whatever the level and the microphone."""

import numpy as np
import pytest

from actalker_core.control.motion.lips.features import (
    BANDS,
    FEATURES,
    HOP,
    PIECE_ROWS,
    RATE_HZ,
    WINDOW,
    Normalisation,
    measure_log_mels,
    mel_weights,
)
from actalker_core.synthetic.speech import random_speech


def log_mels(samples: np.ndarray) -> np.ndarray:
    rows = len(samples) // HOP // PIECE_ROWS * PIECE_ROWS
    return measure_log_mels(np.pad(samples, (0, WINDOW - HOP))[: rows * HOP + WINDOW - HOP])


def babble(seconds: float = 8.0) -> np.ndarray:
    return random_speech(np.random.default_rng(3), seconds).samples


def test_a_band_holds_about_one_of_a_sine_at_full_scale() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    for hz in (300.0, 1000.0, 3000.0):
        rows = measure_log_mels(np.sin(2 * np.pi * hz * t).astype(np.float32))
        assert -1.5 < rows.max(1).mean() < 1.0


def test_every_band_hears_something() -> None:
    weights = mel_weights()
    assert weights.shape == (257, BANDS)
    assert (weights.sum(0) > 0).all()


def test_the_number_of_rows_follows_from_the_samples() -> None:
    assert measure_log_mels(np.zeros(WINDOW + 6 * HOP, np.float32)).shape == (7, BANDS)


@pytest.mark.parametrize("gain", [0.01, 0.1, 4.0])
def test_loudness_and_microphone_are_forgotten_after_a_second(gain: float) -> None:
    sound = babble()
    expected = Normalisation().normalise(log_mels(sound))[200:]
    louder = Normalisation().normalise(log_mels(sound * np.float32(gain)))[200:]
    assert expected.shape[1] == FEATURES
    assert np.abs(expected - louder)[:, :BANDS].mean() < 0.12


def test_a_steady_noise_becomes_the_floor_and_never_the_average_of_speech() -> None:
    rng = np.random.default_rng(0)
    noise = (0.05 * rng.normal(size=20 * RATE_HZ)).astype(np.float32)
    normalisation = Normalisation()
    prior = normalisation.average.copy()
    features = normalisation.normalise(log_mels(noise))
    assert features[-500:, BANDS:].mean() < 0.3
    late = Normalisation()
    late.normalise(log_mels(np.concatenate([np.zeros(RATE_HZ, np.float32), noise])))
    assert np.abs(normalisation.average - prior).mean() < 3.0


def test_a_pause_leaves_the_average_alone() -> None:
    normalisation = Normalisation()
    normalisation.normalise(log_mels(babble()))
    average = normalisation.average.copy()
    rng = np.random.default_rng(1)
    pause = (1e-3 * rng.normal(size=10 * RATE_HZ)).astype(np.float32)
    normalisation.normalise(log_mels(pause))
    np.testing.assert_allclose(normalisation.average, average, atol=0.05)


def test_features_of_extremes_are_numbers_within_bounds() -> None:
    for samples in (np.zeros(RATE_HZ), np.ones(RATE_HZ), np.full(RATE_HZ, 1e6)):
        features = Normalisation().normalise(log_mels(samples.astype(np.float32)))
        assert np.isfinite(features).all()
        assert np.abs(features).max() <= 4
