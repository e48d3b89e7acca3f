"""The loop that every stage of the training runs in: batches from a seed, checkpoints, a log."""

import json
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError
from .muon import Muon, is_hidden

log = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 120.0
FLOOR = 0.02
"""The learning rate ends at this share of its peak."""


@dataclass(frozen=True)
class Recipe:
    """How a stage is trained.

    Attributes:
        steps: in all; the learning rate falls towards the last one.
        batch: examples per step. learning_rate: its peak, after `warm_up` steps.
        hidden_rate: the peak for matrices and convolutions between hidden layers, which then learn
            by Muon; 0 if AdamW serves all.
        average: how much of the running average of the weights stays at each step; 0 for none.
        report_every: steps between two lines of the log.
    """

    steps: int
    batch: int
    learning_rate: float
    hidden_rate: float = 0.0
    warm_up: int = 50
    weight_decay: float = 0.0
    average: float = 0.0
    report_every: int = 50
    seed: int = 0


Batch = dict[str, Tensor]


class Stage(Protocol):
    """Something to train.

    Attributes:
        name: of its checkpoint and its log.
        network: everything that learns.
    """

    name: str
    recipe: Recipe
    network: nn.Module

    def batch(self, rng: np.random.Generator) -> Batch:
        """What one step learns from, on the CPU; `rng` alone decides it."""

    def loss(self, batch: Batch) -> Tensor:
        """Of one batch, on the device of the network."""

    def held_out(self) -> dict[str, float]:
        """Measures on what is never trained on."""


class Batches(Dataset[Batch]):
    """The batch of every step: the same for a step, whoever makes it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __getitem__(self, step: int) -> Batch:
        """That of one step."""
        return self.stage.batch(np.random.default_rng([self.stage.recipe.seed, step]))


class Run:
    """A stage with its optimiser, at some step; resumes from its checkpoint bit for bit.

    Args:
        workers: processes that make batches ahead of time; worth it beside a GPU.
    """

    def __init__(self, stage: Stage, folder: Path, device: torch.device, workers: int = 0) -> None:
        self.stage, self.recipe, self.folder, self.device = stage, stage.recipe, folder, device
        self.workers = workers
        self.step, self.seconds = 0, 0.0
        stage.network.to(device).train()
        self.weights = [p for p in stage.network.parameters() if p.requires_grad]
        self.optimisers = make_optimisers(stage.network, self.recipe)
        self.average = [w.detach().clone() for w in self.weights] if self.recipe.average else []
        if self.checkpoint.is_file():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the stage stands."""
        return self.folder / f"{self.stage.name}.pt"

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.recipe.steps

    def train(self, until_step: int | None = None, until_time: float = math.inf) -> None:
        """Go on to a step (by default the last), or until `time.monotonic()` passes a time."""
        last = min(until_step or self.recipe.steps, self.recipe.steps)
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = time.monotonic()
        losses: list[float] = []
        for batch in self._batches(last):
            if time.monotonic() >= until_time:
                break
            losses.append(self._take_step(batch))
            if self.step % self.recipe.report_every == 0 or self.step == last:
                self._report(losses)
                losses = []
            if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def _batches(self, last: int) -> Iterable[Batch]:
        """Those of the steps to come, in order."""
        return DataLoader(
            Batches(self.stage),
            sampler=range(self.step, last),
            batch_size=None,
            num_workers=self.workers,
        )

    def _take_step(self, batch: Batch) -> float:
        started = time.monotonic()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = optimiser.defaults["lr"] * _pace(self.step, self.recipe)
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # of the noise
        batch = {name: field.to(self.device) for name, field in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.stage.loss(batch)
        self.stage.network.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._follow()
        self.seconds += time.monotonic() - started
        return float(loss.detach())

    def _follow(self) -> None:
        """Move the running average towards the weights; early on it follows them closely."""
        if self.average:
            keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.average, [w.detach() for w in self.weights], 1 - keep)

    def swap_average(self) -> None:
        """Exchange the weights and their running average, where there is one."""
        for weight, average in zip(self.weights, self.average, strict=False):
            weight.data, average.data = average.data, weight.data

    def _report(self, losses: list[float]) -> None:
        line = {"step": self.step, "seconds": self.seconds, "loss": float(np.mean(losses))}
        self.swap_average()
        with torch.no_grad():
            self.stage.network.train(False)
            line |= self.stage.held_out()
            self.stage.network.train()
        self.swap_average()
        log.info("%s: %s", self.stage.name, " ".join(f"{k} {v:.4g}" for k, v in line.items()))
        with (self.folder / f"{self.stage.name}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.stage.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average,
        }
        unfinished = self.checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)

    def _resume(self) -> None:
        state = read_checkpoint(self.checkpoint)
        try:
            self.stage.network.load_state_dict(state["network"])
            for optimiser, stored in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(stored)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{self.checkpoint}: expected a checkpoint of this stage and these sizes. Choose "
                f"another folder, or remove the file to start anew. {error}"
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]
        for here, stored in zip(self.average, state["average"], strict=True):
            here.copy_(stored)


def make_optimisers(network: nn.Module, recipe: Recipe) -> list[Optimizer]:
    """AdamW, and Muon for hidden layers where the recipe wants it."""
    named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    hidden = [weight for name, weight in named if recipe.hidden_rate and is_hidden(name, weight)]
    apart = {id(weight) for weight in hidden}
    others = [weight for _, weight in named if id(weight) not in apart]
    optimisers: list[Optimizer] = [
        torch.optim.AdamW(
            others,
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=recipe.weight_decay,
        )
    ]
    return [*optimisers, Muon(hidden, recipe.hidden_rate)] if hidden else optimisers


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `Run.save` wrote, on the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _pace(step: int, recipe: Recipe) -> float:
    """Share of the peak learning rate: a linear rise, then half a cosine down."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    share = (step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))


def held_out_generator(seed: int = 1_000_003) -> np.random.Generator:
    """A generator that no training step uses."""
    return np.random.default_rng([seed])
