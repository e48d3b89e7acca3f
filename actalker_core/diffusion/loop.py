"""The sampling loop, and the denoiser that it asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from ..errors import CancelledError, InputError
from ..ops.finite import check_step
from .guidance import Pass, PlansPasses
from .guidance_cache import GuidanceCache, GuidanceInterval
from .windows import Windows


class Denoises(Protocol):
    """What the loop asks of a denoiser."""

    def passes(self, frames: Sequence[int]) -> list[Pass]:
        """For each guidance pass, the first one that computes the same on these frames."""

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        """The clean latents (p, f, c, h, w) that passes expect behind `x` (f, c, h, w)."""


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


@torch.inference_mode()
def sample(
    denoiser: Denoises,
    noise: Tensor,
    sigmas: Sequence[float],
    guidance: PlansPasses,
    windows: Windows,
    callback: Callback | None = None,
    shortcuts: GuidanceInterval | None = None,
) -> Tensor:
    """Walk from the noisiest latents to clean ones with Euler steps.

    Args:
        denoiser: see `Denoises`; `Denoiser` is the model's.
        noise: (frames, c, h, w) latents at noise level sigmas[0], padding of the windows included.
        sigmas: falling noise levels; the last is usually 0.
        shortcuts: what may be left out; None for nothing.

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
    frugal = GuidanceCache(shortcuts or GuidanceInterval())
    guided = Guided(denoiser, guidance, frugal, len(steps), torch.zeros_like(noise))
    for step, (sigma, following) in enumerate(steps):
        cuts = windows.at(step, x.shape[0])
        x0 = guided(x, step, sigma, cuts)
        check_step(x0, step + 1, len(steps), cuts)
        x = x + (x - x0) * ((following - sigma) / sigma)
        if callback is not None and callback(Progress(step + 1, len(steps), x0)) is False:
            raise CancelledError(f"Sampling was cancelled after step {step + 1} of {len(steps)}.")
    return x


def _check(steps: list[tuple[float, float]]) -> None:
    if not steps or any(not a > b >= 0 for a, b in steps):
        raise InputError(
            "Sigmas: expected at least two noise levels that fall and do not pass 0, got "
            f"{[a for a, _ in steps] + [b for _, b in steps[-1:]]}."
        )


@dataclass
class Guided:
    """The guided clean latents of a clip.

    Attributes:
        steps: in all.
        added: (frames, c, h, w) what guidance added to each frame; see `Frugal.guided`.
    """

    denoiser: Denoises
    guidance: PlansPasses
    frugal: GuidanceCache
    steps: int
    added: Tensor

    def __call__(
        self, x: Tensor, step: int, sigma: float, windows: Sequence[Sequence[int]]
    ) -> Tensor:
        """Averaged where windows meet: (frames, c, h, w)."""
        total = torch.zeros_like(x)
        count = x.new_zeros(x.shape[0], 1, 1, 1)
        for frames in windows:
            index = torch.tensor(frames, device=x.device)
            total.index_add_(0, index, self._window(x, step, sigma, frames, index))
            count.index_add_(0, index, count.new_ones(len(frames), 1, 1, 1))
        return total / count

    def _window(
        self, x: Tensor, step: int, sigma: float, frames: Sequence[int], index: Tensor
    ) -> Tensor:
        x0, added = self.frugal.guided(
            lambda passes: self.denoiser(x[index], sigma, frames, passes),
            self.guidance.plans(step, self.steps, self.denoiser.passes(frames)),
            step,
            sigma,
            frames,
            self.added[index],
        )
        self.added.index_copy_(0, index, added)
        return x0
