"""What a clip will cost, before the wait."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...diffusion.guidance_cache import GuidanceCache, GuidanceInterval
from ...diffusion.windows import Windows
from .conditioning import Conditioning
from .denoiser import passes_on
from .guidance import Guidance

ALL_PASSES = 4


@dataclass(frozen=True)
class CostEstimate:
    """How often the denoiser runs over one window.

    Attributes:
        frames, steps: of the clip.
        windows: in all steps together.
        evaluations: windows × the passes that differ and weigh something in each.
        unplanned: what they would be with four passes in every window.
        passes: the most that any window runs.
    """

    frames: int
    steps: int
    windows: int
    evaluations: int
    unplanned: int
    passes: int


def estimate_cost(
    conditioning: Conditioning,
    windows: Windows,
    guidance: Guidance,
    sigmas: Sequence[float],
    shortcuts: GuidanceInterval | None = None,
) -> CostEstimate:
    """Count the evaluations of a clip; arguments as in `sampler.denoise.sample`."""
    clip, steps = conditioning.padded(windows.padding), len(sigmas) - 1
    frugal = GuidanceCache(shortcuts or GuidanceInterval())
    per_window = []
    for step, frames in _all_windows(windows, clip.frames, steps):
        amplified, plain = guidance.plans(step, steps, passes_on(clip, frames))
        computes = frugal.computes(step, sigmas[step], frames)
        per_window.append(len(amplified if computes else plain))
    return CostEstimate(
        frames=conditioning.frames,
        steps=steps,
        windows=len(per_window),
        evaluations=sum(per_window),
        unplanned=ALL_PASSES * len(per_window),
        passes=max(per_window),
    )


def _all_windows(windows: Windows, frames: int, steps: int) -> Sequence[tuple[int, Sequence[int]]]:
    return [(step, window) for step in range(steps) for window in windows.at(step, frames)]
