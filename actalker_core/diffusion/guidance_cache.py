"""What sampling may leave out, at a price: guidance at some noise levels, or at some steps."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..errors import InputError, quote
from ..limits import REUSE_STEPS, SIGMA
from .guidance import Pass, PassPlan, sum_passes

Expect = Callable[[list[Pass]], Iterable[Tensor]]
"""The clean latents that passes expect, in their order."""


@dataclass(frozen=True)
class GuidanceInterval:
    """By default nothing is left out.

    Attributes:
        guide_from, guide_to: noise levels between which guidance runs. Outside of them nothing
            is amplified: strengths above 1 count as 1, so that one pass is usually enough, and a
            signal of strength 0 stays unseen.
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
            given = map(quote, (self.guide_from, self.guide_to, self.reuse_every))
            raise InputError(
                "Shortcuts: expected noise levels guide_from ≥ guide_to ≥ 0, at most "
                f"{SIGMA.maximum:,g}, and reuse_every from 1 to {REUSE_STEPS.maximum}, got "
                f"{', '.join(given)}. Change them."
            )

    def guides(self, sigma: float) -> bool:
        """Whether guidance acts at a noise level."""
        return self.guide_from >= sigma >= self.guide_to


@dataclass
class GuidanceCache:
    """Decides what runs, step by step and window by window.

    Attributes:
        known: frames to which guidance has added something that may be used again.
    """

    shortcuts: GuidanceInterval
    known: set[int] = field(default_factory=set)

    def computes(self, step: int, sigma: float, frames: Sequence[int]) -> bool:
        """Whether guidance is computed on a window, rather than left out or used again."""
        if not self.shortcuts.guides(sigma):
            return False
        if step % self.shortcuts.reuse_every and self.known.issuperset(frames):
            return False
        self.known.update(frames)
        return True

    def guided(
        self,
        expect: Expect,
        plans: tuple[PassPlan, PassPlan],
        step: int,
        sigma: float,
        frames: Sequence[int],
        added: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The guided clean latents of some frames, and what guidance added to them.

        Args:
            plans: see `PlansPasses.plans`.
            added: what it added before, as a difference of the noise (x − x0) / σ: that of x0
                fades with the noise level, and would be too much at the next step.
        """
        amplified, plain = plans
        computes = self.computes(step, sigma, frames)
        run = list(amplified if computes else plain)
        expected = dict(zip(run, expect(run), strict=True))
        x0 = sum_passes(expected, plain)
        if computes:
            guided = sum_passes(expected, amplified)
            return guided, (guided - x0) / sigma
        return (x0 + sigma * added if self.shortcuts.guides(sigma) else x0), added
