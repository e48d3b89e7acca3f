"""What the network of TGDM learns from drawn people."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...geometry.mesh import FaceMesh
from ...learning.trainer import Batch, TrainConfig, validation_generator
from ...models.tgdm.network import TGDM
from ...models.tgdm.objective import compute_loss, geometry_of, measure_psnr, stack_pairs
from .pairs import SWAP_PROBABILITY, DrawnPair, PairMaker, fill_outline

HELD_OUT = 1_000_000
"""Seeds of people from here on are never trained on."""
VALIDATION_PAIRS = 16


@dataclass
class TGDMObjective:
    """Pairs of drawn people, and a measure of those that are never trained on.

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

    def _make_pair(self, rng: np.random.Generator) -> DrawnPair:
        first, second = (int(seed) for seed in rng.integers(self.people, size=2))
        if rng.random() < SWAP_PROBABILITY:
            return self.maker.make_swap(rng, (first, second))
        return self.maker.make(rng, first)

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of a batch (b, …)."""
        return compute_loss(self.network, batch)

    def validate(self) -> dict[str, float]:
        """Signal-to-noise ratios in dB on people that are never trained on."""
        device = next(self.network.parameters()).device
        batch = {k: v.to(device) for k, v in stack_pairs(self._held_out).items()}
        geometry = geometry_of(batch)
        out = self.network.predict(geometry, self.network.texture_encoder(batch["source"]))
        masks = {
            part: torch.from_numpy(
                np.stack([fill_outline(p.drawing, part) for p in self._held_out])
            )
            for part in ("face", "mouth")
        }
        masks["whole"] = torch.ones_like(masks["face"])
        scores = {}
        for name, image in (("", out), ("moved_", geometry.photograph)):
            for part, mask in masks.items():
                scores[f"{name}{part}"] = measure_psnr(image, batch["target"], mask.to(device))
        return scores
