"""Signals that are blended along a curve."""

from collections.abc import Callable

import pytest
import torch
from helpers.edits import EXPECTED_GOT, RATES_HZ
from helpers.signals import audio, counting, each_kind, expression, is_same, noise, pose

from actalker_core.control.curves import Curve
from actalker_core.control.edits import blend_signals
from actalker_core.control.signals import DrivingSignal, ExpressionSignal, Signals
from actalker_core.errors import InputError


@each_kind
@pytest.mark.parametrize("share", [0, 1])
def test_a_blend_of_0_or_1_is_either_signal_exactly(
    make: Callable[..., DrivingSignal], share: int
) -> None:
    pair = make(seed=5), make(seed=6)
    for rate_hz in (1.0, 12.5, 400.0):
        blend = pair[0].blend(pair[1], torch.full((3,), float(share)), rate_hz)
        assert all(torch.equal(blend.tracks[n], track) for n, track in pair[share].tracks.items())


def test_sets_of_signals_are_blended_kind_by_kind_each_at_its_rate() -> None:
    first = Signals(expression=expression(seed=5), pose=pose(rate_hz=50.0, seed=6))
    second = Signals(expression=expression(seed=7), pose=pose(rate_hz=50.0, seed=8))
    curve = Curve("0:0, 1:1")
    blend = blend_signals(first, second, curve)
    assert blend.audio is None
    for kind, signal in blend.present.items():
        start, rate_hz = first.present[kind], signal.rate_hz
        strengths = curve.sample(len(start), rate_hz)
        assert is_same(signal, start.blend(second.present[kind], strengths, rate_hz))
        assert not torch.equal(strengths, Curve("0").sample(len(start), rate_hz))


def test_a_kind_that_one_set_lacks_is_taken_from_the_other() -> None:
    first, second = Signals(pose=pose(), audio=audio()), Signals(expression=expression())
    blend = blend_signals(first, second, Curve("0.5"))
    assert blend == Signals(audio=first.audio, expression=second.expression, pose=first.pose)
    assert blend_signals(Signals(), Signals(), Curve("1")) == Signals()


def test_a_blend_follows_its_curve_which_holds_at_its_end() -> None:
    low, high = (
        ExpressionSignal(25.0, name, torch.full((75, 2), v))
        for name, v in (("a", -1.0), ("b", 9.0))
    )
    blend = low.blend(high, torch.tensor([0.0, 1.0]), 1.0)
    expected = 10 * (torch.arange(75) / 25).clamp(max=1) - 1
    assert torch.allclose(blend.features, expected[:, None].expand(-1, 2), atol=1e-5)
    assert "a" in blend.source
    assert "b" in blend.source


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_blending_different_rates_compares_the_same_moments(rate_hz: float) -> None:
    first = counting(50)
    second = ExpressionSignal(rate_hz, "", counting(200).features * 25 / rate_hz)
    blend = first.blend(second, torch.tensor([0.5]), 1.0)
    assert (len(blend), blend.rate_hz) == (50, 25)
    assert torch.allclose(blend.features, first.features, atol=1e-3)


@pytest.mark.parametrize(("first", "second"), [(10, 30), (30, 10)])
def test_a_blend_is_as_long_as_the_shorter(first: int, second: int) -> None:
    assert len(expression(first).blend(expression(second), torch.tensor([0.5]), 1.0)) == 10


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param(pose(), id="kind"),
        pytest.param(ExpressionSignal(25.0, "", noise(40, 6)), id="width"),
    ],
)
def test_unlike_signals_are_not_blended(signal: DrivingSignal) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression().blend(signal, torch.tensor([0.5]), 1.0)
