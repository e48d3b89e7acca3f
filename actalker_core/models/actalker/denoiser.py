"""What the UNet predicts for the frames of a window, in one guidance pass or in several at once.

Letters: p passes, n frames of the clip, f frames of a window, c channels, h w latent grid.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .conditioning import Conditioning
from .guidance import Pass, equal_passes
from .unet.control import Control
from .unet.unet import UNet


def passes_on(conditioning: Conditioning, frames: Sequence[int]) -> list[Pass]:
    """For each guidance pass, the first one that computes the same on these frames.

    Gates, absent signals and padding make passes equal.
    """
    return equal_passes(conditioning.audio.speaks(frames), conditioning.expression.speaks(frames))


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
    sees_image = [which >= Pass.IDENTITY for which in passes]
    pictures = list(dict.fromkeys(sees_image))
    image = conditioning.image_latent.to(x)
    seen = [torch.cat([x, (image if sees else 0 * image).expand_as(x)], 1) for sees in pictures]
    control = _control(conditioning, frames, passes, x)
    batch_idx = torch.tensor([pictures.index(sees) for sees in sees_image], device=x.device)
    v: Tensor = unet(
        torch.stack(seen),
        c_noise.expand(len(passes)),
        conditioning.time_ids.expand(len(passes), -1),
        replace(control, batch_idx=None if len(pictures) == len(passes) else batch_idx),
        conditioning.pose.to(x),
    )
    return v


def _control(
    c: Conditioning, frames: Sequence[int], passes: Sequence[Pass], like: Tensor
) -> Control:
    """What each pass sees; rows are (p f)."""
    identity = c.identity.expand(len(frames), -1, -1)
    return Control(
        len(frames),
        torch.cat([identity * (which >= Pass.IDENTITY) for which in passes]).to(like),
        _joined([c.audio.read(frames, which >= Pass.AUDIO) for which in passes], like),
        _joined([c.expression.read(frames, which >= Pass.EXPRESSION) for which in passes], like),
        None if c.regions is None else c.regions.select(frames),
    )


def _joined(tokens: list[Tensor | None], like: Tensor) -> Tensor | None:
    """The passes' tokens below each other; a gate that is shut is so in all of them."""
    there = [one for one in tokens if one is not None]
    return torch.cat(there).to(like) if there else None


class Denoiser:
    """The UNet with its conditioning, preconditioned for EDM v-prediction.

    Args:
        unet: on the device of the conditioning.
        conditioning: of the whole clip, padding included.
        passes_at_once: how many passes share a batch: more are faster, fewer need less memory.
    """

    def __init__(
        self, unet: UNet, conditioning: Conditioning, passes_at_once: int = len(Pass)
    ) -> None:
        self.unet = unet
        self.conditioning = conditioning
        self.passes_at_once = passes_at_once

    def passes(self, frames: Sequence[int]) -> list[Pass]:
        """See `Denoises`."""
        return passes_on(self.conditioning, frames)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        """See `Denoises`: x0 = x / (σ² + 1) − v σ / √(σ² + 1)."""
        spread = math.sqrt(sigma**2 + 1)
        scaled = (x / spread).to(self.unet.conv_in.bias)  # weights may be kept in fewer bits
        c_noise = torch.tensor([math.log(sigma) / 4], device=x.device)
        parts = [
            velocity(self.unet, self.conditioning, scaled, c_noise, frames, some)
            for some in _parts(passes, self.passes_at_once)
        ]
        return x / spread**2 - torch.cat(parts).to(x) * (sigma / spread)


def _parts(passes: Sequence[Pass], size: int) -> list[Sequence[Pass]]:
    return [passes[i : i + size] for i in range(0, len(passes), size)]
