"""The whole course: stages in their order, each built on what the ones before have learnt."""

import logging
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, check_choice
from ..models.actalker.checkpoint.single_file import load, save
from ..models.actalker.config import VARIANTS, ModelConfig
from ..models.actalker.networks import ACTalker
from .autoencoder import Autoencoder, calibrate, draw_pictures, with_time
from .diffusion import Diffusion
from .library import DrawnTakes, Takes, collect
from .listener import Listener
from .stage import Batch, Recipe, Run, Stage
from .watchers import TASKS, Watcher

log = logging.getLogger(__name__)

STAGES = ("vae", *TASKS, "listener", "takes", "diffusion")
FIRST_HELD_OUT_SEED = 1_000
"""Seeds from here on are never trained on."""
CALIBRATION_PICTURES = 64

VAE = Recipe(steps=2600, batch=1, learning_rate=6e-5, hidden_rate=2e-3, warm_up=100, average=0.99)
EXPRESSION = Recipe(
    steps=4500, batch=8, learning_rate=1e-3, warm_up=100, average=0.99, report_every=100
)
HEAD_POSE = replace(EXPRESSION, steps=3000)
IDENTITY = replace(EXPRESSION, steps=800, average=0.0)
LISTENER = Recipe(steps=3000, batch=1, learning_rate=1.5e-3, report_every=200)
DIFFUSION = Recipe(
    steps=7200,
    batch=2,
    learning_rate=1e-3,
    hidden_rate=8e-3,
    warm_up=50,
    average=0.998,
    report_every=100,
)


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        speeches, motions: in the library of signals. files: of 100 takes each.
        held_out: how many takes the denoiser is tested on while it learns.
    """

    vae: Recipe = VAE
    expression: Recipe = EXPRESSION
    head_pose: Recipe = HEAD_POSE
    identity: Recipe = IDENTITY
    listener: Recipe = LISTENER
    diffusion: Recipe = DIFFUSION
    speeches: int = 120
    motions: int = 600
    files: int = 20
    held_out: int = 24
    seed: int = 0


@dataclass
class Course:
    """A model in training.

    Args:
        folder: of checkpoints, logs and takes. denoiser_folder: of the last stage, if another.
        base: a model that stands in for stages without a checkpoint. base_steps: those that its
            denoiser has taken, to go on from there; with 0 the denoiser is learnt anew.
        until: `time.monotonic()` at which to stop wherever it is; infinity for never.
        workers: processes that draw beside a GPU.
    """

    folder: Path
    denoiser_folder: Path | None = None
    base: Path | None = None
    base_steps: int = 0
    config: ModelConfig = field(default_factory=lambda: VARIANTS["built-in"])
    plan: Plan = field(default_factory=Plan)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    until: float = math.inf
    workers: int = 0

    @property
    def denoiser_home(self) -> Path:
        """Where the last stage keeps its checkpoint."""
        return self.denoiser_folder or self.folder

    def run(self, names: tuple[str, ...] = STAGES) -> bool:
        """Go through stages; whether all of them are done."""
        for name in names:
            check_choice("stage", name, STAGES)
            log.info("Stage: %s", name)
            done = self._make_takes() if name == "takes" else self._train(name)
            if not done or time.monotonic() >= self.until:
                return False
        return True

    def _train(self, name: str) -> bool:
        torch.manual_seed(self.plan.seed)  # of the weights that training begins with
        stage = self._stage(name)
        goes_on = name == Diffusion.name and self.base_steps > 0
        if goes_on:
            _take_over(self._base(), stage.network)
        run = Run(stage, self._home(name), self.device, self.workers)
        if goes_on and not run.step:
            run.step = self.base_steps
        run.train(until_time=self.until)
        return run.done

    def _stage(self, name: str, takes: Batch | None = None, unseen: Batch | None = None) -> Stage:
        """A stage, untrained; the last one with its takes, unless others are given."""
        recipe: Recipe = getattr(self.plan, name)
        if name == "vae":
            return Autoencoder(self.config, recipe)
        if name == "listener":
            return Listener(self.config, recipe)
        if name in TASKS:
            return Watcher(name, self.config, recipe)
        if takes is None or unseen is None:
            takes, unseen = (Takes(self.folder / kind).read() for kind in ("takes", "unseen"))
            unseen = {field: rows[: self.plan.held_out] for field, rows in unseen.items()}
        return Diffusion(self.config, recipe, takes, unseen)

    def _home(self, name: str) -> Path:
        return self.denoiser_home if name == Diffusion.name else self.folder

    def _make_takes(self) -> bool:
        model = self.model(("vae", *TASKS, "listener"))
        plan = self.plan
        unseen = replace(
            plan,
            files=1,
            speeches=max(plan.speeches // 10, 1),
            motions=max(plan.motions // 10, 1),
            seed=plan.seed + FIRST_HELD_OUT_SEED,
        )
        for name, some in (("takes", plan), ("unseen", unseen)):
            if Takes(self.folder / name).count() >= some.files:
                continue
            library = collect(model, some.speeches, some.motions, some.seed, self.workers)
            drawn, takes = DrawnTakes(library, self.config, some.seed), Takes(self.folder / name)
            if not takes.make(model, drawn, some.files, self.until, self.workers):
                return False
        return True

    def model(self, names: tuple[str, ...] = STAGES) -> ACTalker:
        """Everything that some stages have learnt so far, ready to be used.

        Raises:
            InputError: one of them has no checkpoint.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = ACTalker(self.config).train(False).requires_grad_(False)
        if self.base is not None:
            _take_over(self._base(), model)
        for name in (name for name in names if name != "takes" and not self._stands_in(name)):
            if name == "vae":
                self._add_vae(model)
            else:
                _take_over(self._learnt(self._stage(name, {}, {})), model)
        return model.to(self.device)

    def _base(self) -> Batch:
        if self.base is None:
            raise InputError("Steps of a base: expected its file, got none. Name it by --base.")
        return load(self.base).state_dict()

    def _stands_in(self, name: str) -> bool:
        """Whether the base serves for a stage."""
        return self.base is not None and not (self._home(name) / f"{name}.pt").is_file()

    def _add_vae(self, model: ACTalker) -> None:
        with_time(model.vae, self._learnt(self._stage("vae")))
        drawn = draw_pictures(np.random.default_rng(self.plan.seed), CALIBRATION_PICTURES)
        calibrate(model.vae, drawn["pictures"], self.config.vae.scaling_factor)

    def _learnt(self, stage: Stage) -> dict[str, torch.Tensor]:
        """A stage's weights: their running average where there is one."""
        run = Run(stage, self._home(stage.name), torch.device("cpu"))
        if not run.step:
            raise InputError(f"{run.checkpoint}: expected a checkpoint. Run this stage first.")
        run.swap_average()
        return stage.network.state_dict()

    def export(self, path: Path) -> None:
        """Write the model as one file, in half precision."""
        save(self.model().state_dict(), self.config, path, torch.float16)


def _take_over(weights: Batch, network: nn.Module) -> None:
    """Those weights that a network knows."""
    known = network.state_dict().keys()
    network.load_state_dict({k: v for k, v in weights.items() if k in known}, strict=False)


ABLATIONS: dict[str, dict[str, Any]] = {
    "as built": {},
    "without mask-drop": {"mask_drop": False},
    "cross-attention instead of Mamba": {"has_mamba": False},
    "scan across frames": {"scan_across_frames": True},
}
"""What the paper leaves out or exchanges, as changes of the UNet's configuration."""


def ablations(course: Course, steps: int) -> dict[str, Course]:
    """The last stage anew for each ablation, all with one budget; the rest is the course's."""
    plan = replace(course.plan, diffusion=replace(course.plan.diffusion, steps=steps))
    return {
        name: replace(
            course,
            plan=plan,
            config=replace(course.config, unet=replace(course.config.unet, **changes)),
            denoiser_folder=course.folder / "ablations" / name.replace(" ", "-"),
            base_steps=0,
        )
        for name, changes in ABLATIONS.items()
    }
