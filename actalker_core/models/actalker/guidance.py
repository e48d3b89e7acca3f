"""Nested guidance: which passes run, and how much each one weighs.

    out = p1 + s1 (p2 − p1) + s2 (p3 − p2) + s3 (p4 − p3)
        = (1 − s1) p1 + (s1 − s2) p2 + (s2 − s3) p3 + s3 p4

p1 is unconditional, p2 reads the identity, p3 the audio as well, p4 the expression as well. They
are nested, as the model was trained, so that each scale acts on what one condition adds to those
before it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ...diffusion.guidance import PassPlan
from ...limits import GUIDANCE

Scale = tuple[float, float]
"""Guidance scale at the first and at the last step; linear between."""

NEGLIGIBLE = 1e-9
"""A weight that is zero but for rounding."""


class Pass(IntEnum):
    """The four guidance passes, each reading one condition more than the one before."""

    UNCONDITIONAL = 0
    IDENTITY = 1
    AUDIO = 2
    EXPRESSION = 3


@dataclass(frozen=True)
class Guidance:
    """The guidance scale of identity, audio and expression; 1 is unguided.

    Raises:
        InputError: a scale outside `limits.GUIDANCE`.
    """

    appearance: Scale
    audio: Scale
    expression: Scale

    def __post_init__(self) -> None:
        """Refuse scales that give no images."""
        for scale in (*self.appearance, *self.audio, *self.expression):
            GUIDANCE.check(scale)

    def weights(self, step: int, steps: int, limit: float = math.inf) -> list[float]:
        """The weight of each pass at a step; they add up to 1.

        Args:
            limit: what scales above it count as; at 1 nothing is guided.
        """
        along = step / max(steps - 1, 1)
        scales = (self.appearance, self.audio, self.expression)
        s1, s2, s3 = (min(first + along * (last - first), limit) for first, last in scales)
        return [1 - s1, s1 - s2, s2 - s3, s3]

    def plan(
        self, step: int, steps: int, equal: Sequence[Pass]
    ) -> tuple[PassPlan[Pass], PassPlan[Pass]]:
        """See `PlansPasses`."""
        guided, unguided = (self.weights(step, steps, limit) for limit in (math.inf, 1.0))
        return plan_passes(guided, equal), plan_passes(unguided, equal)


def equal_passes(has_audio: bool, has_expression: bool) -> list[Pass]:
    """For each pass, the first one that computes the same."""
    third = Pass.AUDIO if has_audio else Pass.IDENTITY
    fourth = Pass.EXPRESSION if has_expression else third
    return [Pass.UNCONDITIONAL, Pass.IDENTITY, third, fourth]


def plan_passes(weights: Sequence[float], equal: Sequence[Pass]) -> PassPlan[Pass]:
    """The passes that must run and their weights: equal ones merged, weightless ones left out.

    Merged ones add up their weights: what is weighted is a sum of predictions, and theirs are one.
    """
    plan = dict.fromkeys(equal, 0.0)
    for weight, first in zip(weights, equal, strict=True):
        plan[first] += weight
    return {first: weight for first, weight in plan.items() if abs(weight) > NEGLIGIBLE}
