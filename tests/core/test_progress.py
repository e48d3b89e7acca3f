"""One bar over several stages, and how long they will still take."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.progress import RemainingTime, Stages, format_seconds

NAMES = ("Finding the face", "Encoding audio", "Sampling", "Decoding")
WEIGHTS = dict(zip(NAMES, (1, 2, 60, 12), strict=True))
REPORTS = st.tuples(
    st.sampled_from([*NAMES, "Fetching a file"]),
    st.floats(0, 300),
    st.none() | st.integers(0, 300),
)


@given(st.lists(REPORTS, max_size=40))
def test_a_share_never_falls_nor_leaves_0_to_1(
    reports: list[tuple[str, float, int | None]],
) -> None:
    """Also where stages come again, count past their end, or are not known."""
    stages, shares = Stages(WEIGHTS), [0.0]
    shares += [stages.advance(*report) for report in reports]
    shares.append(stages.finish())
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1


@given(st.lists(st.integers(1, 50), min_size=4, max_size=4))
def test_stages_that_run_to_their_end_leave_no_gap(totals: list[int]) -> None:
    stages, before = Stages(WEIGHTS), 0.0
    for name, total in zip(NAMES, totals, strict=True):
        shares = [stages.advance(name, done, total) for done in range(total + 1)]
        assert shares[0] == pytest.approx(before), "a stage begins where the last one ended"
        assert shares[-1] - shares[0] == pytest.approx(WEIGHTS[name] / sum(WEIGHTS.values()))
        before = shares[-1]
    assert before == pytest.approx(1)


def test_a_stage_of_unknown_length_moves_and_leaves_room() -> None:
    stages = Stages({"reading": 1, "writing": 1})
    shares = [stages.advance("reading", done, None) for done in range(100)]
    assert shares[0] == 0
    assert all(a < b for a, b in pairwise(shares))
    assert shares[-1] < 0.5


def test_what_is_left_is_what_was_measured() -> None:
    clock = [100.0]
    time = RemainingTime(lambda: clock[0])
    assert time.measure("Sampling", 0, 25) is None
    clock[0] += 10
    assert time.measure("Sampling", 1, 25) == pytest.approx(240)
    clock[0] += 20
    assert time.measure("Sampling", 2, 25) == pytest.approx(20 * 23)
    assert time.measure("Sampling", 25, 25) is None
    clock[0] += 1
    assert time.measure("Decoding", 5, 250) is None, "nothing of this stage is measured yet"
    clock[0] += 5
    assert time.measure("Decoding", 10, 250) == pytest.approx(240)
    assert time.measure("Decoding", 10, None) is None


def test_a_slow_start_is_soon_forgotten() -> None:
    clock = [0.0]
    time = RemainingTime(lambda: clock[0])
    for done, at in enumerate((0, 100, 110, 120, 130)):
        clock[0] = at
        left = time.measure("Sampling", done, 20)
    assert left == pytest.approx(10 * 16)


def test_what_is_expected_stands_until_it_is_measured() -> None:
    clock = [0.0]
    time = RemainingTime(lambda: clock[0])
    time.expect("Sampling", 180)
    time.expect("Decoding", 30)
    assert time.measure("Sampling", 0, 10) == pytest.approx(180)
    clock[0] += 30
    assert time.measure("Sampling", 1, 10) == pytest.approx(270)
    assert time.measure("Decoding", 0, 10) is None


def test_less_than_a_minute_is_not_worth_a_word() -> None:
    clock = [0.0]
    time = RemainingTime(lambda: clock[0])
    time.measure("Sampling", 0, 10)
    clock[0] += 6
    assert time.measure("Sampling", 1, 10) is None
    clock[0] += 6.5
    assert time.measure("Sampling", 2, 10) == pytest.approx(52)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (44.6, "45 s"),
        (61, "1 min"),
        (150, "2 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
