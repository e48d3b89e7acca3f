"""A whole clip from noise, ours against the released way: `make bench`.

The released way runs four passes with windows that wrap around, pads the clip by one window,
computes signals whose gate is 0, and each pass from its beginning. Its layers are the released
ones but for the scan, which is ours in both: the ratio owes nothing to a slow scan.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from bench_core import evaluations, median_seconds, say
from clips import noise, random_clip, random_unet
from torch import Tensor

from actalker_core.conditioning import Branch, Conditioning
from actalker_core.config import VARIANTS, ModelConfig
from actalker_core.model.unet import UNet
from actalker_core.sampler.denoise import Denoiser, sample
from actalker_core.sampler.guidance import Guidance, Pass
from actalker_core.sampler.schedule import karras_sigmas
from actalker_core.sampler.windows import Windows

GOAL = 3.5
FRAMES, STEPS, SIZE_PX = 25, 25, (128, 128)
CPU = torch.device("cpu")


class ReleasedDenoiser(Denoiser):
    """Runs every pass, each from its beginning."""

    def passes(self, frames: Sequence[int]) -> list[Pass]:
        return list(Pass)


def computed(branch: Branch) -> Branch:
    """The same numbers, so that a shut gate is computed as tokens of 0."""
    return Branch(
        branch.tokens * branch.gate[:, None, None],
        branch.absent * branch.gate[0],
        torch.ones_like(branch.gate),
    )


def released_clip(clip: Conditioning) -> Conditioning:
    return replace(clip, audio=computed(clip.audio), expression=computed(clip.expression))


def sampled(config: ModelConfig, denoiser: Denoiser, steps: int, windows: Windows) -> Tensor:
    s = config.sampling
    sigmas = karras_sigmas(steps, s.sigma_min, s.sigma_max)
    torch.manual_seed(2)
    return sample(denoiser, sigmas[0] * noise(denoiser.conditioning), sigmas, Guidance(), windows)


def ours(config: ModelConfig, unet: UNet, clip: Conditioning, steps: int) -> Tensor:
    windows = Windows(config.unet.num_frames)
    return sampled(config, Denoiser(unet, clip), steps, windows)


def released(
    config: ModelConfig,
    unet: UNet,
    clip: Conditioning,
    steps: int,
    layers: AbstractContextManager[object],
) -> Tensor:
    windows = Windows(config.unet.num_frames, mode="cyclic")
    padded = released_clip(clip).padded(windows.padding)
    with layers:
        return sampled(config, ReleasedDenoiser(unet, padded, 1), steps, windows)


def bench_clip(config: ModelConfig = VARIANTS["tiny"], steps: int = STEPS) -> float:
    """Print and return how much faster the whole clip is."""
    unet = random_unet(config.unet, CPU, torch.float32)
    clip = random_clip(config, SIZE_PX, FRAMES, "audio only", CPU, torch.float32)
    theirs, own = median_seconds(
        [
            lambda: released(config, unet, clip, steps, nullcontext()),
            lambda: ours(config, unet, clip, steps),
        ]
    )
    planned = evaluations(True, Windows()), evaluations(False, Windows(mode="cyclic"))
    say(f"\n{FRAMES} frames × {steps} steps, audio only, a small model at {SIZE_PX[0]}²")
    say(f"   {theirs / own:.2f}× faster than the released way with our scan (goal {GOAL}×)")
    say(f"   {own:.1f} s instead of {theirs:.1f} s; evaluations {planned[0]} of {planned[1]}")
    return theirs / own


if __name__ == "__main__":
    with torch.inference_mode():
        bench_clip()
