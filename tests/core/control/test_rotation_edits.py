"""Edits of angles, which go the short way around 180 degrees."""

import pytest
import torch
from helpers.edits import CHANGES, Change, quick
from helpers.signals import turning
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control.signals import ExpressionSignal


def angle_distance(a: Tensor, b: Tensor) -> float:
    """The greatest distance of two angles, the short way."""
    return float((torch.remainder(a.double() - b.double() + 180, 360) - 180).abs().max())


@pytest.mark.parametrize("degrees", [0.0, 90.5, 170.0, 180.0, -180.0])
@pytest.mark.parametrize("edit", CHANGES)
def test_a_still_head_stays_still(edit: str, degrees: float) -> None:
    rotation = CHANGES[edit](turning([degrees] * 50)).rotation_degrees
    assert angle_distance(rotation, torch.tensor(degrees)) < 1e-3


ACROSS = [170.0, -170.0]
CURVE = torch.tensor([0, 0.5, 1])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda s: s.resample(100), [170, 175, 180, -175, -170], id="resample"),
        pytest.param(lambda s: s.sample(4, 50), [170, 180, -170, -170], id="over"),
        pytest.param(lambda s: s.scale(0.5), [170, 180], id="half"),
        pytest.param(lambda s: s.scale(2), [170, -150], id="twice"),
        pytest.param(lambda s: s.scale(-1), [170, 150], id="mirrored"),
        pytest.param(lambda s: s.hold(2).smooth(0.2).trim(1), [-170] * 25, id="smooth end"),
    ],
)
def test_rotation_passes_180_and_never_0(change: Change, expected: list[float]) -> None:
    rotation = change(turning(ACROSS)).rotation_degrees[: len(expected), 0]
    assert angle_distance(rotation, torch.tensor(expected, dtype=torch.float32)) < 1e-3
    assert rotation.abs().max() <= 180


@pytest.mark.parametrize(("start", "end"), [(170.0, -170.0), (-170.0, 170.0)])
def test_a_blend_of_rotations_goes_the_short_way(start: float, end: float) -> None:
    rotation = turning([start] * 3).blend(turning([end] * 3), CURVE, 25).rotation_degrees[:, 0]
    assert angle_distance(rotation, torch.tensor([start, 180, end])) < 1e-3
    assert rotation.abs().max() <= 180


def test_a_head_that_trembles_around_180_is_smoothed_there() -> None:
    rotation = turning([175.0, -175.0] * 50).smooth(0.5).rotation_degrees
    assert angle_distance(rotation[25:-25], torch.tensor(180.0)) < 0.5


degrees = st.lists(st.floats(-180, 180, width=32), min_size=2, max_size=20)


@pytest.mark.parametrize("edit", CHANGES)
@settings(quick, max_examples=10)
@given(degrees, degrees, st.floats(0, 1))
def test_rotation_stays_within_180(
    edit: str, first: list[float], second: list[float], share: float
) -> None:
    signal = turning(first).hold(2)
    blend = signal.blend(turning(second), torch.tensor([share]), 1.0)
    for result in (CHANGES[edit](signal), blend):
        assert result.rotation_degrees.abs().max() <= 180


@pytest.mark.parametrize("edit", CHANGES)
@pytest.mark.parametrize("turn", [-180.0, -130.0, 90.0, 150.0, 200.0])
def test_it_does_not_matter_which_way_is_0(edit: str, turn: float) -> None:
    """Angles of a narrow range, turned anywhere, are edited as plain numbers are."""
    random = torch.Generator().manual_seed(round(turn))
    plain = ExpressionSignal(25.0, "", 160 * torch.rand(60, 1, generator=random) - 80 + turn)
    pose = turning((torch.remainder(plain.features[:, 0] + 180, 360) - 180).tolist())
    rotation = CHANGES[edit](pose).rotation_degrees[:, :1]
    assert angle_distance(rotation, CHANGES[edit](plain).features) < 0.01
