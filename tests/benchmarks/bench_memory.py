"""Peak memory of a released-size window, counted on tensors without values: `make bench`."""

from collections.abc import Sequence

import torch
from bench_core import RELEASED, SIDE_PX, PeakMemory, say
from clips import noise, random_clip, random_unet

from actalker_core.config import ModelConfig
from actalker_core.footprint import activation_bytes
from actalker_core.model.scan import fused
from actalker_core.sampler.guidance import Pass
from actalker_core.sampler.predict import velocity

META = torch.device("meta")
LIMITS_GB = {"all passes in one batch": 10.0, "pass by pass": 6.0}


def peak_bytes(
    config: ModelConfig,
    size_px: tuple[int, int],
    frames: int,
    passes: Sequence[Pass],
    dtype: torch.dtype = torch.float16,
) -> int:
    """The most that the denoiser holds at once over a window, weights and inputs left out.

    The scans count as Triton's, whose operator can be asked for shapes alone.
    """
    unet = random_unet(config.unet, META, dtype)
    clip = random_clip(config, size_px, frames, "joint", META, dtype)
    usual, fused.DEVICE_TYPE = fused.DEVICE_TYPE, META.type
    try:
        with PeakMemory() as memory, torch.inference_mode():
            velocity(unet, clip, noise(clip), torch.empty(1, device=META), range(frames), passes)
    finally:
        fused.DEVICE_TYPE = usual
    return memory.peak


def weight_bytes(config: ModelConfig, dtype: torch.dtype = torch.float16) -> int:
    unet = random_unet(config.unet, META, dtype)
    return sum(parameter.nbytes for parameter in unet.parameters())


def bench_window_memory() -> None:
    frames, weights = RELEASED.unet.num_frames, weight_bytes(RELEASED) / 1e9
    say(f"\nPeak memory of a window: {frames} frames, {SIDE_PX}², half precision, both signals")
    for (name, limit), passes in zip(LIMITS_GB.items(), (len(Pass), 1), strict=True):
        counted = peak_bytes(RELEASED, (SIDE_PX, SIDE_PX), frames, list(Pass)[-passes:]) / 1e9
        grid = (SIDE_PX // 8, SIDE_PX // 8)
        formula = activation_bytes(RELEASED.unet, grid, frames, passes, 2) / 1e9
        say(
            f"   {name:<24} {counted:.2f} GB besides the weights, {counted + weights:.2f} GB with "
            f"them (limit {limit:g} GB); the Preflight report's formula {formula:.2f} GB"
        )


if __name__ == "__main__":
    bench_window_memory()
