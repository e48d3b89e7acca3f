"""The sampling loop, and the denoiser that it asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Generic, Protocol

import torch
from torch import Tensor

from ..errors import CancelledError, InputError, quote
from ..ops.finite import check_step
from .guidance import GuidanceInterval, PassT, PlansPasses, sum_passes
from .windows import Windows, average_windows


class Denoises(Protocol[PassT]):
    """What the loop asks of a denoiser."""

    def merge_passes(self, frames: Sequence[int]) -> list[PassT]:
        """For each guidance pass, the first one that computes the same on these frames."""

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[PassT]
    ) -> Sequence[Tensor] | Tensor:
        """The clean latents (f, c, h, w) that each pass expects behind `x` (f, c, h, w)."""


@dataclass(frozen=True)
class Progress:
    """What the callback learns after each step.

    Attributes:
        step: steps done, from 1. total: steps in all.
        x0: (frames, c, h, w) the clean latents expected so far.
    """

    step: int
    total: int
    x0: Tensor


Callback = Callable[[Progress], bool | None]
"""Called after each step; returning False cancels."""
OnWindow = Callable[[int, int, int, Sequence[int], Tensor], None]
"""See `Guided`."""


@torch.inference_mode()
def sample(
    denoiser: Denoises[PassT],
    noise: Tensor,
    sigmas: Sequence[float],
    guidance: PlansPasses[PassT],
    windows: Windows,
    callback: Callback | None = None,
    interval: GuidanceInterval | None = None,
) -> Tensor:
    """Walk from the noisiest latents to clean ones with Euler steps.

    Args:
        denoiser: see `Denoises`; `Denoiser` is the model's.
        noise: (frames, c, h, w) latents at noise level sigmas[0], padding of the windows included.
        sigmas: falling noise levels; the last is usually 0.
        interval: where guidance may be left out or used again; None computes it everywhere.

    Returns:
        (frames, c, h, w) latents at noise level sigmas[-1].

    Raises:
        CancelledError: the callback returned False.
        InputError: fewer than two sigmas, or one that does not fall.
        NotFiniteError: what the denoiser predicts is NaN or infinite; says since when.

    Source: Karras et al., arXiv 2206.00364, algorithm 2 without churn.
    """
    steps = list(pairwise(float(s) for s in sigmas))
    _check(steps)
    x = noise
    guided = Guided(guidance, interval or GuidanceInterval(), len(steps))
    for step, (sigma, following) in enumerate(steps):
        x0 = guided(denoiser, x, step, sigma, windows.at(step, x.shape[0]))
        x = x + (x - x0) * ((following - sigma) / sigma)
        if callback is not None and callback(Progress(step + 1, len(steps), x0)) is False:
            raise CancelledError(f"Sampling was cancelled after step {step + 1} of {len(steps)}.")
    return x


def _check(steps: list[tuple[float, float]]) -> None:
    if not steps or any(not a > b >= 0 for a, b in steps):
        raise InputError(
            "Sigmas: expected at least two noise levels that fall and do not pass 0, got "
            f"{quote([a for a, _ in steps] + [b for _, b in steps[-1:]])}. Choose a schedule."
        )


@dataclass
class Guided(Generic[PassT]):
    """The guided clean latents of a clip, step after step.

    Attributes:
        guidance: which passes run, and how much each weighs.
        interval: where guidance is computed.
        steps: in all.
        cache: (frames, c, h, w) what guidance added to each frame when it was last computed; None
            before that.
        on_window: called after each window with its step, how many windows of that are done and
            how many there are, its frames, and the clean latents (f, c, h, w) expected there.
    """

    guidance: PlansPasses[PassT]
    interval: GuidanceInterval
    steps: int
    cache: Tensor | None = None
    on_window: OnWindow | None = None

    def __call__(
        self,
        denoiser: Denoises[PassT],
        x: Tensor,
        step: int,
        sigma: float,
        windows: Sequence[Sequence[int]],
    ) -> Tensor:
        """Behind noisy latents (frames, c, h, w), averaged where windows meet: (frames, c, h, w).

        Args:
            step: from 0. windows: frame numbers of each; every frame is in one at least.

        Raises:
            NotFiniteError: they are NaN or infinite; says since when.
        """
        computes = self.interval.computes(step, sigma, self.cache is not None)
        done = count(1)

        def predict(x: Tensor, frames: Sequence[int]) -> Tensor:
            """(f, 2, c, h, w) guided and unguided, or (f, 1, c, h, w) the latter."""
            guided, unguided = self.guidance.plan(step, self.steps, denoiser.merge_passes(frames))
            run = guided if computes else unguided
            passes = dict(zip(run, denoiser(x, sigma, frames, list(run)), strict=True))
            plans = (guided, unguided) if computes else (unguided,)
            predictions = torch.stack([sum_passes(passes, plan) for plan in plans], dim=1)
            if self.on_window is not None:
                self.on_window(step, next(done), len(windows), frames, predictions[:, 0])
            return predictions

        x0, *unguided = average_windows(x, windows, predict).unbind(1)
        if unguided:
            # A difference of x0 fades with the noise level and would be too much at the next
            # step; that of the predicted noise, (x − x0) / σ, hardly changes.
            self.cache = (x0 - unguided[0]) / sigma
        elif self.cache is not None and self.interval.contains(sigma):
            x0 = x0 + sigma * self.cache
        check_step(x, x0, step + 1, self.steps, windows)
        return x0
