"""A whole clip from noise, ours against the released way: `make bench`.

The released way runs four passes with windows that wrap around, pads the clip by one window,
computes signals whose gate is 0, and each pass from its beginning. Its parallel-control layers are
the released ones but for the scan; that, attention and convolutions are ours in both, so that the
ratio owes nothing to them.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from helpers.defaults import GUIDANCE
from helpers.tiny import TINY
from torch import Tensor

from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.config import ModelConfig
from actalker_core.models.actalker.cost import estimate_cost
from actalker_core.models.actalker.defaults import default_windows
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.guidance import Pass
from actalker_core.models.actalker.unet.unet import UNet
from benchmarks.harness import REPEATS, median_seconds, say
from benchmarks.released import layers_run_as_released
from benchmarks.windows import MODES, conditioning, noise, random_unet

GOAL = 3.5
FRAMES, STEPS, SIDE_PX = 25, 25, 128
CPU = torch.device("cpu")


class ReleasedDenoiser(Denoiser):
    """Runs every pass, each from its beginning."""

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        return list(Pass)


def with_zero_tokens(signal: GatedCondition) -> GatedCondition:
    """The same numbers, so that a shut gate is computed as tokens of 0."""
    return GatedCondition(
        signal.tokens * signal.gate[:, None, None],
        signal.null_embedding * signal.gate[0],
        torch.ones_like(signal.gate),
    )


def released_clip(clip: Conditioning) -> Conditioning:
    return replace(
        clip, audio=with_zero_tokens(clip.audio), expression=with_zero_tokens(clip.expression)
    )


def run_sampler(config: ModelConfig, denoiser: Denoiser, steps: int, windows: Windows) -> Tensor:
    s = config.sampling
    sigmas = karras_sigmas(steps, s.sigma_min, s.sigma_max, s.rho)
    torch.manual_seed(2)
    return sample(denoiser, sigmas[0] * noise(denoiser.conditioning), sigmas, GUIDANCE, windows)


def ours(config: ModelConfig, unet: UNet, clip: Conditioning, steps: int) -> Tensor:
    windows = default_windows(config)
    return run_sampler(config, Denoiser(unet, clip), steps, windows)


def sample_released_way(config: ModelConfig, unet: UNet, clip: Conditioning, steps: int) -> Tensor:
    windows = replace(default_windows(config), mode="cyclic")
    longer = released_clip(clip).pad(windows.padding)
    with layers_run_as_released():
        return run_sampler(config, ReleasedDenoiser(unet, longer, 1), steps, windows)


def bench_clip(config: ModelConfig, frames: int, steps: int, repeats: int = REPEATS) -> None:
    """Print how much faster the whole clip is."""
    unet = random_unet(config.unet, CPU, torch.float32)
    clip = conditioning(config.unet, MODES["audio only"], frames, SIDE_PX, unet.conv_in.weight)
    peers = {
        "released": lambda: sample_released_way(config, unet, clip, steps),
        "ours": lambda: ours(config, unet, clip, steps),
    }
    theirs, pack_s = median_seconds(peers, repeats).values()
    s = config.sampling
    sigmas = karras_sigmas(steps, s.sigma_min, s.sigma_max, s.rho)
    tight, cyclic = (
        estimate_cost(clip, replace(default_windows(config), mode=mode), GUIDANCE, sigmas)
        for mode in ("tight", "cyclic")
    )
    say(f"{frames} frames × {steps} steps, audio only, a small model at {SIDE_PX}²")
    say(f"   {theirs / pack_s:.2f}× faster than the released way with our scan (target: {GOAL:g}×)")
    say(
        f"   {pack_s:.1f} s instead of {theirs:.1f} s; {tight.evaluations} evaluations instead of "
        f"{cyclic.most_evaluations}\n"
    )


def main() -> None:
    bench_clip(TINY, FRAMES, STEPS)
