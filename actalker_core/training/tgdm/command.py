"""`python -m actalker_core.training tgdm …`: train the second family on drawn people."""

import argparse
import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ...errors import check_choice
from ...faces.landmarker_file import require_landmarker
from ...geometry.mesh import load_mesh
from ...learning.trainer import TrainConfig, Trainer
from ...models.tgdm.config import VARIANTS
from ...models.tgdm.network import TGDM
from .objective import TGDMObjective

log = logging.getLogger("actalker_core")

RECIPE = TrainConfig(
    steps=20_000,
    batch_size=8,
    learning_rate=1e-3,
    muon_rate=0.01,
    ema_decay=0.999,
    log_every=100,
)


def add_tgdm(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    train = add(
        "tgdm", help="train TGDM on drawn people, from where the folder's checkpoint stands"
    )
    train.add_argument("--variant", default="built-in", help=f"of {', '.join(VARIANTS)} (built-in)")
    train.add_argument("--steps", type=int, default=RECIPE.steps, help=f"({RECIPE.steps})")
    train.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    train.add_argument("--folder", type=Path, default=Path("training/tgdm"))
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument("--workers", type=int, default=0, help="processes that draw pairs (0)")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    check_choice("Variant", options.variant, VARIANTS)
    torch.manual_seed(RECIPE.seed)
    network = TGDM(VARIANTS[options.variant])
    mesh = load_mesh(require_landmarker())
    objective = TGDMObjective(replace(RECIPE, steps=options.steps), network, mesh)
    trainer = Trainer(objective, options.folder, torch.device(options.device), options.workers)
    trainer.train(deadline=time.monotonic() + 60 * options.minutes)
    log.info("Done." if trainer.done else "Stopped; the same command goes on from here.")
