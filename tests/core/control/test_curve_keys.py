"""Gates of keys, which say a strength at a time."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.curves import (
    FPS,
    KEYS,
    LAST_FRAME,
    MODEL_FPS,
    UNITS,
    Keys,
    Unit,
    in_frames,
    quick,
    write_keys,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import curves
from actalker_core.control.curves import Key, interpolate_keys
from actalker_core.errors import InputError


def parse_keys(keys: Keys, fps: float, unit: Unit) -> Tensor:
    return curves.parse_curve(write_keys(keys, fps, unit), LAST_FRAME + 5, fps)


def neighbours(keys: Keys) -> list[tuple[int, int]]:
    return list(itertools.pairwise(sorted(keys)))


@quick
@given(KEYS, FPS, UNITS)
def test_a_gate_is_at_each_key_what_the_key_says(keys: Keys, fps: float, unit: Unit) -> None:
    gate = parse_keys(keys, fps, unit)
    assert all(gate[frame] == torch.tensor(value) for frame, (value, _) in keys.items())


@quick
@given(KEYS, FPS, UNITS)
def test_a_gate_is_held_before_its_first_and_after_its_last_key(
    keys: Keys, fps: float, unit: Unit
) -> None:
    gate = parse_keys(keys, fps, unit)
    first, last = min(keys), max(keys)
    assert (gate[:first] == torch.tensor(keys[first][0])).all()
    assert (gate[last:] == torch.tensor(keys[last][0])).all()


@quick
@given(KEYS, FPS, UNITS)
def test_a_gate_goes_from_key_to_key_without_turning(keys: Keys, fps: float, unit: Unit) -> None:
    gate = parse_keys(keys, fps, unit).double()
    for a, b in neighbours(keys):
        direction = math.copysign(1, keys[b][0] - keys[a][0])
        assert (direction * gate[a : b + 1].diff() >= -1e-7).all()


@quick
@given(KEYS, FPS, UNITS)
def test_hold_keeps_the_strength_until_the_next_keys_frame(
    keys: Keys, fps: float, unit: Unit
) -> None:
    keys = {frame: (value, "hold") for frame, (value, _) in keys.items()}
    gate = parse_keys(keys, fps, unit)
    for a, b in neighbours(keys):
        assert (gate[a:b] == torch.tensor(keys[a][0])).all()
        assert gate[b] == torch.tensor(keys[b][0])


@quick
@given(KEYS, FPS)
def test_linear_has_one_slope_between_two_keys(keys: Keys, fps: float) -> None:
    keys = {frame: (value, "linear") for frame, (value, _) in keys.items()}
    gate = parse_keys(keys, fps, in_frames)
    for a, b in neighbours(keys):
        expected = np.linspace(keys[a][0], keys[b][0], b - a + 1)
        assert gate[a : b + 1].numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("first", "last"), [(0.0, 1.0), (1.0, 0.25)])
def test_ease_starts_and_ends_slowly_and_is_even(first: float, last: float) -> None:
    curve = curves.parse_curve(f"0:{first} ease, 20f:{last}", 21, MODEL_FPS)
    steps = curve.diff().abs()
    assert torch.allclose(steps, steps.flip(0), atol=1e-6)
    assert (steps[:10].diff() > 0).all()
    assert curve[10].item() == pytest.approx((first + last) / 2)
    assert steps[0] < abs(last - first) / 100


@quick
@given(KEYS, FPS, st.randoms(use_true_random=False))
def test_keys_may_be_written_in_any_order(keys: Keys, fps: float, random: Any) -> None:
    items = list(keys.items())
    random.shuffle(items)
    assert torch.equal(parse_keys(keys, fps, in_frames), parse_keys(dict(items), fps, in_frames))


@pytest.mark.parametrize("separator", [",", ";", "\n", " , ", ";\n", ",\n  "])
def test_keys_may_be_separated_in_any_way(separator: str) -> None:
    keys = ["0:0", "0.4s : 1 hold", "10 f:.5 ease", "1.6:1"]
    expected = curves.parse_curve(", ".join(keys), 30, MODEL_FPS)
    assert torch.equal(curves.parse_curve(separator.join(keys), 30, MODEL_FPS), expected)


@quick
@given(KEYS, FPS, st.integers(0, LAST_FRAME))
def test_a_shorter_clip_has_the_beginning_of_the_same_gate(
    keys: Keys, fps: float, frames: int
) -> None:
    clip_gate = parse_keys(keys, fps, in_frames)
    short_gate = curves.parse_curve(write_keys(keys, fps, in_frames), frames, fps)
    assert torch.equal(short_gate, clip_gate[:frames])


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [Key(1, 0), Key(1, 1)],
        [Key(0, 0), Key(2, 1), Key(0, 0.5)],
        [Key(0, 0), Key(1, 1, "cubic")],
    ],
)
def test_keys_that_make_no_curve_are_refused(keys: list[Key]) -> None:
    with pytest.raises(InputError, match="Keyframes: expected"):
        interpolate_keys(keys, 5, MODEL_FPS)
