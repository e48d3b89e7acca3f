"""TGDM without one of its parts, trained for the same time as with all of them."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...geometry.mesh import FaceMesh
from ...learning.trainer import TrainConfig, Trainer
from ...models.tgdm.config import TGDMConfig
from ...models.tgdm.network import TGDM, Geometry
from ...models.tgdm.sampling import Sampling
from .measures import Scores, average, draw_video, finish_video, measure_likeness
from .objective import TGDMObjective


class WithoutFace(TGDM):
    """Sees no I_3d."""

    def forward(
        self, noisy: Tensor, sigma: Tensor, geometry: Geometry, textures: dict[int, Tensor]
    ) -> Tensor:
        """(b, 3, h, w), see `TGDM.forward`."""
        blank = torch.full_like(geometry.face, -1.0)
        return super().forward(noisy, sigma, replace(geometry, face=blank), textures)


class WithoutCoefficients(TGDM):
    """Is told no ρ̂."""

    def forward(
        self, noisy: Tensor, sigma: Tensor, geometry: Geometry, textures: dict[int, Tensor]
    ) -> Tensor:
        """(b, 3, h, w), see `TGDM.forward`."""
        zeros = torch.zeros_like(geometry.coefficients)
        return super().forward(noisy, sigma, replace(geometry, coefficients=zeros), textures)


class WithoutGate(TGDM):
    """Paints the whole image anew: nothing of the moved photograph is kept by itself."""

    def mend(
        self, photograph: Tensor, correction: Tensor, replacement: Tensor, gate: Tensor
    ) -> Tensor:
        """(b, 3, h, w), see `TGDM.mend`."""
        return replacement


def remove_attention(config: TGDMConfig) -> TGDM:
    """The network that never looks at the source's texture."""
    return TGDM(replace(config, texture_levels=()))


ABLATIONS: dict[str, Callable[[TGDMConfig], TGDM]] = {
    "whole": TGDM,
    "without texture attention": remove_attention,
    "without I_3d": WithoutFace,
    "without coefficients": WithoutCoefficients,
    "without gate": WithoutGate,
}


def train_ablation(
    name: str,
    config: TGDMConfig,
    recipe: TrainConfig,
    mesh: FaceMesh,
    folder: Path,
    cpu_seconds: float,
) -> Trainer:
    """A network of `ABLATIONS`, trained for some time of the processor, with averaged weights.

    Time of the processor is the same on a machine that is busy with other things.
    """
    torch.manual_seed(recipe.seed)
    objective = TGDMObjective(recipe, ABLATIONS[name](config), mesh)
    trainer = Trainer(objective, folder, torch.device("cpu"))
    end = time.process_time() + cpu_seconds
    trainer.train(on_step=lambda step, loss: time.process_time() < end)
    trainer.swap_ema()
    objective.network.train(False)
    return trainer


def measure_ablation(trainer: Trainer, people: int, frames: int) -> Scores:
    """Mean likeness of the regression on people, motions and sources that are never trained on."""
    objective = trainer.objective
    assert isinstance(objective, TGDMObjective)
    videos = (draw_video(objective.maker, person, frames) for person in range(people))
    rows = [
        measure_likeness(video, finish_video(objective.network, video, Sampling()))
        for video in videos
    ]
    return {"steps": float(trainer.step), **average(rows)}
