"""Gates: curves of strengths of numbers and of functions, joined and reported."""

import logging
import math

import numpy as np
import pytest
import torch
from helpers.curves import CURVES, FPS, MODEL_FPS, STRENGTHS, make_sound, quick
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control import curves
from actalker_core.errors import InputError

# Numbers -----------------------------------------------------------------------------------------


@quick
@given(STRENGTHS, st.integers(0, 40))
def test_one_strength_is_constant(value: float, frames: int) -> None:
    gate = curves.parse_curve(f" {value!r}\n", frames, MODEL_FPS)
    assert torch.equal(gate, torch.full((frames,), value))
    assert torch.equal(gate, curves.constant_curve(value, frames))


@quick
@given(CURVES, st.integers(0, 20), st.sampled_from([" ", ",", ", ", ";", "\n"]))
def test_numbers_are_those_of_the_frames_and_the_last_one_holds(
    values: list[float], frames: int, separator: str
) -> None:
    gate = curves.parse_curve(separator.join(map(repr, values)), frames, MODEL_FPS)
    assert gate.tolist() == [values[min(i, len(values) - 1)] for i in range(frames)]
    assert torch.equal(gate, curves.curve_from_values(values, frames))


@pytest.mark.parametrize("values", [[], [math.nan], [0, math.inf], [0, 0, 0, -math.inf]])
def test_numbers_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError, match="Curve: expected finite numbers"):
        curves.curve_from_values(values, 3)


# Algebra -----------------------------------------------------------------------------------------


@quick
@given(CURVES, CURVES, CURVES)
def test_multiplying_is_commutative_and_never_opens(
    a: list[float], b: list[float], c: list[float]
) -> None:
    x, y, z = (curves.curve_from_values(values, 8) for values in (a, b, c))
    product = curves.multiply_curves(x, y, z)
    assert torch.allclose(
        product, curves.multiply_curves(z, curves.multiply_curves(y, x)), atol=1e-6
    )
    assert (product <= torch.stack([x, y, z]).amin(0)).all()
    assert torch.equal(curves.multiply_curves(x, torch.ones(8)), x)
    assert not curves.multiply_curves(x, torch.zeros(8)).any()


@quick
@given(CURVES)
def test_inverting_twice_changes_nothing(values: list[float]) -> None:
    curve = curves.curve_from_values(values, 8)
    assert torch.allclose(curves.invert_curve(curves.invert_curve(curve)), curve, atol=1e-6)
    assert torch.allclose(curves.invert_curve(curve) + curve, torch.ones(8))


@given(st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=8), STRENGTHS, STRENGTHS)
def test_clamping_keeps_what_is_inside(values: list[float], first: float, second: float) -> None:
    lowest, highest = sorted([first, second])
    curve = torch.tensor(values)
    result = curves.clamp_curve(curve, lowest, highest)
    is_inside = (curve >= lowest) & (curve <= highest)
    assert torch.equal(result[is_inside], curve[is_inside])
    assert torch.equal(curves.clamp_curve(result, lowest, highest), result)
    assert result.min() >= torch.tensor(lowest)
    assert result.max() <= torch.tensor(highest)


# Experimental strengths --------------------------------------------------------------------------


def log_messages(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    with caplog.at_level(logging.INFO, logger="actalker_core.control.curves"):
        curves.check_curve(text)
        gate = curves.parse_curve(text, 5, 25, make_sound([0.5] * 5))
        curves.report_experimental("audio", gate)
    records = [r for r in caplog.records if r.name == "actalker_core.control.curves"]
    assert all(r.levelno == logging.WARNING for r in records)
    return [r.getMessage() for r in records]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("0.5", 5),
        ("0 0 .1 1", 1),
        ("0:0, 4f:1", 3),
        ("envelope attack=1", 5),
        ("invert .3", 5),
        ("0.5 0.5 0 0 0", 2),
    ],
)
def test_strengths_between_0_and_1_are_told_once_to_be_experimental(
    caplog: pytest.LogCaptureFixture, text: str, frames: int
) -> None:
    (message,) = log_messages(caplog, text)
    assert "audio" in message
    assert "experimental" in message
    assert f"{frames} of 5 frames" in message


def test_no_frames_have_no_experimental_ones(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="actalker_core.control.curves"):
        curves.report_experimental("audio", torch.zeros(0))
    assert not caplog.records


@pytest.mark.parametrize(
    "text", ["1", "0", "0 1 0", "0:1 hold, 2f:0", "0.5 * 0", "1 1 1 1 1 0.5", "invert 1"]
)
def test_trained_strengths_are_not_remarked_upon(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert log_messages(caplog, text) == []


# Drawn -------------------------------------------------------------------------------------------


@given(frames=st.integers(1, 200), fps=FPS, left=st.floats(-1, 2), right=st.floats(-1, 2))
@quick
def test_a_drawn_curve_goes_from_end_to_end_of_any_clip_and_stays_in_bounds(
    frames: int, fps: float, left: float, right: float
) -> None:
    drawn_curve = curves.DrawnCurve(lambda places: left + (right - left) * places)
    curve = drawn_curve.sample(frames, fps)
    ends = [min(max(value, 0.0), 1.0) for value in (left, right)]
    assert curve.shape == (frames,)
    assert curve[0].item() == pytest.approx(ends[0], abs=1e-6)
    assert frames == 1 or curve[-1].item() == pytest.approx(ends[1], abs=1e-6)
    assert (curve >= 0).all()
    assert (curve <= 1).all()


def test_a_drawn_curve_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected finite values.*Draw the curve anew"):
        curves.DrawnCurve(lambda places: np.full(places.shape, np.nan)).sample(3, 25.0)
