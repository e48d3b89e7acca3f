"""What edits make of signals, in time and in strength."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from helpers.edits import CHANGES, EXPECTED_GOT, RATES_HZ, Change, quick
from helpers.signals import bits, counting, each_kind, expression, is_same, values
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.signals import AudioSignal, DrivingSignal, ExpressionSignal
from actalker_core.errors import InputError

# Identities --------------------------------------------------------------------------------------


IDENTITIES: dict[str, Change] = {
    "trim from 0": lambda s: s.trim(0),
    "trim all": lambda s: s.trim(0, s.seconds),
    "trim more": lambda s: s.trim(0, s.seconds + 1),
    "resample": lambda s: s.resample(s.rate_hz),
    "over": lambda s: s.sample(len(s), s.rate_hz),
    "loop": lambda s: s.loop(s.seconds),
    "ping-pong": lambda s: s.ping_pong(s.seconds),
    "hold": lambda s: s.hold(s.seconds),
    "offset": lambda s: s.offset(0),
    "scale": lambda s: s.scale(1),
    "scale from the middle": lambda s: s.scale(1, s.seconds / 2),
    "smooth": lambda s: s.smooth(0),
}


@each_kind
@pytest.mark.parametrize("edit", IDENTITIES)
def test_edits_that_change_nothing(make: Callable[..., DrivingSignal], edit: str) -> None:
    for count, rate_hz in itertools.product([1, 2, 41], RATES_HZ):
        signal = make(count, rate_hz)
        assert is_same(IDENTITIES[edit](signal), signal)


@pytest.mark.parametrize("value", [0.0, 7.3, -1e-3, 1e4])
@pytest.mark.parametrize("edit", CHANGES)
def test_what_is_constant_stays_so(edit: str, value: float) -> None:
    constant = AudioSignal(25.0, "", torch.full((50, 2, 3), value))
    states = CHANGES[edit](constant).states
    assert torch.allclose(states, torch.tensor(value), rtol=2e-6, atol=0)


@each_kind
@pytest.mark.parametrize("edit", CHANGES)
def test_edits_leave_the_signal_itself_alone(make: Callable[..., DrivingSignal], edit: str) -> None:
    signal = make(60)
    result = CHANGES[edit](signal)
    assert is_same(signal, make(60))
    assert type(result) is type(signal)
    assert len({len(track) for track in result.tracks.values()}) == 1


# In time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 0.2, [0, 1, 2, 3, 4]), (0.2, 0.32, [5, 6, 7]), (0.32, None, [8, 9]), (0.36, 9.0, [9])],
)
def test_trimming_keeps_what_lies_between(
    start: float, end: float | None, expected: list[float]
) -> None:
    assert values(counting(10).trim(start, end)) == expected


durations = {
    "count": st.integers(1, 12),
    "frames": st.integers(1, 60),
    "rate_hz": st.sampled_from(RATES_HZ),
}


@quick
@given(**durations)
def test_a_loop_begins_anew(count: int, frames: int, rate_hz: float) -> None:
    result = counting(count, rate_hz).loop(frames / rate_hz)
    assert values(result) == list(itertools.islice(itertools.cycle(range(count)), frames))


@quick
@given(**durations)
def test_ping_pong_turns_round_at_its_ends(count: int, frames: int, rate_hz: float) -> None:
    there_and_back = [*range(count), *range(count - 2, 0, -1)]
    result = counting(count, rate_hz).ping_pong(frames / rate_hz)
    assert values(result) == list(itertools.islice(itertools.cycle(there_and_back), frames))


@quick
@given(**durations)
def test_holding_repeats_the_last_value(count: int, frames: int, rate_hz: float) -> None:
    result = counting(count, rate_hz).hold(frames / rate_hz)
    assert values(result) == [min(i, count - 1) for i in range(frames)]


@quick
@given(count=st.integers(1, 20), shift=st.integers(-30, 30), rate_hz=st.sampled_from(RATES_HZ))
def test_a_positive_offset_is_later(count: int, shift: int, rate_hz: float) -> None:
    result = counting(count, rate_hz).offset(shift / rate_hz)
    assert values(result) == [min(max(i - shift, 0), count - 1) for i in range(count)]


def test_an_offset_moves_an_event_later() -> None:
    blink = ExpressionSignal(25.0, "", torch.eye(50)[10][:, None])
    assert values(blink.offset(0.4)).index(1) == 20
    assert values(blink.offset(-0.2)).index(1) == 5


@each_kind
@pytest.mark.parametrize("times", [2, 3, 8])
def test_resampling_to_a_multiple_and_back_is_exact(
    make: Callable[..., DrivingSignal], times: int
) -> None:
    signal = make()
    finer = signal.resample(times * signal.rate_hz)
    assert len(finer) == times * len(signal)
    assert is_same(finer.resample(signal.rate_hz), signal)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("wanted_hz", RATES_HZ)
def test_resampling_keeps_course_and_duration(rate_hz: float, wanted_hz: float) -> None:
    signal = counting(100, rate_hz)
    result = signal.resample(wanted_hz)
    assert result.rate_hz == wanted_hz
    assert abs(result.seconds - signal.seconds) <= 0.5 / wanted_hz + 1e-9
    at = torch.arange(len(result)) / wanted_hz
    assert torch.allclose(result.features[:, 0], (at * rate_hz).clamp(max=99), atol=1e-3)


@each_kind
def test_50_hz_over_25_fps_is_every_second_value(make: Callable[..., DrivingSignal]) -> None:
    signal = make(80, 50.0)
    frames = signal.sample(40, 25)
    assert frames.rate_hz == 25
    for name, track in frames.tracks.items():
        assert bits(track) == bits(signal.tracks[name][::2])


@pytest.mark.parametrize("frames", [1, 5, 10, 17])
def test_frames_beyond_the_signal_hold_its_last_value(frames: int) -> None:
    assert values(counting(10).sample(frames, 25)) == [min(i, 9) for i in range(frames)]


# In strength -------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("neutral", [0, 7, 39])
def test_scaled_to_0_is_the_neutral_value_everywhere(
    make: Callable[..., DrivingSignal], neutral: int
) -> None:
    signal = make()
    result = signal.scale(0, neutral / signal.rate_hz)
    for name, track in result.tracks.items():
        assert torch.equal(track, signal.tracks[name][neutral].expand_as(track))


@pytest.mark.parametrize("amount", [-1.0, 0.25, 1.0, 3.0])
def test_scaling_multiplies_the_distance_from_neutral(amount: float) -> None:
    signal = expression()
    distance = signal.features - signal.features[10]
    result = signal.scale(amount, 10 / 25).features
    assert torch.allclose(result - signal.features[10], amount * distance, atol=1e-5)
    assert torch.equal(result[10], signal.features[10])


def test_smoothing_calms_noise_and_keeps_its_mean() -> None:
    signal = expression(2000)
    before = signal.features
    spreads = [signal.smooth(width).features.var(0).mean() for width in (0, 0.1, 0.3, 1)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[1] < 0.5 * spreads[0]
    assert spreads[-1] < 0.05 * spreads[0]
    assert (signal.smooth(0.3).features.mean(0) - before.mean(0)).abs().max() < 0.01


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0])
def test_a_pulse_becomes_a_bell_of_the_width_where_it_was(seconds: float) -> None:
    at = (torch.arange(400) - 200) / 50.0
    bell = ExpressionSignal(50.0, "", (at == 0).float()[:, None]).smooth(seconds).features[:, 0]
    assert bell.sum() == pytest.approx(1, abs=1e-5)
    assert float(bell @ at) == pytest.approx(0, abs=1e-5)
    assert float((bell @ at**2).sqrt()) == pytest.approx(seconds / 2, rel=0.02)


# Out of range ------------------------------------------------------------------------------------

NO_NUMBERS = (math.nan, math.inf, -math.inf)
OUT_OF_RANGE: dict[str, tuple[Change, tuple[float, ...]]] = {
    "trim start": (lambda v: expression().trim(v, 1), (-0.1, 1, 1.2, *NO_NUMBERS)),
    "trim end": (lambda v: expression().trim(0.4, v), (-1, 0.3, 0.4, math.nan)),
    "resample": (lambda v: expression().resample(v), (0, -25, 1e15, *NO_NUMBERS)),
    "loop": (lambda v: expression().loop(v), (0, -1, 1e9, *NO_NUMBERS)),
    "ping-pong": (lambda v: expression().ping_pong(v), (0, -1, 1e9, *NO_NUMBERS)),
    "hold": (lambda v: expression().hold(v), (0, -1, 1e9, *NO_NUMBERS)),
    "offset": (lambda v: expression().offset(v), NO_NUMBERS),
    "scale": (lambda v: expression().scale(v), NO_NUMBERS),
    "neutral": (lambda v: expression().scale(0.5, v), (-0.1, 1.6, 1e308, *NO_NUMBERS)),
    "smooth": (lambda v: expression().smooth(v), (-0.1, *NO_NUMBERS)),
    "curve rate": (
        lambda v: expression().blend(expression(), torch.rand(3), v),
        (0, -1, *NO_NUMBERS),
    ),
    "curve": (lambda v: expression().blend(expression(), torch.tensor([0, v]), 25.0), NO_NUMBERS),
}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        pytest.param(change, value, id=f"{name} {value:g}")
        for name, (change, numbers) in OUT_OF_RANGE.items()
        for value in numbers
    ],
)
def test_values_out_of_range_are_refused(change: Change, value: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        change(value)


def test_a_curve_has_values() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression().blend(expression(), torch.zeros(0), 25.0)


@pytest.mark.parametrize("edit", ["loop", "ping_pong", "hold"])
def test_too_long_is_not_called_too_short(edit: str) -> None:
    with pytest.raises(InputError) as error:
        getattr(expression(), edit)(1e9)
    assert "or more, got" not in str(error.value)
