"""The model of memory and time, held against what the UNet is counted to hold."""

import pytest
import torch
from bench_memory import peak_bytes
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.config import VARIANTS
from actalker_core.footprint import SPARE, activation_bytes, free_bytes, passes_that_fit, seconds
from actalker_core.preflight import Cost
from actalker_core.sampler.guidance import Pass

CASES = [
    ("released", size, frames, passes, dtype)
    for size, frames, passes, dtype in [
        ((576, 576), 25, 4, torch.float16),
        ((576, 576), 25, 3, torch.float16),
        ((576, 576), 10, 2, torch.float16),
        ((640, 640), 25, 1, torch.float16),
        ((640, 640), 10, 4, torch.float32),
        ((512, 768), 25, 4, torch.float16),
        ((512, 768), 25, 1, torch.float32),
    ]
] + [
    ("built-in", (128, 128), 10, passes, dtype)
    for passes in (1, 2, 3, 4)
    for dtype in (torch.float16, torch.float32)
]


@pytest.mark.parametrize(("variant", "size_px", "frames", "passes", "dtype"), CASES)
def test_memory_is_what_is_counted(
    variant: str, size_px: tuple[int, int], frames: int, passes: int, dtype: torch.dtype
) -> None:
    config = VARIANTS[variant].unet
    counted = peak_bytes(config, size_px, frames, list(Pass)[-passes:], dtype)
    grid = (size_px[0] // 8, size_px[1] // 8)
    found = activation_bytes(config, grid, frames, passes, dtype.itemsize)
    assert found == pytest.approx(counted, rel=0.15)


@given(one=st.integers(1, 10**12), free=st.integers(0, 10**13))
def test_as_many_passes_as_fit_share_a_batch(one: int, free: int) -> None:
    passes = passes_that_fit(one, free)
    assert 1 <= passes <= len(Pass)
    assert passes == 1 or passes * one * SPARE <= free
    assert passes == len(Pass) or (passes + 1) * one * SPARE > free


def test_all_passes_share_a_batch_where_memory_is_not_known() -> None:
    assert free_bytes(torch.device("cpu")) is None
    assert passes_that_fit(10**15, None) == len(Pass)


def test_time_is_that_of_all_evaluations() -> None:
    cost = Cost(frames=25, steps=2, windows=2, evaluations=6, unplanned=8, passes=3)
    assert seconds(cost, 0.5) == 3.0
