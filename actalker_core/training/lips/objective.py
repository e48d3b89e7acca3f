"""The stage of lips: from features of speech to what the mouth does."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...control.motion.lips.network import LOOK_AHEAD_ROWS
from ...learning.trainer import Batch, TrainConfig, validation_generator
from .network import LipTrainee
from .takes import TakeMaker

CLOSURE_WEIGHT, HUMAN_CLOSURE_WEIGHT, TEETH_WEIGHT = 2.0, 6.0, 2.0
"""How much more a row of a contact counts than one without: contacts are rare. Of a person's voice
closures are harder to hear than of espeak-ng, and one that is missed is seen: one threshold shall
serve both."""
SHAPE_SHARE, CONTACT_SHARE, SILENCE_SHARE = 6.0, 1.5, 0.8
"""Of the loss's parts."""


class LipObjective:
    """Learns lips from takes that are drawn anew for every step."""

    name = "lips"

    def __init__(self, maker: TakeMaker, valid_maker: TakeMaker, config: TrainConfig) -> None:
        self.config = config
        self.lips = LipTrainee()
        self.network: nn.Module = self.lips
        self._maker, self._valid_maker = maker, valid_maker
        self._valid_batch: Batch | None = None

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """Features (b, 80, rows), columns (b, 6, rows) and the weight of closures (b,)."""
        return _make_batch(self._maker, rng, self.config.batch_size)

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of a batch (b, …): squared errors of shapes, cross entropies of contacts."""
        outputs = self.lips(batch["features"])
        columns = batch["columns"][..., : outputs.shape[-1]]
        losses = self._losses(outputs, columns, batch["closure_weight"])
        return sum(losses.values(), torch.zeros(()))

    def _losses(
        self, outputs: Tensor, columns: Tensor, closure_weight: Tensor
    ) -> dict[str, Tensor]:
        contacts, targets = outputs[:, 3:5], columns[:, 3:5]
        weights = torch.stack([closure_weight, torch.full_like(closure_weight, TEETH_WEIGHT)], 1)
        weight = 1 + targets * (weights[..., None] - 1)
        contact = F.binary_cross_entropy_with_logits(contacts, targets, weight)
        silence = F.binary_cross_entropy_with_logits(outputs[:, 5], columns[:, 5])
        # What a contact or silence makes of the openness is not the shape's to learn.
        open_part = torch.sigmoid(outputs[:, 0]) * (1 - columns[:, 5])
        shape = F.mse_loss(open_part, columns[:, 0] * (1 - columns[:, 5]))
        width = 2 * torch.sigmoid(outputs[:, 1]) - 1
        speech = 1 - columns[:, 5]
        shape = shape + 0.3 * ((width - columns[:, 1]) ** 2 * speech).mean()
        pucker = torch.sigmoid(outputs[:, 2])
        shape = shape + 0.5 * ((pucker - columns[:, 2]) ** 2 * speech).mean()
        return {
            "shape": SHAPE_SHARE * shape,
            "contact": CONTACT_SHARE * contact,
            "silence": SILENCE_SHARE * silence,
        }

    def validate(self) -> dict[str, float]:
        """Losses, and how openness correlates, on voices that are never trained on."""
        if self._valid_batch is None:
            self._valid_batch = _make_batch(self._valid_maker, validation_generator(), 16)
        device = self.lips.head.weight.device
        batch = {name: values.to(device) for name, values in self._valid_batch.items()}
        outputs = self.lips(batch["features"])
        columns = batch["columns"][..., : outputs.shape[-1]]
        parts = self._losses(outputs, columns, batch["closure_weight"])
        losses = {name: float(loss) for name, loss in parts.items()}
        openness = torch.sigmoid(outputs[:, 0]) * torch.sigmoid(-outputs[:, 5])
        openness = openness * torch.sigmoid(-outputs[:, 3])
        pair = torch.stack([openness.flatten(), columns[:, 0].flatten()])
        return losses | {"openness": float(torch.corrcoef(pair)[0, 1])}


def _make_batch(maker: TakeMaker, rng: np.random.Generator, size: int) -> Batch:
    takes = [maker.make_take(rng) for _ in range(size)]
    features = torch.from_numpy(np.stack([take.features.T for take in takes]))
    columns = torch.from_numpy(np.stack([take.columns.T for take in takes]))
    assert features.shape[-1] == columns.shape[-1] > LOOK_AHEAD_ROWS
    weights = [HUMAN_CLOSURE_WEIGHT if take.is_human else CLOSURE_WEIGHT for take in takes]
    return {
        "features": features,
        "columns": columns,
        "closure_weight": torch.tensor(weights),
    }
