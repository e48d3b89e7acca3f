"""What edits make of signals, and how people write edits."""

import contextlib
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.signals import (
    audio,
    bits,
    counting,
    each_kind,
    everything,
    expression,
    noise,
    pose,
    same,
    turning,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control.curves import Curve
from actalker_core.control.edits import EDITS, Edit, blend_signals, parse_edit
from actalker_core.control.signals import AudioSignal, DrivingSignal, ExpressionSignal, Signals
from actalker_core.errors import InputError

RATES_HZ = [7.3, 12.5, 25.0, 29.97, 50.0]
EXPECTED_GOT = r"(?s)expected.*got"
quick = settings(max_examples=60, deadline=None, database=None)


# Identities --------------------------------------------------------------------------------------

Change = Callable[[Any], Any]

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
        assert same(IDENTITIES[edit](signal), signal)


CHANGES: dict[str, Change] = {
    "trim": lambda s: s.trim(0.1, 0.9),
    "resample": lambda s: s.resample(29.97),
    "over": lambda s: s.sample(70, 30),
    "loop": lambda s: s.loop(2.5),
    "ping-pong": lambda s: s.ping_pong(2.5),
    "hold": lambda s: s.hold(2.5),
    "offset": lambda s: s.offset(-0.3),
    "scale": lambda s: s.scale(1.7, 0.5),
    "scale to 0": lambda s: s.scale(0, 0.5),
    "smooth": lambda s: s.smooth(0.2),
    "smooth widely": lambda s: s.smooth(30),
    "blend": lambda s: s.blend(s, torch.tensor([0.0, 1.0, 0.3]), 2.0),
}


def apart(a: Tensor, b: Tensor) -> float:
    """The greatest distance of two angles, the short way."""
    return float((torch.remainder(a.double() - b.double() + 180, 360) - 180).abs().max())


@pytest.mark.parametrize("value", [0.0, 7.3, -1e-3, 1e4])
@pytest.mark.parametrize("edit", CHANGES)
def test_what_is_constant_stays_so(edit: str, value: float) -> None:
    constant = AudioSignal(25.0, "", torch.full((50, 2, 3), value))
    changed = CHANGES[edit](constant).states
    assert torch.allclose(changed, torch.tensor(value), rtol=2e-6, atol=0)


@pytest.mark.parametrize("degrees", [0.0, 90.5, 170.0, 180.0, -180.0])
@pytest.mark.parametrize("edit", CHANGES)
def test_a_still_head_stays_still(edit: str, degrees: float) -> None:
    changed = CHANGES[edit](turning([degrees] * 50)).rotation_degrees
    assert apart(changed, torch.tensor(degrees)) < 1e-3


@each_kind
@pytest.mark.parametrize("edit", CHANGES)
def test_edits_leave_the_signal_itself_alone(make: Callable[..., DrivingSignal], edit: str) -> None:
    signal = make(60)
    changed = CHANGES[edit](signal)
    assert same(signal, make(60))
    assert type(changed) is type(signal)
    assert len({len(track) for track in changed.tracks.values()}) == 1


# In time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(0, 0.2, [0, 1, 2, 3, 4]), (0.2, 0.32, [5, 6, 7]), (0.32, None, [8, 9]), (0.36, 9.0, [9])],
)
def test_trimming_keeps_what_lies_between(
    start: float, end: float | None, kept: list[float]
) -> None:
    assert values(counting(10).trim(start, end)) == kept


durations = {
    "count": st.integers(1, 12),
    "wanted": st.integers(1, 60),
    "rate_hz": st.sampled_from(RATES_HZ),
}


@quick
@given(**durations)
def test_a_loop_begins_anew(count: int, wanted: int, rate_hz: float) -> None:
    looped = counting(count, rate_hz).loop(wanted / rate_hz)
    assert values(looped) == list(itertools.islice(itertools.cycle(range(count)), wanted))


@quick
@given(**durations)
def test_ping_pong_turns_round_at_its_ends(count: int, wanted: int, rate_hz: float) -> None:
    there_and_back = [*range(count), *range(count - 2, 0, -1)]
    swung = counting(count, rate_hz).ping_pong(wanted / rate_hz)
    assert values(swung) == list(itertools.islice(itertools.cycle(there_and_back), wanted))


@quick
@given(**durations)
def test_holding_repeats_the_last_value(count: int, wanted: int, rate_hz: float) -> None:
    held = counting(count, rate_hz).hold(wanted / rate_hz)
    assert values(held) == [min(i, count - 1) for i in range(wanted)]


@quick
@given(count=st.integers(1, 20), shift=st.integers(-30, 30), rate_hz=st.sampled_from(RATES_HZ))
def test_a_positive_offset_is_later(count: int, shift: int, rate_hz: float) -> None:
    moved = counting(count, rate_hz).offset(shift / rate_hz)
    assert values(moved) == [min(max(i - shift, 0), count - 1) for i in range(count)]


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
    assert same(finer.resample(signal.rate_hz), signal)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("wanted_hz", RATES_HZ)
def test_resampling_keeps_course_and_duration(rate_hz: float, wanted_hz: float) -> None:
    signal = counting(100, rate_hz)
    resampled = signal.resample(wanted_hz)
    assert resampled.rate_hz == wanted_hz
    assert abs(resampled.seconds - signal.seconds) <= 0.5 / wanted_hz + 1e-9
    at = torch.arange(len(resampled)) / wanted_hz
    assert torch.allclose(resampled.features[:, 0], (at * rate_hz).clamp(max=99), atol=1e-3)


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
    scaled = signal.scale(0, neutral / signal.rate_hz)
    for name, track in scaled.tracks.items():
        assert torch.equal(track, signal.tracks[name][neutral].expand_as(track))


@pytest.mark.parametrize("amount", [-1.0, 0.25, 1.0, 3.0])
def test_scaling_multiplies_the_distance_from_neutral(amount: float) -> None:
    signal = expression()
    distance = signal.features - signal.features[10]
    scaled = signal.scale(amount, 10 / 25).features
    assert torch.allclose(scaled - signal.features[10], amount * distance, atol=1e-5)
    assert torch.equal(scaled[10], signal.features[10])


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


@each_kind
@pytest.mark.parametrize("share", [0, 1])
def test_a_blend_of_0_or_1_is_either_signal_exactly(
    make: Callable[..., DrivingSignal], share: int
) -> None:
    pair = make(seed=5), make(seed=6)
    for rate_hz in (1.0, 12.5, 400.0):
        mixed = pair[0].blend(pair[1], torch.full((3,), float(share)), rate_hz)
        assert all(torch.equal(mixed.tracks[n], track) for n, track in pair[share].tracks.items())


def test_sets_of_signals_are_blended_kind_by_kind_each_at_its_rate() -> None:
    first = Signals(expression=expression(seed=5), pose=pose(rate_hz=50.0, seed=6))
    second = Signals(expression=expression(seed=7), pose=pose(rate_hz=50.0, seed=8))
    curve = Curve("0:0, 1:1")
    blended = blend_signals(first, second, curve)
    assert blended.audio is None
    for kind, signal in blended.present.items():
        start, rate_hz = first.present[kind], signal.rate_hz
        strengths = curve.sample(len(start), rate_hz)
        assert same(signal, start.blend(second.present[kind], strengths, rate_hz))
        assert not torch.equal(strengths, Curve("0").sample(len(start), rate_hz))


def test_a_kind_that_one_set_lacks_is_taken_from_the_other() -> None:
    first, second = Signals(pose=pose(), audio=audio()), Signals(expression=expression())
    blended = blend_signals(first, second, Curve("0.5"))
    assert blended == Signals(audio=first.audio, expression=second.expression, pose=first.pose)
    assert blend_signals(Signals(), Signals(), Curve("1")) == Signals()


def test_a_blend_follows_its_curve_which_holds_at_its_end() -> None:
    low, high = (
        ExpressionSignal(25.0, name, torch.full((75, 2), v))
        for name, v in (("a", -1.0), ("b", 9.0))
    )
    mixed = low.blend(high, torch.tensor([0.0, 1.0]), 1.0)
    want = 10 * (torch.arange(75) / 25).clamp(max=1) - 1
    assert torch.allclose(mixed.features, want[:, None].expand(-1, 2), atol=1e-5)
    assert "a" in mixed.source
    assert "b" in mixed.source


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_blending_different_rates_compares_the_same_moments(rate_hz: float) -> None:
    mine = counting(50)
    theirs = ExpressionSignal(rate_hz, "", counting(200).features * 25 / rate_hz)
    mixed = mine.blend(theirs, torch.tensor([0.5]), 1.0)
    assert (len(mixed), mixed.rate_hz) == (50, 25)
    assert torch.allclose(mixed.features, mine.features, atol=1e-3)


@pytest.mark.parametrize(("mine", "theirs"), [(10, 30), (30, 10)])
def test_a_blend_is_as_long_as_the_shorter(mine: int, theirs: int) -> None:
    assert len(expression(mine).blend(expression(theirs), torch.tensor([0.5]), 1.0)) == 10


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pose(), id="kind"),
        pytest.param(ExpressionSignal(25.0, "", noise(40, 6)), id="width"),
    ],
)
def test_unlike_signals_are_not_blended(other: DrivingSignal) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression().blend(other, torch.tensor([0.5]), 1.0)


# Out of range ------------------------------------------------------------------------------------

NO_NUMBERS = (math.nan, math.inf, -math.inf)
REFUSED: dict[str, tuple[Change, tuple[float, ...]]] = {
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
        for name, (change, refused) in REFUSED.items()
        for value in refused
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
    with pytest.raises(InputError) as caught:
        getattr(expression(), edit)(1e9)
    assert "or more, got" not in str(caught.value)


# Angles ------------------------------------------------------------------------------------------

ACROSS = [170.0, -170.0]
CURVE = torch.tensor([0, 0.5, 1])


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(lambda s: s.resample(100), [170, 175, 180, -175, -170], id="resample"),
        pytest.param(lambda s: s.sample(4, 50), [170, 180, -170, -170], id="over"),
        pytest.param(lambda s: s.scale(0.5), [170, 180], id="half"),
        pytest.param(lambda s: s.scale(2), [170, -150], id="twice"),
        pytest.param(lambda s: s.scale(-1), [170, 150], id="mirrored"),
        pytest.param(lambda s: s.hold(2).smooth(0.2).trim(1), [-170] * 25, id="smooth end"),
    ],
)
def test_rotation_passes_180_and_never_0(change: Change, want: list[float]) -> None:
    rotation = change(turning(ACROSS)).rotation_degrees[: len(want), 0]
    assert apart(rotation, torch.tensor(want, dtype=torch.float32)) < 1e-3
    assert rotation.abs().max() <= 180


@pytest.mark.parametrize(("start", "end"), [(170.0, -170.0), (-170.0, 170.0)])
def test_a_blend_of_rotations_goes_the_short_way(start: float, end: float) -> None:
    mixed = turning([start] * 3).blend(turning([end] * 3), CURVE, 25).rotation_degrees[:, 0]
    assert apart(mixed, torch.tensor([start, 180, end])) < 1e-3
    assert mixed.abs().max() <= 180


def test_a_head_that_trembles_around_180_is_smoothed_there() -> None:
    smoothed = turning([175.0, -175.0] * 50).smooth(0.5).rotation_degrees
    assert apart(smoothed[25:-25], torch.tensor(180.0)) < 0.5


degrees = st.lists(st.floats(-180, 180, width=32), min_size=2, max_size=20)


@pytest.mark.parametrize("edit", CHANGES)
@settings(quick, max_examples=10)
@given(degrees, degrees, st.floats(0, 1))
def test_rotation_stays_within_180(
    edit: str, mine: list[float], theirs: list[float], share: float
) -> None:
    signal = turning(mine).hold(2)
    blended = signal.blend(turning(theirs), torch.tensor([share]), 1.0)
    for changed in (CHANGES[edit](signal), blended):
        assert changed.rotation_degrees.abs().max() <= 180


@pytest.mark.parametrize("edit", CHANGES)
@pytest.mark.parametrize("turn", [-180.0, -130.0, 90.0, 150.0, 200.0])
def test_it_does_not_matter_which_way_is_0(edit: str, turn: float) -> None:
    """Angles of a narrow range, turned anywhere, are edited as plain numbers are."""
    random = torch.Generator().manual_seed(round(turn))
    plain = ExpressionSignal(25.0, "", 160 * torch.rand(60, 1, generator=random) - 80 + turn)
    rotation = turning((torch.remainder(plain.features[:, 0] + 180, 360) - 180).tolist())
    changed = CHANGES[edit](rotation).rotation_degrees[:, :1]
    assert apart(changed, CHANGES[edit](plain).features) < 0.01


# Edits as people write them ----------------------------------------------------------------------

WRITTEN = {
    "trim": ("0.2:0.6", lambda s: s.trim(0.2, 0.6)),
    "resample": ("30", lambda s: s.resample(30)),
    "loop": ("2.5", lambda s: s.loop(2.5)),
    "ping-pong": ("2.5", lambda s: s.ping_pong(2.5)),
    "hold": ("2.5", lambda s: s.hold(2.5)),
    "offset": ("-0.2", lambda s: s.offset(-0.2)),
    "scale": ("0.5:0.2", lambda s: s.scale(0.5, 0.2)),
    "smooth": ("0.3", lambda s: s.smooth(0.3)),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", [None, "audio", "expression", "pose"])
@pytest.mark.parametrize("form", ["{}{}={}", " {} {} = {} "])
def test_every_written_edit_changes_what_it_names(name: str, kind: str | None, form: str) -> None:
    value, change = WRITTEN[name]
    before = everything()
    after = parse_edit(form.format(f"{kind}." if kind else "", name, value))(before)
    for other, signal in before.present.items():
        if kind in (None, other):
            assert same(after.present[other], change(signal))
        else:
            assert after.present[other] is signal


def test_smoothing_the_pose_leaves_the_rest() -> None:
    before = everything()
    after = parse_edit("pose.smooth=0.2")(before)
    assert after.audio is before.audio
    assert after.expression is before.expression
    assert not torch.equal(after.present["pose"].tracks["translation"], pose().translation)


@pytest.mark.parametrize("kind", ["audio", "expression", "pose"])
def test_a_signal_that_is_not_there_cannot_be_edited(kind: str) -> None:
    others = {name: s for name, s in everything().present.items() if name != kind}
    with pytest.raises(
        InputError, match=f"Edit of {kind}: expected one of.*{' '.join(others).replace(' ', '.*')}"
    ):
        parse_edit(f"{kind}.smooth=0.2")(Signals(**others))


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("", 1),
        ("smooth", 1),
        ("  smooth:1", 3),
        ("smooth=", 8),
        ("smooth=a", 8),
        ("smooth = a", 10),
        ("  smooth=nan", 10),
        ("smooth=1e999", 8),
        ("smooth=1:2", 8),
        ("soften=1", 1),
        ("pose.soften=1", 6),
        ("pose . soften = 1", 8),
        ("pose.=1", 6),
        ("nose.smooth=1", 1),
        (" .smooth=1", 2),
        ("pose.audio.smooth=1", 6),
        ("trim=1", 6),
        ("trim=1:b", 8),
        ("trim=1: b c", 9),
        ("trim=1:2:3", 6),
        ("pose.trim=1:2x", 13),
        ("scale=0.5", 7),
    ],
)
def test_an_edit_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Edit .*expected .* at character {character}, got"):
        parse_edit(text)


@pytest.mark.parametrize(
    "text", ["trim=1::2", "trim=:1:2", "trim=1:2:", "smooth=:1", "smooth=1:", "scale=::1:0"]
)
def test_an_edit_with_a_number_left_out_is_not_read(text: str) -> None:
    with pytest.raises(InputError, match=r"expected .* at character \d+, got"):
        parse_edit(text)


@quick
@given(
    st.text(max_size=12)
    | st.lists(st.sampled_from([*EDITS, *"=.:- ", "pose", "audio", "1", "0.5", "é"])).map("".join)
)
def test_any_text_is_an_edit_or_an_input_error(text: str) -> None:
    try:
        result: Edit | str = parse_edit(text)
    except InputError as error:
        result = str(error)
    assert isinstance(result, Edit) or "at character" in result


@pytest.mark.parametrize(
    "text",
    [
        "offset=1e30",
        "resample=1e15",
        "resample=1e308",
        "resample=1e-320",
        "loop=1e308",
        "hold=1e308",
        "ping-pong=-1e308",
        "trim=1e308:2",
        "trim=-1e308:2",
        "scale=1e308:0",
        "scale=1:1e308",
    ],
)
def test_an_absurd_number_ends_in_one_clear_line(text: str) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        parse_edit(text)(everything())


def test_the_widest_smoothing_is_refused_or_done() -> None:
    for seconds in ("1e9", "1e300", "1e308"):
        with contextlib.suppress(InputError):
            assert parse_edit(f"smooth={seconds}")(everything()).present
