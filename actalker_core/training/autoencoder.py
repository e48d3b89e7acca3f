"""The first stage: the autoencoder, from images to latents and back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..learning.trainer import Batch, TrainConfig, validation_generator
from ..models.actalker.config import ModelConfig
from ..models.actalker.vae import build_vae
from ..synthetic.identities import make_identity
from ..synthetic.motion import random_state
from ..synthetic.rendering import SIDE_PX, Rendering, render_face, stack_images
from . import autoencoder_init

FEATURE_WEIGHT = 8.0
"""Of pixels of mouth and eyes, which are small and matter most."""
EDGE_WEIGHT = 0.5
PRIOR_WEIGHT = 1e-3
LATENT_NOISE = 0.1
"""Nearby latents decode alike, so that the denoiser's residual error does not show."""

VALIDATION_IMAGES = 8

Array = NDArray[np.float32]


class AutoencoderObjective:
    """Learns to encode 8×8 pixels as 4 numbers, and to decode them."""

    name = "vae"

    def __init__(self, model_config: ModelConfig, config: TrainConfig) -> None:
        self.config = config
        self.network: Any = remove_temporal_blocks(build_vae(model_config.vae))
        autoencoder_init.initialize(self.network, model_config.vae.scaling_factor)
        self.scale = model_config.vae.scaling_factor

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """As `render_batch` makes it."""
        return render_batch(rng, self.config.batch_size)

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of images (b, 3, 128, 128): their error, and a light pull of latents to 0.

        There is no variance to learn: noise of one size stands for the posterior's, and the pull
        for its divergence from the prior.
        """
        images = batch["images"]
        latents = self.network.encode(images) * self.scale
        noisy_latents = latents + LATENT_NOISE * torch.randn_like(latents)
        outputs = self.network.decode(noisy_latents / self.scale, 1)
        prior: Tensor = PRIOR_WEIGHT * latents.square().mean()
        return weighted_error(outputs, images, batch["weights"]) + prior

    def validate(self) -> dict[str, float]:
        """Mean error per colour, of 255, over images and over mouths and eyes."""
        device = self.network.quant_conv.weight.device
        batch = render_batch(validation_generator(), VALIDATION_IMAGES)
        images, weights = batch["images"].to(device), batch["weights"].to(device)
        outputs = self.network.decode(self.network.encode(images), 1)
        errors = (outputs - images).abs() * 127.5
        features = (weights > 1).expand_as(errors)
        return {"error_255": float(errors.mean()), "features_255": float(errors[features].mean())}


def remove_temporal_blocks(vae: Any) -> Any:
    """The autoencoder without its temporal blocks: what it learns from single images.

    Rendered frames do not flicker, so that those blocks have nothing to mend.
    """
    for block in vae.decoder.modules():
        if hasattr(block, "temporal_res_block"):
            block.temporal_res_block = nn.Identity()
    nn.init.dirac_(vae.decoder.time_conv_out.weight)
    nn.init.zeros_(vae.decoder.time_conv_out.bias)
    vae.decoder.time_conv_out.requires_grad_(requires_grad=False)
    return vae


def load_spatial_weights(vae: Any, weights: dict[str, Tensor]) -> None:
    """Load weights (…) of an autoencoder that `remove_temporal_blocks` trained without time.

    The temporal blocks then change nothing: their residual branches are zero.
    """
    vae.load_state_dict(weights, strict=False)
    for block in vae.decoder.modules():
        if hasattr(block, "temporal_res_block"):
            nn.init.zeros_(block.temporal_res_block.conv2.weight)
            nn.init.zeros_(block.temporal_res_block.conv2.bias)


def weighted_error(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted absolute error () of images (b, 3, h, w), and of their gradients.

    Absolute, since squares would blur edges; the error of gradients counts where edges stand.
    """
    errors = outputs - targets
    across, down = errors.diff(dim=3).abs(), errors.diff(dim=2).abs()
    edges = (across * weights[..., 1:]).mean() + (down * weights[..., 1:, :]).mean()
    return (errors.abs() * weights).mean() + EDGE_WEIGHT * edges


def render_batch(rng: np.random.Generator, count: int) -> Batch:
    """Random faces: images (b, 3, 128, 128) in −1…1, and weights (b, 1, 128, 128) of pixels."""
    renderings = [
        render_face(make_identity(int(rng.integers(1 << 31))), random_state(rng))
        for _ in range(count)
    ]
    weights = np.stack([pixel_weights(rendering) for rendering in renderings])
    return {
        "images": stack_images([rendering.image for rendering in renderings]) * 2 - 1,
        "weights": torch.from_numpy(weights)[:, None],
    }


def pixel_weights(rendering: Rendering) -> Array:
    """How much each pixel counts (128, 128): 1, and more over mouth and eyes."""
    weights = np.ones((SIDE_PX, SIDE_PX), np.float32)
    for name in ("mouth", "eye_left", "eye_right"):
        x0, y0 = rendering.landmarks[name].min(0).astype(int) - 2
        x1, y1 = rendering.landmarks[name].max(0).astype(int) + 3
        weights[max(y0, 0) : y1, max(x0, 0) : x1] = FEATURE_WEIGHT
    return weights


def calibrate_latents(vae: Any, images: Tensor, scale: float) -> None:
    """Rescale latents of images (b, 3, h, w) to a standard deviation of 1, as sampling expects.

    The last layer of the encoder and the first of the decoder take the factor up, so that images
    stay as they are. The variance that the encoder reports is that of the noise it learnt with.

    Args:
        scale: the model's factor on latents.
    """
    with torch.no_grad():
        std = (vae.encode(images) * scale).std()
        channels = vae.decoder.conv_in.in_channels
        vae.quant_conv.weight[:channels] /= std
        vae.quant_conv.bias[:channels] /= std
        vae.quant_conv.weight[channels:] = 0
        vae.quant_conv.bias[channels:] = 2 * torch.log(LATENT_NOISE / scale / std)
        vae.decoder.conv_in.weight *= std
