"""What the loop asks of a model's guidance, and where guidance may be left out or used again."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import InputError, quote
from ..limits import REUSE_STEPS, SIGMA

PassT = TypeVar("PassT", bound=Hashable)
"""A guidance pass: one evaluation of the denoiser, which reads some of the conditions. Each model
family names its own."""

PassPlan = dict[PassT, float]
"""Passes that must run, and their weights."""


class PlansPasses(Protocol[PassT]):
    """A model's guidance."""

    def plan(
        self, step: int, steps: int, equal: Sequence[PassT]
    ) -> tuple[PassPlan[PassT], PassPlan[PassT]]:
        """What must run at a step for the guided latents, and for the unguided ones.

        The passes of the second are among those of the first.

        Args:
            equal: for each pass, the first one that computes the same.
        """


def sum_passes(predictions: Mapping[PassT, Tensor], plan: PassPlan[PassT]) -> Tensor:
    """The passes of a plan, each (f, c, h, w), added up."""
    return torch.as_tensor(sum(weight * predictions[key] for key, weight in plan.items()))


@dataclass(frozen=True)
class GuidanceInterval:
    """Where guidance is computed; by default at every step.

    Attributes:
        guide_from, guide_to: noise levels between which guidance runs. Outside of them nothing
            is guided: scales above 1 count as 1, so that one pass is usually enough, and a signal
            of scale 0 still has no effect.
        reuse_every: guidance is computed at one step of so many; between, each frame gets what
            guidance added to it before.

    Source: Kynkäänniemi et al., arXiv 2404.07724, for the interval.
    """

    guide_from: float = math.inf
    guide_to: float = 0.0
    reuse_every: int = 1

    def __post_init__(self) -> None:
        """Refuse an interval that ends before it begins, and less than every step."""
        opens = self.guide_from == math.inf or SIGMA.contains(self.guide_from)
        are_held = (
            opens and SIGMA.contains(self.guide_to) and REUSE_STEPS.contains(self.reuse_every)
        )
        if not are_held or self.guide_from < self.guide_to:
            values = map(quote, (self.guide_from, self.guide_to, self.reuse_every))
            raise InputError(
                "Guidance interval: expected noise levels guide_from ≥ guide_to ≥ 0, at most "
                f"{SIGMA.maximum:,g}, and reuse_every from 1 to {REUSE_STEPS.maximum}, got "
                f"{', '.join(values)}. Change them."
            )

    def contains(self, sigma: float) -> bool:
        """Whether guidance acts at a noise level."""
        return self.guide_from >= sigma >= self.guide_to

    def computes(self, step: int, sigma: float, is_cached: bool) -> bool:
        """Whether guidance is computed at a step, rather than left out or used again.

        Args:
            is_cached: whether an earlier step has computed what may be used again.
        """
        return self.contains(sigma) and not (step % self.reuse_every and is_cached)
