"""What the network of TGDM learns: the truth from a moved photograph, and from noise beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...geometry.mesh import FaceMesh
from ...learning.trainer import Batch, TrainConfig, validation_generator
from ...models.tgdm.geometry import describe_geometry, from_images
from ...models.tgdm.network import TGDM, Geometry
from ...models.tgdm.sampling import leave_out
from .pairs import SWAP_PROBABILITY, Pair, PairMaker, fill_outline

HELD_OUT = 1_000_000
"""Seeds of people from here on are never trained on."""
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
VALIDATION_PAIRS = 16


@dataclass
class TGDMObjective:
    """Half of every batch is the regression, half a step of the diffusion.

    Attributes:
        network: that learns.
        mesh: the canonical face.
        people: how many are trained on.
    """

    config: TrainConfig
    network: TGDM
    mesh: FaceMesh
    people: int = 20_000
    name: str = "tgdm"
    maker: PairMaker = field(init=False)

    def __post_init__(self) -> None:
        self.maker = PairMaker(self.mesh)
        rng = validation_generator()
        self._held_out = [
            self.maker.make(rng, HELD_OUT + i, clean=True) for i in range(VALIDATION_PAIRS)
        ]

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """The fields (b, …) of one step."""
        return stack_pairs([self._make_pair(rng) for _ in range(self.config.batch_size)])

    def _make_pair(self, rng: np.random.Generator) -> Pair:
        first, second = (int(seed) for seed in rng.integers(self.people, size=2))
        if rng.random() < SWAP_PROBABILITY:
            return self.maker.make_swap(rng, (first, second))
        return self.maker.make(rng, first)

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of a batch (b, …).

        Both halves are errors of the finished image: L1, which leaves edges sharper than L2, of
        pixels and of differences of neighbours.
        """
        target, geometry = batch["target"], geometry_of(batch)
        count = len(target)
        is_regression = torch.arange(count, device=target.device) < count // 2
        sigma = torch.exp(MEAN_LOG_SIGMA + STD_LOG_SIGMA * torch.randn(count)).to(target)
        sigma = sigma.clamp(max=self.network.config.max_sigma)
        noisy = target + sigma[:, None, None, None] * torch.randn_like(target)
        sigma = torch.where(is_regression, self.network.config.max_sigma, sigma)
        noisy = torch.where(is_regression[:, None, None, None], torch.zeros_like(noisy), noisy)
        textures = self.network.texture_encoder(batch["source"])
        keep = (torch.rand(2, count, 1, 1, 1) >= DROP_PROBABILITY).to(target)
        textures = {level: texture * keep[0] for level, texture in textures.items()}
        out = self.network(noisy, sigma, leave_out(geometry, keep[1]), textures)
        weight = 1 + INVENTED_WEIGHT * geometry.invented_mask
        # A little noise is easy to see through; its small errors are as much worth.
        by_level = torch.where(is_regression, 1.0, (1 + 0.25 / sigma**2).clamp(max=4).sqrt())
        error = (weight * (out - target).abs()).mean((1, 2, 3))
        for axis in (2, 3):
            edges = out.diff(dim=axis) - target.diff(dim=axis)
            error = error + EDGE_WEIGHT * edges.abs().mean((1, 2, 3))
        loss: Tensor = (by_level * error).mean()
        return loss

    def validate(self) -> dict[str, float]:
        """Signal-to-noise ratios in dB on people that are never trained on."""
        device = next(self.network.parameters()).device
        batch = {k: v.to(device) for k, v in stack_pairs(self._held_out).items()}
        geometry = geometry_of(batch)
        out = self.network.predict(geometry, self.network.texture_encoder(batch["source"]))
        masks = {
            part: torch.from_numpy(np.stack([fill_outline(p.target, part) for p in self._held_out]))
            for part in ("face", "mouth")
        }
        masks["whole"] = torch.ones_like(masks["face"])
        scores = {}
        for name, image in (("", out), ("moved_", geometry.photograph)):
            for part, mask in masks.items():
                scores[f"{name}{part}"] = measure_psnr(image, batch["target"], mask.to(device))
        return scores


def stack_pairs(pairs: Sequence[Pair]) -> Batch:
    """Pairs as fields (b, …), images in −1…1."""
    rows = [describe_geometry([p.frame], [p.landmarks], [p.numbers], p.turn_degrees) for p in pairs]
    fields = {
        name: torch.cat([getattr(row, name) for row in rows])
        for name in Geometry.__dataclass_fields__
    }
    for name, images in (
        ("source", [p.source for p in pairs]),
        ("target", [p.target.image for p in pairs]),
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
