"""Measures of lips: closures are counted once, perfect lips score 1, and rivals run."""

import numpy as np
import pytest

from actalker_core.control.motion.lips import LipTrack
from actalker_core.control.motion.lips.features import HOP, RATE_HZ
from actalker_core.synthetic.speech import random_speech
from actalker_core.training.lips.measures import Case, count_hits, measure
from actalker_core.training.lips.rivals import read_with_formants


def flags(rows: int, *runs: tuple[int, int]) -> np.ndarray:
    result = np.zeros(rows, bool)
    for first, last in runs:
        result[first:last] = True
    return result


def test_closures_count_once_and_within_the_tolerance() -> None:
    true = flags(100, (10, 18), (50, 58))
    assert count_hits(true, true) == (2, 2, 0)
    assert count_hits(flags(100, (20, 22)), true) == (1, 2, 0)
    assert count_hits(flags(100, (24, 26)), true) == (0, 2, 1)
    assert count_hits(flags(100, (9, 11), (13, 15)), true) == (1, 2, 1)
    assert count_hits(flags(100), true) == (0, 2, 0)


@pytest.fixture(scope="module")
def case() -> Case:
    speech = random_speech(np.random.default_rng(0), 6.0)
    rows = len(speech.samples) // HOP
    columns = np.zeros((rows, 6), np.float32)
    columns[:, 0] = speech.interpolate_mouth((np.arange(rows) + 0.5) / 100)[:, 0]
    columns[20:28, 3], columns[20:28, 0] = 1, 0
    columns[:15, 5], columns[:15, 0] = 1, 0
    return Case(speech.samples, columns)


def test_the_truth_scores_one_and_rest_scores_nothing(case: Case) -> None:
    truth = LipTrack.of_columns(case.columns[:, :5])
    scores = measure([case], lambda _: truth)
    assert scores.openness == pytest.approx(1)
    assert (scores.closures, scores.false_per_minute, scores.shut) == (1, 0, 1)
    rest = LipTrack.of_columns(np.zeros_like(case.columns[:, :5]))
    scores = measure([case], lambda _: rest)
    assert (scores.openness, scores.closures, scores.shut) == (0, 0, 1)


def test_loudness_with_formants_follows_babble(case: Case) -> None:
    track = read_with_formants(case.samples)
    assert len(track) == len(case.samples) // HOP
    assert np.corrcoef(track.openness, case.columns[:, 0])[0, 1] > 0.4
    assert not read_with_formants(np.zeros(RATE_HZ, np.float32)).columns.any()
