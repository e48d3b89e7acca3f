"""Nested guidance: which passes run, and how much each one weighs.

    out = p1 + s1 (p2 − p1) + s2 (p3 − p2) + s3 (p4 − p3)
        = (1 − s1) p1 + (s1 − s2) p2 + (s2 − s3) p3 + s3 p4

p1 sees nothing, p2 the identity, p3 the audio as well, p4 the expression as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ...limits import GUIDANCE

Scale = tuple[float, float]
"""Strength at the first and at the last step; linear between."""

NEGLIGIBLE = 1e-9
"""A weight that is zero but for rounding."""


class Pass(IntEnum):
    """The four guidance passes, each seeing one signal more than the one before."""

    NOTHING = 0
    IDENTITY = 1
    AUDIO = 2
    EXPRESSION = 3


PassPlan = dict[Pass, float]
"""Passes that must run, and their weights."""


@dataclass(frozen=True)
class Guidance:
    """How strongly identity, audio and expression are amplified.

    Raises:
        InputError: a strength outside `limits.GUIDANCE`.
    """

    appearance: Scale = (2.0, 2.0)
    audio: Scale = (7.5, 7.5)
    expression: Scale = (3.0, 3.0)

    def __post_init__(self) -> None:
        """Refuse strengths that give no pictures."""
        for scale in (*self.appearance, *self.audio, *self.expression):
            GUIDANCE.check(scale)

    def weights(self, step: int, steps: int, most: float = math.inf) -> list[float]:
        """The weight of each pass at a step; they add up to 1.

        Args:
            most: what strengths above it count as; at 1 nothing is amplified.
        """
        along = step / max(steps - 1, 1)
        scales = (self.appearance, self.audio, self.expression)
        s1, s2, s3 = (min(first + along * (last - first), most) for first, last in scales)
        return [1 - s1, s1 - s2, s2 - s3, s3]

    def plans(self, step: int, steps: int, equal: Sequence[Pass]) -> tuple[PassPlan, PassPlan]:
        """What must run at a step as guidance amplifies, and without amplifying: see `plan_passes`.

        The passes of the second are among those of the first.
        """
        amplified, plain = (self.weights(step, steps, most) for most in (math.inf, 1.0))
        return plan_passes(amplified, equal), plan_passes(plain, equal)


def equal_passes(audio_speaks: bool, expression_speaks: bool) -> list[Pass]:
    """For each pass, the first one that computes the same."""
    third = Pass.AUDIO if audio_speaks else Pass.IDENTITY
    return [Pass.NOTHING, Pass.IDENTITY, third, Pass.EXPRESSION if expression_speaks else third]


def plan_passes(weights: Sequence[float], equal: Sequence[Pass]) -> PassPlan:
    """The passes that must run and their weights: equal ones merged, weightless ones left out."""
    plan = dict.fromkeys(equal, 0.0)
    for weight, first in zip(weights, equal, strict=True):
        plan[first] += weight
    return {first: weight for first, weight in plan.items() if abs(weight) > NEGLIGIBLE}
