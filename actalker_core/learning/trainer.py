"""The training loop of every stage: batches from a seed, optimisers, checkpoints, a log."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError
from .muon import Muon, is_hidden_weight

log = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 120.0
MIN_RATE_FACTOR = 0.02
"""The learning rate ends at this part of its peak."""


@dataclass(frozen=True)
class TrainConfig:
    """How a stage is trained.

    Attributes:
        steps: in total; the learning rate falls towards the last one.
        batch_size: samples per step. learning_rate: its peak, after `warmup_steps` steps.
        muon_rate: the peak for matrices and convolutions between hidden layers, which then learn
            by Muon; 0 if AdamW serves all.
        ema_decay: of the moving average of the weights, per step; 0 for no average.
        log_every: steps between two lines of the log.
    """

    steps: int
    batch_size: int
    learning_rate: float
    muon_rate: float = 0.0
    warmup_steps: int = 50
    weight_decay: float = 0.0
    ema_decay: float = 0.0
    log_every: int = 50
    seed: int = 0


Batch = dict[str, Tensor]
"""Fields by name, each with a row for every sample."""


class Objective(Protocol):
    """What a stage trains, and on what.

    Attributes:
        name: of the checkpoint and of the log.
        network: every weight that learns.
    """

    name: str
    config: TrainConfig

    @property
    def network(self) -> nn.Module:
        """Every weight that learns."""

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """The batch of one step, fields (b, …) on the CPU; `rng` alone decides it."""

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of a batch (b, …) on the device of the network."""

    def validate(self) -> dict[str, float]:
        """Measures on data that is never trained on, by name."""


class BatchDataset(Dataset[Batch]):
    """The batch of every step, the same in every process."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __getitem__(self, step: int) -> Batch:
        """The batch (b, …) of one step."""
        return self.objective.make_batch(np.random.default_rng([self.objective.config.seed, step]))


class Trainer:
    """An objective with its optimisers at some step; resumes from a checkpoint bit for bit.

    Args:
        folder: of the checkpoint and the log.
        workers: processes that make batches ahead of time; worth it beside a GPU.

    Raises:
        InputError: the folder's checkpoint belongs to another stage, or to other sizes.
    """

    def __init__(
        self, objective: Objective, folder: Path, device: torch.device, workers: int = 0
    ) -> None:
        self.objective, self.config = objective, objective.config
        self.folder, self.device, self.workers = folder, device, workers
        self.step, self.seconds = 0, 0.0
        objective.network.to(device).train()
        self.weights = [p for p in objective.network.parameters() if p.requires_grad]
        self.optimisers = build_optimisers(objective.network, self.config)
        self.ema = [w.detach().clone() for w in self.weights] if self.config.ema_decay else []
        if self.checkpoint.is_file():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The file that training resumes from."""
        return self.folder / f"{self.objective.name}.pt"

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.config.steps

    def train(
        self,
        last_step: int | None = None,
        deadline: float = math.inf,
        on_step: Callable[[int, float], bool | None] | None = None,
    ) -> None:
        """Go on to a step (by default the last), or until `time.monotonic()` passes a time.

        Args:
            on_step: called with the steps done and the loss of the last one; False ends the
                training, an error cancels it, and the checkpoint is written either way.
        """
        last = min(last_step or self.config.steps, self.config.steps)
        self.folder.mkdir(parents=True, exist_ok=True)
        saved_at = time.monotonic()
        losses: list[float] = []
        for batch in self._batches(last):
            if time.monotonic() >= deadline:
                break
            loss = self._take_step(batch)
            losses.append(loss)
            if self.step % self.config.log_every == 0 or self.step == last:
                self._report(losses)
                losses = []
            if time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                self.save()
                saved_at = time.monotonic()
            if on_step is not None and not self._ask(on_step, loss):
                break
        self.save()

    def _ask(self, on_step: Callable[[int, float], bool | None], loss: float) -> bool:
        """Whether training goes on."""
        try:
            return on_step(self.step, loss) is not False
        except BaseException:
            self.save()
            raise

    def _batches(self, last: int) -> Iterable[Batch]:
        """The batches up to a step, in order."""
        return DataLoader(
            BatchDataset(self.objective),
            sampler=range(self.step, last),
            batch_size=None,
            num_workers=self.workers,
        )

    def _take_step(self, batch: Batch) -> float:
        start = time.monotonic()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = optimiser.defaults["lr"] * _rate_factor(self.step, self.config)
        # Noise follows from the step, so that a run that resumes draws the same.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        batch = {name: field.to(self.device) for name, field in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.objective.compute_loss(batch)
        self.objective.network.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._update_ema()
        self.seconds += time.monotonic() - start
        return float(loss.detach())

    def _update_ema(self) -> None:
        """Move the average towards the weights."""
        if self.ema:
            # Early weights are random: a short memory forgets them, a long one would keep them.
            decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.ema, [w.detach() for w in self.weights], 1 - decay)

    def swap_ema(self) -> None:
        """Exchange the weights and their moving average, where there is one."""
        for weight, average in zip(self.weights, self.ema, strict=False):
            weight.data, average.data = average.data, weight.data

    @contextmanager
    def use_average(self) -> Iterator[None]:
        """The network as it will be used: with the averaged weights, and without gradients."""
        self.swap_ema()
        self.objective.network.train(False)
        try:
            with torch.no_grad():
                yield
        finally:
            self.objective.network.train()
            self.swap_ema()

    def _report(self, losses: list[float]) -> None:
        line = {"step": self.step, "seconds": self.seconds, "loss": float(np.mean(losses))}
        with self.use_average():
            line |= self.objective.validate()
        log.info("%s: %s", self.objective.name, " ".join(f"{k} {v:.4g}" for k, v in line.items()))
        with (self.folder / f"{self.objective.name}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is complete."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.objective.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "ema": self.ema,
        }
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        try:
            self.objective.network.load_state_dict(state["network"])
            for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(values)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{self.checkpoint}: expected a checkpoint of this stage and these sizes. Choose "
                f"another folder, or remove the file to start anew. {error}"
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]
        for average, values in zip(self.ema, state["ema"], strict=True):
            average.copy_(values)


def build_optimisers(network: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """AdamW, and Muon for hidden layers where its rate is not 0."""
    weights = {n: weight for n, weight in network.named_parameters() if weight.requires_grad}
    hidden_weights = {
        n: w for n, w in weights.items() if config.muon_rate and is_hidden_weight(n, w)
    }
    adamw = torch.optim.AdamW(
        [weight for name, weight in weights.items() if name not in hidden_weights],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    return [adamw, Muon(hidden_weights.values(), config.muon_rate)] if hidden_weights else [adamw]


def _rate_factor(step: int, config: TrainConfig) -> float:
    """Factor on the peak learning rate: a linear rise, then half a cosine down."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return MIN_RATE_FACTOR + (1 - MIN_RATE_FACTOR) * 0.5 * (1 + math.cos(math.pi * progress))


def validation_generator(seed: int = 1_000_003) -> np.random.Generator:
    """A random generator that no training step uses."""
    return np.random.default_rng([seed])
