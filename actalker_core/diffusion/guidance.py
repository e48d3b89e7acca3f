"""What the loop asks of a model's guidance, whatever its passes are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

Pass = Any
"""One evaluation of the denoiser, which sees some of the conditions; a model names its own."""

PassPlan = dict[Pass, float]
"""Passes that must run, and their weights."""


class PlansPasses(Protocol):
    """A model's guidance."""

    def plans(
        self, step: int, steps: int, equal: Sequence[Pass]
    ) -> tuple[dict[Any, float], dict[Any, float]]:
        """What must run at a step as guidance amplifies, and without amplifying.

        Args:
            equal: for each pass, the first one that computes the same.
        """


def sum_passes(expected: Mapping[Any, Tensor], plan: Mapping[Any, float]) -> Tensor:
    """The passes of a plan, each (f, c, h, w), added up."""
    return torch.as_tensor(sum(weight * expected[key] for key, weight in plan.items()))
