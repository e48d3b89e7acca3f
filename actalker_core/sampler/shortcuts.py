"""Guidance that runs fewer passes and changes the result a little; off unless asked for.

    amplified x0 = plain x0 + what guidance adds

The plain one counts strengths above 1 as 1. So it needs one pass where guidance amplifies, and a
signal of strength 0 stays unseen in it. Some steps may do without the second term, or with one
that an earlier step has computed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from torch import Tensor

from ..errors import InputError
from .guidance import Guidance

Weigh = Callable[[Sequence[Sequence[float]]], Tensor]
"""Runs the passes that weigh something in the first of m weights; no other does in the rest.

Returns (m, n, c, h, w): the clean latents that they expect, added up by each of the weights.
"""


class Way(Enum):
    """How a step comes by what guidance adds."""

    COMPUTED = auto()
    REUSED = auto()
    LEFT_OUT = auto()


@dataclass(frozen=True)
class Shortcuts:
    """Which steps are guided, and how often what guidance adds is computed anew.

    Attributes:
        guidance_low, guidance_high: noise levels between which, ends included, guidance amplifies.
        reuse_every: of so many guided steps one computes what guidance adds, and the others add
            the same again; 1 is off.

    Source: Kynkäänniemi et al., arXiv 2404.07724, for the interval.
    """

    guidance_low: float = 0.0
    guidance_high: float = math.inf
    reuse_every: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.guidance_low <= self.guidance_high:
            raise InputError(
                "Guidance interval: expected noise levels of which the low one is at least 0 and "
                f"not above the high one, got {self.guidance_low:g} and {self.guidance_high:g}."
            )
        if self.reuse_every < 1:
            raise InputError(
                "Reuse of guidance: expected a number of steps from 1, which is off, got "
                f"{self.reuse_every}."
            )

    def ways(self, sigmas: Sequence[float]) -> list[Way]:
        """How each noise level is guided; the first one in the interval is always computed."""
        guided = [sigma for sigma in sigmas if self._guides(sigma)]
        computed = guided[:: self.reuse_every]
        return [
            (Way.COMPUTED if sigma in computed else Way.REUSED)
            if self._guides(sigma)
            else Way.LEFT_OUT
            for sigma in sigmas
        ]

    def _guides(self, sigma: float) -> bool:
        return self.guidance_low <= sigma <= self.guidance_high


EXACT = Shortcuts()
"""No shortcut."""


class Run:
    """The guidance of one run over falling noise levels.

    What guidance adds is kept by frame, so that windows may lie elsewhere at the next step, and as
    a difference of the noise (x − x0) / σ: that of x0 fades with the noise level, as σ where it is
    low, and would be too much at the next step.
    """

    def __init__(self, guidance: Guidance, shortcuts: Shortcuts, sigmas: Sequence[float]) -> None:
        self.guidance, self.steps = guidance, len(sigmas) - 1
        self._ways = shortcuts.ways(sigmas)
        self._kept: Tensor | None = None

    def weights(self, step: int) -> list[float]:
        """The weights of the passes that a step runs."""
        return self._amplified(step) if self._ways[step] is Way.COMPUTED else self._plain(step)

    def expected(self, step: int, sigma: float, weigh: Weigh) -> Tensor:
        """The clean latents (n, c, h, w) that a step expects; a sampler may ask between levels."""
        if self._ways[step] is Way.LEFT_OUT:
            return weigh([self._plain(step)])[0]
        if self._ways[step] is Way.REUSED and self._kept is not None:
            return weigh([self._plain(step)])[0] + sigma * self._kept
        amplified, plain = self._amplified(step), self._plain(step)
        found = weigh([amplified, [a - b for a, b in zip(amplified, plain, strict=True)]])
        self._kept = found[1] / sigma
        return found[0]

    def _amplified(self, step: int) -> list[float]:
        return self.guidance.weights(step, self.steps)

    def _plain(self, step: int) -> list[float]:
        return self.guidance.weights(step, self.steps, most=1.0)
