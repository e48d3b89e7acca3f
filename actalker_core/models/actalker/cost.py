"""What a clip will cost, before the wait."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...diffusion.guidance import GuidanceInterval
from ...diffusion.windows import Windows
from .conditioning import Conditioning
from .denoiser import merge_passes
from .guidance import Guidance, Pass


@dataclass(frozen=True)
class CostEstimate:
    """How often the denoiser runs over one window.

    Attributes:
        frames, steps: of the clip.
        windows: in all steps together.
        evaluations: windows × the passes that differ and weigh something in each.
        most_evaluations: those of four passes in every window.
        passes: the most that any window runs.
    """

    frames: int
    steps: int
    windows: int
    evaluations: int
    most_evaluations: int
    passes: int


def estimate_cost(
    conditioning: Conditioning,
    windows: Windows,
    guidance: Guidance,
    sigmas: Sequence[float],
    interval: GuidanceInterval | None = None,
) -> CostEstimate:
    """Count the evaluations of a clip; arguments as in `diffusion.loop.sample`."""
    clip, steps = conditioning.pad(windows.padding), len(sigmas) - 1
    interval, is_cached, per_window = interval or GuidanceInterval(), False, []
    for step in range(steps):
        computes = interval.computes(step, sigmas[step], is_cached)
        is_cached |= computes
        for frames in windows.at(step, clip.frames):
            guided, unguided = guidance.plan(step, steps, merge_passes(clip, frames))
            per_window.append(len(guided if computes else unguided))
    return CostEstimate(
        frames=conditioning.frames,
        steps=steps,
        windows=len(per_window),
        evaluations=sum(per_window),
        most_evaluations=len(Pass) * len(per_window),
        passes=max(per_window),
    )
