"""The whole course: stages in their order, each built on what the ones before have learnt."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..bundle import ACTalker
from ..checkpoint.single import save
from ..config import VARIANTS, ModelConfig
from ..errors import InputError
from .autoencoder import Autoencoder, batch, calibrate, with_time
from .diffusion import Diffusion
from .encoders import Listener, Watchers
from .library import Takes, collect
from .stage import Recipe, Run, Stage

log = logging.getLogger(__name__)

STAGES = ("vae", "watchers", "listener", "takes", "diffusion")
FIRST_HELD_OUT_SEED = 1_000
"""Seeds from here on are never trained on."""
CALIBRATION_PICTURES = 64

VAE = Recipe(steps=3000, batch=1, learning_rate=1.5e-4, warm_up=300, average=0.995)
WATCHERS = Recipe(steps=1600, batch=8, learning_rate=1e-3, warm_up=100, report_every=100)
LISTENER = Recipe(steps=400, batch=1, learning_rate=2e-3)
DIFFUSION = Recipe(
    steps=20_000, batch=4, learning_rate=1e-3, warm_up=300, average=0.999, report_every=200
)


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        speeches, motions: in the library of signals. files: of 100 takes each.
        held_out: how many takes the denoiser is tested on while it learns.
    """

    vae: Recipe = VAE
    watchers: Recipe = WATCHERS
    listener: Recipe = LISTENER
    diffusion: Recipe = DIFFUSION
    speeches: int = 120
    motions: int = 160
    files: int = 20
    held_out: int = 8
    seed: int = 0


@dataclass
class Course:
    """A model in training.

    Args:
        folder: of checkpoints, logs and takes. denoiser_folder: of the last stage, if another.
        until: `time.monotonic()` at which to stop wherever it is; infinity for never.
    """

    folder: Path
    denoiser_folder: Path | None = None
    config: ModelConfig = field(default_factory=lambda: VARIANTS["built-in"])
    plan: Plan = field(default_factory=Plan)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    until: float = float("inf")

    def run(self, names: tuple[str, ...] = STAGES) -> bool:
        """Go through stages; whether all of them are done."""
        makers: dict[str, Callable[[], bool]] = {
            "vae": lambda: self._train(Autoencoder(self.config, self.plan.vae)),
            "watchers": lambda: self._train(Watchers(self.config, self.plan.watchers)),
            "listener": lambda: self._train(Listener(self.config, self.plan.listener)),
            "takes": self._make_takes,
            "diffusion": lambda: self._train(self.diffusion()),
        }
        for name in names:
            if name not in makers:
                raise InputError(f"Stage: expected one of {', '.join(STAGES)}, got '{name}'.")
            log.info("Stage: %s", name)
            if not makers[name]() or time.monotonic() >= self.until:
                return False
        return True

    def _train(self, stage: Stage) -> bool:
        run = Run(stage, self._home(stage), self.device)
        run.train(until_time=self.until)
        return run.done

    def _home(self, stage: Stage) -> Path:
        elsewhere = self.denoiser_folder if stage.name == Diffusion.name else None
        return elsewhere or self.folder

    def _make_takes(self) -> bool:
        model = self.model(("vae", "watchers", "listener"))
        plan = self.plan
        unseen = replace(
            plan,
            files=1,
            speeches=max(plan.speeches // 10, 1),
            motions=max(plan.motions // 10, 1),
            seed=plan.seed + FIRST_HELD_OUT_SEED,
        )
        for name, some in (("takes", plan), ("unseen", unseen)):
            library = collect(model, some.speeches, some.motions, some.seed)
            takes = Takes(self.folder / name)
            if not takes.make(model, library, some.files, some.seed, self.until):
                return False
        return True

    def diffusion(self) -> Diffusion:
        """The last stage, with its data."""
        takes, unseen = (Takes(self.folder / name).read() for name in ("takes", "unseen"))
        unseen = {name: values[: self.plan.held_out] for name, values in unseen.items()}
        return Diffusion(self.config, self.plan.diffusion, takes, unseen)

    def model(self, names: tuple[str, ...] = STAGES) -> ACTalker:
        """Everything that some stages have learnt so far, ready to be used.

        Raises:
            InputError: one of them has no checkpoint.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = ACTalker(self.config).eval().requires_grad_(False)
        if "vae" in names:
            self._add_vae(model)
        for name in set(names) & {"watchers", "listener", "diffusion"}:
            self._add(model, name)
        return model.to(self.device)

    def _add_vae(self, model: ACTalker) -> None:
        learnt = Autoencoder(self.config, self.plan.vae)
        with_time(model.vae, self._learnt(learnt))
        pictures, _ = batch(np.random.default_rng(self.plan.seed), CALIBRATION_PICTURES)
        calibrate(model.vae, pictures, self.config.vae.scaling_factor)

    def _add(self, model: ACTalker, name: str) -> None:
        nobody = {"gates": torch.zeros(0)}
        makers: dict[str, Callable[[], Stage]] = {
            "watchers": lambda: Watchers(self.config, self.plan.watchers),
            "listener": lambda: Listener(self.config, self.plan.listener),
            "diffusion": lambda: Diffusion(self.config, self.plan.diffusion, nobody, nobody),
        }
        stage = makers[name]()
        weights = self._learnt(stage)
        known = model.state_dict().keys()
        model.load_state_dict({k: v for k, v in weights.items() if k in known}, strict=False)

    def _learnt(self, stage: Stage) -> dict[str, torch.Tensor]:
        """A stage's weights: their running average where there is one."""
        run = Run(stage, self._home(stage), torch.device("cpu"))
        if not run.step:
            raise InputError(f"{run.checkpoint}: expected a checkpoint. Run this stage first.")
        run.use_average()
        return stage.network.state_dict()

    def export(self, path: Path) -> None:
        """Write the model as one file, in half precision."""
        save(self.model().state_dict(), self.config, path, torch.float16)


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
        )
        for name, changes in ABLATIONS.items()
    }
