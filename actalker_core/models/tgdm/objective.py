"""What the network learns: the truth from a moved photograph, and from noise beside it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...learning.trainer import Batch
from .geometry import describe_geometry, from_images
from .network import TGDM, Geometry
from .pairs import Pair
from .sampling import leave_out

DROP_PROBABILITY = 0.1
"""Of the texture, and of the geometry's numbers and face, so that guidance can leave them out."""
MEAN_LOG_SIGMA, STD_LOG_SIGMA = -1.0, 1.0
"""Of the noise levels that are trained, log-normal. Source: arXiv 2206.00364, table 1."""
INVENTED_WEIGHT = 2.0
"""How much more an error counts where geometry invents than elsewhere."""
EDGE_WEIGHT = 1.0
"""Of errors of the differences between neighbouring pixels, which blurred images have most of."""
PEAK = 2.0
"""Of images in −1…1, for the signal-to-noise ratio."""


def compute_loss(network: TGDM, batch: Batch) -> Tensor:
    """The loss () of a batch (b, …): half of it the regression, half a step of the diffusion.

    Both are errors of the finished image: L1, which leaves edges sharper than L2, of
    pixels and of differences of neighbours.
    """
    target, geometry = batch["target"], geometry_of(batch)
    count = len(target)
    is_regression = torch.arange(count, device=target.device) < count // 2
    sigma = torch.exp(MEAN_LOG_SIGMA + STD_LOG_SIGMA * torch.randn(count)).to(target)
    sigma = sigma.clamp(max=network.config.max_sigma)
    noisy = target + sigma[:, None, None, None] * torch.randn_like(target)
    sigma = torch.where(is_regression, network.config.max_sigma, sigma)
    noisy = torch.where(is_regression[:, None, None, None], torch.zeros_like(noisy), noisy)
    textures = network.texture_encoder(batch["source"])
    keep = (torch.rand(2, count, 1, 1, 1) >= DROP_PROBABILITY).to(target)
    textures = {level: texture * keep[0] for level, texture in textures.items()}
    out = network(noisy, sigma, leave_out(geometry, keep[1]), textures)
    weight = 1 + INVENTED_WEIGHT * geometry.invented_mask
    # A little noise is easy to see through; its small errors are as much worth.
    by_level = torch.where(is_regression, 1.0, (1 + 0.25 / sigma**2).clamp(max=4).sqrt())
    error = (weight * (out - target).abs()).mean((1, 2, 3))
    for axis in (2, 3):
        edges = out.diff(dim=axis) - target.diff(dim=axis)
        error = error + EDGE_WEIGHT * edges.abs().mean((1, 2, 3))
    loss: Tensor = (by_level * error).mean()
    return loss


def stack_pairs(pairs: Sequence[Pair]) -> Batch:
    """Pairs as fields (b, …), images in −1…1."""
    rows = [describe_geometry([p.frame], [p.landmarks], [p.numbers], p.turn_degrees) for p in pairs]
    fields = {
        name: torch.cat([getattr(row, name) for row in rows])
        for name in Geometry.__dataclass_fields__
    }
    for name, images in (
        ("source", [p.source for p in pairs]),
        ("target", [p.target for p in pairs]),
    ):
        fields[name] = from_images(np.stack(images))
    return fields


def geometry_of(batch: Batch) -> Geometry:
    """The geometry among the fields (b, …) of a batch."""
    return Geometry(**{name: batch[name] for name in Geometry.__dataclass_fields__})


def measure_psnr(image: Tensor, target: Tensor, mask: Tensor) -> float:
    """Mean over images (b, 3, h, w) of the signal-to-noise ratio within masks (b, h, w), in dB."""
    weight = mask[:, None].to(image)
    error = ((image - target) ** 2 * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))
    return float((10 * torch.log10(PEAK**2 / error.clamp(min=1e-12))).mean())
