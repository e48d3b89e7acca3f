"""Latents as small images without the autoencoder, at next to no cost."""

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from .config import VARIANTS, ModelConfig

PREVIEW_PATH = Path(__file__).with_name("preview.safetensors")
"""Weight and bias for the built-in model, by `training/preview.py`."""
PREVIEW_SCALE, KERNEL = 4, 3
"""Pixels along a side for each latent of the built-in model, and latents that they look at."""
SD15_WEIGHT = (
    (0.3512, 0.3250, -0.2829, -0.2120),
    (0.2297, 0.4974, 0.1762, -0.2616),
    (0.3227, 0.2350, 0.2721, -0.7177),
)
"""Red, green and blue in −1…1 of a latent of Stable Diffusion 1.x, whose autoencoder SVD shares.

Source: the table that ComfyUI previews such latents with.
"""


def show_latents(config: ModelConfig, latents: Tensor) -> Tensor:
    """Small images that look like the result: (f, 4, h, w) scaled latents -> (f, 3, s·h, s·w).

    In 0…1; s is `PREVIEW_SCALE` for an autoencoder as small as the built-in one, else 1.
    """
    is_small = config.vae == VARIANTS["built-in"].vae
    weight, bias, scale = _load_small() if is_small else _large()
    latents = F.pad(latents.float(), (weight.shape[-1] // 2,) * 4, mode="replicate")
    images = F.conv2d(latents, weight.to(latents.device), bias.to(latents.device))
    return F.pixel_shuffle(images, scale).clamp(0, 1)


@cache
def _load_small() -> tuple[Tensor, Tensor, int]:
    tensors = load_file(PREVIEW_PATH)
    return tensors["weight"].float(), tensors["bias"].float(), PREVIEW_SCALE


def _large() -> tuple[Tensor, Tensor, int]:
    return torch.tensor(SD15_WEIGHT)[:, :, None, None] / 2, torch.full((3,), 0.5), 1
