"""What shows latents without the autoencoder: fitted to what that makes of them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.actalker.autoencoder import TemporalAutoencoder
from ..models.actalker.preview import KERNEL, PREVIEW_SCALE
from ..models.actalker.vae import encode_image
from ..synthetic.identities import make_identity
from ..synthetic.motion import random_portrait_state
from ..synthetic.rendering import render_face, stack_images

LATENT_PX = 8


def draw_faces(count: int, seed: int) -> Tensor:
    """Drawn faces in any state: (count, 3, 128, 128) in 0…1."""
    rng = np.random.default_rng(seed)
    return stack_images(
        [
            render_face(make_identity(seed + i), random_portrait_state(rng)).image
            for i in range(count)
        ]
    )


def fit_preview(vae: TemporalAutoencoder, images: Tensor) -> tuple[Tensor, Tensor]:
    """The best linear map from a latent's neighbourhood to its pixels, by least squares.

    Args:
        images: (n, 3, H, W) in 0…1.

    Returns:
        weight (3·s·s, 4, k, k) and bias (3·s·s,) of a convolution, s = `PREVIEW_SCALE` and k =
        `KERNEL`; see `preview.show_latents`.
    """
    latents = torch.cat([encode_image(vae, image[None]) for image in images]) * vae.scaling_factor
    pixels = F.avg_pool2d(images, LATENT_PX // PREVIEW_SCALE)
    targets = F.pixel_unshuffle(pixels, PREVIEW_SCALE).flatten(2).movedim(1, 2).flatten(0, 1)
    padded_latents = F.pad(latents, (KERNEL // 2,) * 4, mode="replicate")
    inputs = F.unfold(padded_latents, KERNEL).movedim(1, 2).flatten(0, 1)
    inputs = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
    solution = torch.linalg.lstsq(inputs.double(), targets.double()).solution.float()
    weight = solution[:-1].T.reshape(-1, latents.shape[1], KERNEL, KERNEL)
    return weight.contiguous(), solution[-1]
