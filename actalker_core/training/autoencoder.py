"""The first stage: pictures into latents and back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.actalker.config import ModelConfig
from ..models.actalker.vae import build_vae
from ..synthetic.identities import make_identity
from ..synthetic.motion import random_state
from ..synthetic.rendering import SIDE_PX, Rendering, render_face, stack_images
from . import thumbnail
from .stage import Batch, Recipe, held_out_generator

WEIGHT_OF_FEATURES = 8.0
"""Mouth and eyes are small and matter most."""
WEIGHT_OF_EDGES = 0.5
WEIGHT_OF_PRIOR = 1e-3
LATENT_NOISE = 0.1
"""Latents near each other shall look alike: what the denoiser leaves over must not show."""

HELD_OUT_PICTURES = 8

Array = NDArray[np.float32]


class Autoencoder:
    """Learns to draw what it has seen through 4 numbers for every 8×8 pixels."""

    name = "vae"

    def __init__(self, config: ModelConfig, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network: Any = without_time(build_vae(config.vae))
        thumbnail.begin(self.network, config.vae.scaling_factor)
        self.scale = config.vae.scaling_factor

    def batch(self, rng: np.random.Generator) -> Batch:
        """Pictures of anybody."""
        return draw_pictures(rng, self.recipe.batch)

    def loss(self, batch: Batch) -> Tensor:
        """Weighted difference of pictures and edges, and a light pull of the latents to 0."""
        pictures = batch["pictures"]
        latent = self.network.encode(pictures) * self.scale
        noisy = latent + LATENT_NOISE * torch.randn_like(latent)
        seen = self.network.decode(noisy / self.scale, 1)
        prior: Tensor = WEIGHT_OF_PRIOR * latent.square().mean()
        return difference(seen, pictures, batch["weights"]) + prior

    def held_out(self) -> dict[str, float]:
        """Mean difference per colour, of 255, over pictures and over their features."""
        device = self.network.quant_conv.weight.device
        batch = draw_pictures(held_out_generator(), HELD_OUT_PICTURES)
        pictures, weights = batch["pictures"].to(device), batch["weights"].to(device)
        seen = self.network.decode(self.network.encode(pictures), 1)
        off = (seen - pictures).abs() * 127.5
        features = (weights > 1).expand_as(off)
        return {"error_255": float(off.mean()), "features_255": float(off[features].mean())}


class Still(nn.Module):
    """What a temporal block is that changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """Itself."""
        return x


def without_time(vae: Any) -> Any:
    """The autoencoder without its temporal blocks: what it learns from single pictures.

    Drawn frames do not flicker, so that there is nothing for those blocks to mend.
    """
    for block in vae.decoder.modules():
        if hasattr(block, "temporal_res_block"):
            block.temporal_res_block = Still()
    nn.init.dirac_(vae.decoder.time_conv_out.weight)
    nn.init.zeros_(vae.decoder.time_conv_out.bias)
    vae.decoder.time_conv_out.requires_grad_(requires_grad=False)
    return vae


def with_time(vae: Any, learnt: dict[str, Tensor]) -> None:
    """Take over what was learnt without time; the temporal blocks then change nothing."""
    vae.load_state_dict(learnt, strict=False)
    for block in vae.decoder.modules():
        if hasattr(block, "temporal_res_block"):
            nn.init.zeros_(block.temporal_res_block.conv2.weight)
            nn.init.zeros_(block.temporal_res_block.conv2.bias)


def difference(seen: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Weighted absolute difference of (n, 3, H, W) pictures and of their steps to neighbours."""
    off = seen - truth
    across, down = off.diff(dim=3).abs(), off.diff(dim=2).abs()
    edges = (across * weights[..., 1:]).mean() + (down * weights[..., 1:, :]).mean()
    return (off.abs() * weights).mean() + WEIGHT_OF_EDGES * edges


def draw_pictures(rng: np.random.Generator, count: int) -> Batch:
    """Pictures of anybody (n, 3, 128, 128) in −1…1 and how much each pixel counts (n, 1, …)."""
    drawn = [
        render_face(make_identity(int(rng.integers(1 << 31))), random_state(rng))
        for _ in range(count)
    ]
    weights = np.stack([feature_weights(one) for one in drawn])
    return {
        "pictures": stack_images([one.image for one in drawn]) * 2 - 1,
        "weights": torch.from_numpy(weights)[:, None],
    }


def feature_weights(drawn: Rendering) -> Array:
    """(128, 128): 1, and more over mouth and eyes."""
    weights = np.ones((SIDE_PX, SIDE_PX), np.float32)
    for name in ("mouth", "eye_left", "eye_right"):
        x0, y0 = drawn.landmarks[name].min(0).astype(int) - 2
        x1, y1 = drawn.landmarks[name].max(0).astype(int) + 3
        weights[max(y0, 0) : y1, max(x0, 0) : x1] = WEIGHT_OF_FEATURES
    return weights


def calibrate(vae: Any, pictures: Tensor, scale: float) -> None:
    """Rescale the latents so that, times the model's factor, they spread by 1, as sampling expects.

    The last layer of the encoder and the first of the decoder take it up; pictures stay as they
    are. The spread that the encoder tells of is the noise that it was trained with.
    """
    with torch.no_grad():
        spread = (vae.encode(pictures) * scale).std()
        channels = vae.decoder.conv_in.in_channels
        vae.quant_conv.weight[:channels] /= spread
        vae.quant_conv.bias[:channels] /= spread
        vae.quant_conv.weight[channels:] = 0
        vae.quant_conv.bias[channels:] = 2 * torch.log(LATENT_NOISE / scale / spread)
        vae.decoder.conv_in.weight *= spread
