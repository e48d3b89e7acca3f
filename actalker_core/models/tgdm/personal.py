"""Weights for one person: the network goes on learning from a clip, until it is stopped."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import check_choice
from ...learning.trainer import TrainConfig, Trainer
from .checkpoint import BUILT_IN, load_network, save_network
from .config import VARIANTS
from .network import TGDM
from .personal_objective import PersonalObjective

RECIPE = TrainConfig(
    steps=800,
    batch_size=8,
    learning_rate=3e-4,
    muon_rate=0.003,
    warmup_steps=20,
    ema_decay=0.995,
    log_every=50,
)
"""Rates are a third of those that the built-in network was trained with."""


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        step: done so far. steps: in total.
        loss: of that step.
        draw_samples: (h, w, 3) what the averaged weights make now; see
            `PersonalObjective.draw_samples`.
    """

    step: int
    steps: int
    loss: float
    draw_samples: Callable[[], NDArray[np.uint8]]


def open_start(variant: str = BUILT_IN, start: Path | None = None) -> TGDM:
    """The network that a training starts from, ready to learn.

    Args:
        variant: the built-in one starts from its shipped weights, others from chance.
        start: a file of the family that serves instead.

    Raises:
        CheckpointError: the file is missing, damaged, or of another family.
        InputError: an unknown variant.
    """
    check_choice("Variant", variant, VARIANTS)
    if start is None and variant != BUILT_IN:
        torch.manual_seed(RECIPE.seed)
        return TGDM(VARIANTS[variant])
    return load_network(start or BUILT_IN).requires_grad_(True)


def train_personal(
    objective: PersonalObjective,
    out: Path,
    folder: Path,
    device: torch.device,
    *,
    deadline: float = math.inf,
    on_progress: Callable[[Progress], bool | None] | None = None,
) -> bool:
    """Go on from the folder's checkpoint, and write the averaged weights; whether all is done.

    Args:
        out: .safetensors that `load_network` reads.
        folder: of the checkpoint and the log; of one clip and one start.
        deadline: of `time.monotonic()`.
        on_progress: called after every step. False ends the training and the file is written; an
            error cancels it without a file. The checkpoint is written either way.

    Raises:
        CheckpointError: the file cannot be written.
        InputError: the folder's checkpoint is of other sizes.
    """
    trainer = Trainer(objective, folder, device)

    def draw_samples() -> NDArray[np.uint8]:
        with trainer.use_average():
            return objective.draw_samples()

    def tell(step: int, loss: float) -> bool | None:
        if on_progress is None:
            return None
        return on_progress(Progress(step, objective.config.steps, loss, draw_samples))

    trainer.train(deadline=deadline, on_step=tell)
    with trainer.use_average():
        save_network(objective.network, out)
    return trainer.done
