"""How far a photograph may turn."""

import numpy as np
import pytest

from actalker_core.geometry.rotation_limit import LIMITS_DEGREES, limit_rotation

FRONTAL = np.zeros(3)


def test_small_turns_stay_as_they_are():
    turn = np.array([15.0, -18, 11])
    result, is_limited = limit_rotation(turn, FRONTAL)
    assert result == pytest.approx(turn)
    assert not is_limited


def test_large_turns_slow_down_and_end_at_the_limit():
    turns = np.linspace(-120, 120, 481)[:, None] * np.ones(3)
    result, is_limited = limit_rotation(turns, FRONTAL)
    assert is_limited
    assert (np.abs(result) <= LIMITS_DEGREES + 1e-9).all()
    steps = np.diff(result, axis=0)
    assert (steps >= 0).all()
    assert steps.max() <= 0.5 + 1e-9
    assert result[-1] == pytest.approx(LIMITS_DEGREES, abs=0.01)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_head_that_is_turned_turns_less_the_more_it_is(axis):
    rest = np.zeros(3)
    limits = []
    for degrees in (0, 10, 20, 30, 40):
        rest[axis] = degrees
        inward, _ = limit_rotation(np.full(3, -90.0), rest)
        outward, _ = limit_rotation(np.full(3, 90.0), rest)
        limits.append((-inward[axis], outward[axis]))
    assert (np.diff(limits, axis=0) < 0).all()
    assert np.min(limits) > 3


def test_a_roll_in_the_photograph_hides_nothing():
    result, _ = limit_rotation(np.full(3, 90.0), np.array([0, 0, 40.0]))
    assert result == pytest.approx(LIMITS_DEGREES, abs=0.01)
