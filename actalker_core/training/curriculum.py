"""The curriculum: stages in their order, each built on what those before have learnt."""

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
from ..learning.trainer import Batch, Objective, TrainConfig, Trainer
from ..models.actalker.checkpoint.single_file import load, save
from ..models.actalker.config import VARIANTS, ModelConfig
from ..models.actalker.networks import ACTalker
from .audio_encoder import AudioEncoderObjective
from .autoencoder import AutoencoderObjective, calibrate_latents, load_spatial_weights, render_batch
from .dataset import SampleDataset, SampleStore, encode_signals
from .denoiser import DenoiserObjective
from .face_encoders import FACE_ENCODERS, FaceEncoderObjective

log = logging.getLogger(__name__)

STAGES = ("vae", *FACE_ENCODERS, "audio_encoder", "samples", "denoiser")
VALIDATION_SEED = 1_000
"""Seeds from here on are never trained on."""
CALIBRATION_IMAGES = 64

VAE = TrainConfig(
    steps=2600,
    batch_size=1,
    learning_rate=6e-5,
    muon_rate=2e-3,
    warmup_steps=100,
    ema_decay=0.99,
)
EXPRESSION = TrainConfig(
    steps=4500, batch_size=8, learning_rate=1e-3, warmup_steps=100, ema_decay=0.99, log_every=100
)
HEAD_POSE = replace(EXPRESSION, steps=3000)
IDENTITY = replace(EXPRESSION, steps=800, ema_decay=0.0)
AUDIO_ENCODER = TrainConfig(steps=3000, batch_size=1, learning_rate=1.5e-3, log_every=200)
DENOISER = TrainConfig(
    steps=7200,
    batch_size=2,
    learning_rate=1e-3,
    muon_rate=8e-3,
    warmup_steps=50,
    ema_decay=0.998,
    log_every=100,
)


@dataclass(frozen=True)
class CurriculumConfig:
    """How long every stage trains, and on how much data.

    Attributes:
        speeches, motions: that samples are made of. files: of 100 samples each.
        validation_samples: how many the denoiser is validated on.
    """

    vae: TrainConfig = VAE
    expression: TrainConfig = EXPRESSION
    head_pose: TrainConfig = HEAD_POSE
    identity: TrainConfig = IDENTITY
    audio_encoder: TrainConfig = AUDIO_ENCODER
    denoiser: TrainConfig = DENOISER
    speeches: int = 120
    motions: int = 600
    files: int = 20
    validation_samples: int = 24
    seed: int = 0


@dataclass
class Curriculum:
    """A model in training.

    Args:
        folder: of checkpoints, logs and samples. denoiser_folder: of the last stage, if another.
        base: a model that stands in for stages without a checkpoint. base_steps: those that its
            denoiser has taken, to go on from there; with 0 the denoiser is trained anew.
        deadline: `time.monotonic()` at which to stop; infinity for never.
        workers: processes that render beside a GPU.
    """

    folder: Path
    denoiser_folder: Path | None = None
    base: Path | None = None
    base_steps: int = 0
    model_config: ModelConfig = field(default_factory=lambda: VARIANTS["built-in"])
    config: CurriculumConfig = field(default_factory=CurriculumConfig)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    deadline: float = math.inf
    workers: int = 0

    def stage_folder(self, name: str) -> Path:
        """Where a stage has its checkpoint and log."""
        is_denoiser = name == DenoiserObjective.name
        return self.denoiser_folder or self.folder if is_denoiser else self.folder

    def run(self, names: tuple[str, ...] = STAGES) -> bool:
        """Go through stages; whether all of them are done.

        Raises:
            InputError: there is no such stage, or one has no checkpoint that another needs.
        """
        for name in names:
            check_choice("stage", name, STAGES)
            log.info("Stage: %s", name)
            is_done = self._make_samples() if name == "samples" else self._train(name)
            if not is_done or time.monotonic() >= self.deadline:
                return False
        return True

    def _train(self, name: str) -> bool:
        torch.manual_seed(self.config.seed)  # of the initial weights
        objective = self._build_objective(name)
        continues_base = name == DenoiserObjective.name and self.base_steps > 0
        if continues_base:
            _load_matching(objective.network, self._load_base())
        trainer = Trainer(objective, self.stage_folder(name), self.device, self.workers)
        if continues_base and not trainer.step:
            trainer.step = self.base_steps
        trainer.train(deadline=self.deadline)
        return trainer.done

    def _build_objective(self, name: str) -> Objective:
        """An untrained objective; the denoiser's with the samples of the folder."""
        if name != DenoiserObjective.name:
            return self._build_encoder(name)
        samples, validation_samples = (
            SampleStore(self.folder / folder).read() for folder in ("samples", "validation")
        )
        rows = slice(self.config.validation_samples)
        validation_samples = {key: value[rows] for key, value in validation_samples.items()}
        return self._build_denoiser(samples, validation_samples)

    def _build_encoder(self, name: str) -> Objective:
        config: TrainConfig = getattr(self.config, name)
        if name == "vae":
            return AutoencoderObjective(self.model_config, config)
        if name == "audio_encoder":
            return AudioEncoderObjective(self.model_config, config)
        return FaceEncoderObjective(name, self.model_config, config)

    def _build_denoiser(self, samples: Batch, validation_samples: Batch) -> Objective:
        config = self.config.denoiser
        return DenoiserObjective(self.model_config, config, samples, validation_samples)

    def _make_samples(self) -> bool:
        model = self.load_model(("vae", *FACE_ENCODERS, "audio_encoder"))
        validation = replace(
            self.config,
            files=1,
            speeches=max(self.config.speeches // 10, 1),
            motions=max(self.config.motions // 10, 1),
            seed=self.config.seed + VALIDATION_SEED,
        )
        for name, config in (("samples", self.config), ("validation", validation)):
            store = SampleStore(self.folder / name)
            if store.count_files() >= config.files:
                continue
            signals = encode_signals(
                model, config.speeches, config.motions, config.seed, self.workers
            )
            samples = SampleDataset(signals, self.model_config, config.seed)
            if not store.fill(model, samples, config.files, self.deadline, self.workers):
                return False
        return True

    def load_model(self, names: tuple[str, ...] = STAGES) -> ACTalker:
        """The model with what some stages have learnt so far, ready for inference.

        Raises:
            InputError: one of them has no checkpoint.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = ACTalker(self.model_config).train(False).requires_grad_(False)
        if self.base is not None:
            _load_matching(model, self._load_base())
        for name in names:
            if name == "samples" or self._uses_base(name):
                continue
            if name == "vae":
                self._load_vae(model)
            elif name == DenoiserObjective.name:
                _load_matching(model, self._load_weights(self._build_denoiser({}, {})))
            else:
                _load_matching(model, self._load_weights(self._build_encoder(name)))
        return model.to(self.device)

    def _load_base(self) -> Batch:
        if self.base is None:
            raise InputError("Steps of a base: expected its file, got none. Name it by --base.")
        return load(self.base).state_dict()

    def _uses_base(self, name: str) -> bool:
        """Whether the base stands in for a stage."""
        return self.base is not None and not (self.stage_folder(name) / f"{name}.pt").is_file()

    def _load_vae(self, model: ACTalker) -> None:
        load_spatial_weights(model.vae, self._load_weights(self._build_encoder("vae")))
        batch = render_batch(np.random.default_rng(self.config.seed), CALIBRATION_IMAGES)
        calibrate_latents(model.vae, batch["images"], self.model_config.vae.scaling_factor)

    def _load_weights(self, objective: Objective) -> dict[str, torch.Tensor]:
        """A stage's weights: their moving average where there is one."""
        trainer = Trainer(objective, self.stage_folder(objective.name), torch.device("cpu"))
        if not trainer.step:
            raise InputError(f"{trainer.checkpoint}: expected a checkpoint. Run this stage first.")
        trainer.swap_ema()
        return objective.network.state_dict()

    def export(self, path: Path) -> None:
        """Write the model as one file, in half precision.

        Raises:
            InputError: a stage has no checkpoint.
        """
        save(self.load_model().state_dict(), self.model_config, path, torch.float16)


def _load_matching(network: nn.Module, weights: Batch) -> None:
    """Load those weights whose names a network has."""
    names = network.state_dict().keys()
    network.load_state_dict({k: v for k, v in weights.items() if k in names}, strict=False)


ABLATIONS: dict[str, dict[str, Any]] = {
    "as built": {},
    "without mask-drop": {"mask_drop": False},
    "cross-attention instead of Mamba": {"has_mamba": False},
    "scan across frames": {"scan_across_frames": True},
}
"""What the paper leaves out or exchanges, as changes of the UNet's configuration."""


def build_ablations(curriculum: Curriculum, steps: int) -> dict[str, Curriculum]:
    """The last stage anew for each ablation, all of one budget of steps; the rest is shared."""
    denoiser = replace(curriculum.config.denoiser, steps=steps)
    model_config = curriculum.model_config
    return {
        name: replace(
            curriculum,
            config=replace(curriculum.config, denoiser=denoiser),
            model_config=replace(model_config, unet=replace(model_config.unet, **changes)),
            denoiser_folder=curriculum.folder / "ablations" / name.replace(" ", "-"),
            base_steps=0,
        )
        for name, changes in ABLATIONS.items()
    }
