"""What the UNet predicts for the frames of a window, in one guidance pass or in several at once.

Letters: p passes, f frames of a window, c channels, h w latent grid.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .conditioning import Conditioning, GatedCondition
from .guidance import Pass, equal_passes
from .unet.control import Control
from .unet.unet import UNet


def merge_passes(conditioning: Conditioning, frames: Sequence[int]) -> list[Pass]:
    """For each guidance pass, the first one that computes the same on these frames.

    Shut gates, missing signals and padding make passes equal.
    """
    return equal_passes(
        conditioning.audio.is_active(frames), conditioning.expression.is_active(frames)
    )


def velocity(
    unet: UNet,
    conditioning: Conditioning,
    x: Tensor,
    c_noise: Tensor,
    frames: Sequence[int],
    passes: Sequence[Pass],
) -> Tensor:
    """V of one window in some passes: (f, 4, h, w) -> (p, f, 4, h, w).

    Passes that read the same image are one until their signals part them.

    Args:
        x: noisy latents, scaled; in the type that the UNet computes in.
        c_noise: (1,) ln(sigma) / 4.
        frames: numbers of the window's frames in the clip.
    """
    has_image = [pass_ >= Pass.IDENTITY for pass_ in passes]
    distinct = list(dict.fromkeys(has_image))
    image = conditioning.image_latent.to(x)
    inputs = [torch.cat([x, (image if has else 0 * image).expand_as(x)], 1) for has in distinct]
    control = _control(conditioning, frames, passes, x)
    batch_idx = torch.tensor([distinct.index(has) for has in has_image], device=x.device)
    v: Tensor = unet(
        torch.stack(inputs),
        c_noise.expand(len(passes)),
        conditioning.time_ids.expand(len(passes), -1),
        replace(control, batch_idx=None if len(distinct) == len(passes) else batch_idx),
        conditioning.pose.to(x),
    )
    return v


def _control(
    c: Conditioning, frames: Sequence[int], passes: Sequence[Pass], like: Tensor
) -> Control:
    """What each pass reads; rows are (p f)."""
    identity = c.identity.expand(len(frames), -1, -1)
    return Control(
        len(frames),
        torch.cat([identity * (pass_ >= Pass.IDENTITY) for pass_ in passes]).to(like),
        _tokens(c.audio, frames, [pass_ >= Pass.AUDIO for pass_ in passes], like),
        _tokens(c.expression, frames, [pass_ >= Pass.EXPRESSION for pass_ in passes], like),
        None if c.regions is None else c.regions.select(frames),
    )


def _tokens(
    condition: GatedCondition, frames: Sequence[int], conditional: Sequence[bool], like: Tensor
) -> Tensor | None:
    """((p f), s, c); None where the gate is shut, which it is in all passes or in none."""
    tokens = [condition.select(frames, conditional=flag) for flag in conditional]
    is_open = [rows for rows in tokens if rows is not None]
    return torch.cat(is_open).to(like) if is_open else None


class Denoiser:
    """The UNet with its conditioning, preconditioned for EDM v-prediction.

    Args:
        unet: on the device of the conditioning.
        conditioning: of the whole clip, padding included.
        passes_at_once: how many passes share a batch: more are faster, fewer need less memory.

    Source: Karras et al., arXiv 2206.00364, section 5, with σ_data = 1.
    """

    def __init__(
        self, unet: UNet, conditioning: Conditioning, passes_at_once: int = len(Pass)
    ) -> None:
        self.unet = unet
        self.conditioning = conditioning
        self.passes_at_once = passes_at_once

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        """See `Denoises`."""
        return merge_passes(self.conditioning, frames)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        """See `Denoises`: x0 = x / (σ² + 1) − v σ / √(σ² + 1)."""
        # Clean latents of variance 1 have σ² + 1 under noise: what the UNet reads and predicts has
        # the variance 1 at every level.
        spread = math.sqrt(sigma**2 + 1)
        model_input = (x / spread).to(self.unet.conv_in.bias)  # weights may be kept in fewer bits
        c_noise = torch.tensor([math.log(sigma) / 4], device=x.device)
        v = [
            velocity(self.unet, self.conditioning, model_input, c_noise, frames, batch)
            for batch in _batches(passes, self.passes_at_once)
        ]
        # Where noise is weak, x is nearly x0; where it is strong, x says nothing and x0 is −v.
        return x / spread**2 - torch.cat(v).to(x) * (sigma / spread)


def _batches(passes: Sequence[Pass], size: int) -> list[Sequence[Pass]]:
    return [passes[i : i + size] for i in range(0, len(passes), size)]
