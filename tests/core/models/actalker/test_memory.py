"""The memory that is foretold is the memory that is counted, within 15 %."""

import functools

import pytest
import torch
from benchmarks.windows import MODES, FusedAttention, empty_unet, face_masks, window_peak_bytes
from helpers.conditioning import CONFIG, OPEN, conditioning

from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.memory import (
    estimate_activation_bytes,
    most_within,
    passes_that_fit,
    scanned_shares,
)
from actalker_core.models.actalker.token_regions import Regions
from actalker_core.models.actalker.unet.unet import UNet


@functools.cache
def count_bytes(
    variant: str, side_px: int, frames: int, dtype: torch.dtype, name: str, passes: int
) -> int:
    """What a window holds at most in the last passes of a mode, without weights."""
    mode = MODES[name]
    unet = empty_unet(VARIANTS[variant].unet, dtype, FusedAttention)
    return window_peak_bytes(unet, mode, frames, side_px, mode.passes[-passes:])


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize(
    ("variant", "side_px", "frames", "dtype"),
    [
        ("released", 576, 25, torch.float16),
        ("released", 640, 10, torch.float32),
        ("built-in", 128, 10, torch.float32),
        ("built-in", 256, 4, torch.float16),
    ],
)
def test_memory_is_foretold(
    variant: str, side_px: int, frames: int, dtype: torch.dtype, name: str
) -> None:
    config, grid = VARIANTS[variant].unet, (side_px // 8, side_px // 8)
    regions = Regions.from_masks(*face_masks(MODES[name], side_px), grid, config.levels)
    for passes in (1, len(MODES[name].passes)):
        estimate = estimate_activation_bytes(
            config, grid, frames, passes, scanned_shares(regions), dtype.itemsize
        )
        peak_bytes = count_bytes(variant, side_px, frames, dtype, name, passes)
        assert estimate == pytest.approx(peak_bytes, rel=0.15)


@pytest.mark.parametrize("name", MODES)
def test_a_released_window_fits(name: str) -> None:
    """25 frames of 576×576 in half precision; pass by pass, the weights are streamed."""
    window, passes = ("released", 576, 25, torch.float16, name), len(MODES[name].passes)
    unet = empty_unet(VARIANTS["released"].unet, torch.float16, FusedAttention)
    weights = sum(parameter.nbytes for parameter in unet.parameters())
    assert count_bytes(*window, passes) + weights <= 10e9
    assert count_bytes(*window, 1) <= 6e9


def test_shares_are_those_of_the_masks() -> None:
    def shares(name: str) -> list[float]:
        return scanned_shares(Regions.from_masks(*face_masks(MODES[name], 576), (72, 72), 4))

    face = pytest.approx(0.35, abs=0.03)
    assert scanned_shares(None) == shares("both, everywhere") == [1, 1]
    assert shares("audio only") == [face, 0]
    assert shares("expression only") == [0, face]
    assert sum(shares("both, paper's masks")) == pytest.approx(1.2**2 * 0.35, abs=0.03)


def test_as_many_passes_as_fit() -> None:
    sizes = [3, 6, 9, 12]
    assert [most_within(sizes, limit) for limit in (0, 3, 8.9, 9, 100)] == [1, 1, 2, 3, 4]
    assert passes_that_fit(UNet(CONFIG), conditioning(OPEN, OPEN), Windows(3)) == 4
