"""Peak memory of a released-size window, counted on tensors without values: `make bench`."""

from collections.abc import Sequence
from unittest.mock import patch

import harness
import torch
from harness import say
from windows import MODES, empty_unet, forward

from actalker_core.config import VARIANTS, UNetConfig
from actalker_core.footprint import activation_bytes
from actalker_core.model.scan import fused
from actalker_core.sampler.guidance import Pass

RELEASED = VARIANTS["released"].unet
SIDE_PX = 576
LIMITS_GB = {"all passes in one batch": 10.0, "pass by pass": 6.0}


def peak_bytes(
    config: UNetConfig,
    size_px: tuple[int, int],
    frames: int,
    passes: Sequence[Pass],
    dtype: torch.dtype = torch.float16,
) -> int:
    """The most that the denoiser holds at once over a window, weights and inputs left out.

    The scans count as Triton's, whose operator can be asked for shapes alone.
    """
    height_px, width_px = size_px
    mode = MODES["both, paper's masks"]
    call = forward(empty_unet(config, dtype), mode, frames, height_px, passes, width_px)
    with patch.object(fused, "can_scan", lambda branches: True):
        return harness.peak_bytes(call)


def weight_bytes(config: UNetConfig, dtype: torch.dtype = torch.float16) -> int:
    return sum(parameter.nbytes for parameter in empty_unet(config, dtype).parameters())


def bench_window_memory() -> None:
    frames, weights = RELEASED.num_frames, weight_bytes(RELEASED) / 1e9
    say(f"\nPeak memory of a window: {frames} frames, {SIDE_PX}², half precision, both signals")
    for (name, limit), passes in zip(LIMITS_GB.items(), (len(Pass), 1), strict=True):
        counted = peak_bytes(RELEASED, (SIDE_PX, SIDE_PX), frames, list(Pass)[-passes:]) / 1e9
        grid = (SIDE_PX // 8, SIDE_PX // 8)
        formula = activation_bytes(RELEASED, grid, frames, passes, 2) / 1e9
        say(
            f"   {name:<24} {counted:.2f} GB besides the weights, {counted + weights:.2f} GB with "
            f"them (limit {limit:g} GB); the Preflight report's formula {formula:.2f} GB"
        )


if __name__ == "__main__":
    bench_window_memory()
