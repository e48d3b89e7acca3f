"""Where guidance is computed: exact where nothing is left out, and honest about the rest."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from helpers.defaults import GUIDANCE, RHO, WINDOWS
from helpers.denoiser import SHAPE, FakeDenoiser, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.diffusion.guidance import GuidanceInterval
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import (
    ALIGNED_FOR_SVD,
    SCHEDULES,
    aligned_sigmas,
    karras_sigmas,
)
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import InputError
from actalker_core.models.actalker.guidance import Guidance, Pass

FRAMES, SIGMAS = 7, karras_sigmas(6, 0.1, 10.0, RHO)
WAYS_TO_CUT = [WINDOWS, Windows(3, 1, 2), Windows(3, 0, 2), Windows(4, 0, 1, "cyclic")]


class Adding(FakeDenoiser):
    """What each pass adds to the noise of a frame is the same at every level."""

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        self.calls.update(passes)
        return sigma * self.answers[list(passes)][:, list(frames)] + 0.1 * torch.tanh(x)


def run(
    interval: GuidanceInterval | None,
    windows: Windows | None = None,
    guidance: Guidance | None = None,
) -> tuple[Tensor, FakeDenoiser]:
    windows = windows or WINDOWS
    frames = FRAMES + windows.padding
    denoiser = Adding(frames)
    latent = sample(
        denoiser, noise(frames), SIGMAS, guidance or GUIDANCE, windows, interval=interval
    )
    return latent, denoiser


@pytest.mark.parametrize("windows", WAYS_TO_CUT)
def test_by_default_nothing_is_left_out(windows: Windows) -> None:
    want, every = run(None, windows)
    latent, all_of_them = run(GuidanceInterval(), windows)
    assert torch.equal(latent, want)
    assert all_of_them.calls == every.calls


def test_without_guidance_the_pass_that_sees_all_runs_alone() -> None:
    latent, denoiser = run(GuidanceInterval(guide_from=0.0))
    assert set(denoiser.calls) == {Pass.EXPRESSION}
    unit = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    assert torch.allclose(latent, run(None, guidance=unit)[0], atol=1e-5)


@pytest.mark.parametrize("step", range(len(SIGMAS) - 1))
def test_guidance_runs_within_its_interval(step: int) -> None:
    level = SIGMAS[step]
    _, denoiser = run(GuidanceInterval(level, level))
    assert denoiser.calls[Pass.UNCONDITIONAL] == 1
    assert denoiser.calls[Pass.EXPRESSION] == len(SIGMAS) - 1


@pytest.mark.parametrize("windows", WAYS_TO_CUT)
@pytest.mark.parametrize("every", [2, 3, 100])
def test_differences_that_stay_may_be_reused(windows: Windows, every: int) -> None:
    """Those of the noise do here, for each frame, wherever its windows lie."""
    want, _ = run(None, windows)
    latent, denoiser = run(GuidanceInterval(reuse_every=every), windows)
    assert torch.allclose(latent, want, atol=1e-3, rtol=1e-4)
    assert denoiser.calls[Pass.UNCONDITIONAL] < denoiser.calls[Pass.EXPRESSION]


def test_what_was_never_guided_is_guided_first() -> None:
    """The interval opens at a step between two full ones."""
    _, denoiser = run(GuidanceInterval(guide_from=SIGMAS[1], reuse_every=4))
    assert denoiser.calls[Pass.UNCONDITIONAL] == 2  # at step 1, where it opens, and at step 4


@pytest.mark.parametrize(
    "interval", [GuidanceInterval(guide_from=0.0), GuidanceInterval(reuse_every=3)]
)
def test_a_signal_without_scale_stays_unseen(interval: GuidanceInterval) -> None:
    _, denoiser = run(interval, guidance=replace(GUIDANCE, expression=(0.0, 0.0)))
    assert Pass.EXPRESSION not in denoiser.calls
    assert denoiser.calls[Pass.AUDIO] == len(SIGMAS) - 1


SCALES = st.sampled_from([0.0, 0.5, 1.0, 3.0])
INTERVALS = [
    GuidanceInterval(guide_from=2.0),
    GuidanceInterval(guide_to=2.0),
    GuidanceInterval(5.0, 0.2, 2),
]


@pytest.mark.parametrize("interval", INTERVALS)
@settings(deadline=None, max_examples=30)
@given(st.tuples(SCALES, SCALES, SCALES))
def test_what_a_signal_without_scale_adds_changes_nothing(
    interval: GuidanceInterval, scales: tuple[float, float, float]
) -> None:
    """A pass that sees it may run, but only beside another that takes away what it adds."""
    guidance = Guidance(*((scale, scale) for scale in scales))
    ways = []
    for seed in (1, 2):
        denoiser = Adding(FRAMES)
        offset = torch.randn(3, *denoiser.answers.shape[1:], generator=draws(seed))
        for index, scale in enumerate(scales):
            offset[index] *= 1 if scale == 0 else 0
        denoiser.answers[1:] += offset.cumsum(0)
        ways.append(
            sample(denoiser, noise(FRAMES), SIGMAS, guidance, Windows(3, 1, 2), None, interval)
        )
    assert torch.allclose(*ways, atol=1e-3, rtol=1e-4)


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(SCALES, SCALES, SCALES)
def test_without_guidance_scales_count_at_most_as_1(s1: float, s2: float, s3: float) -> None:
    weights = Guidance((s1, s1), (s2, s2), (s3, s3)).weights(0, 1, limit=1.0)
    assert sum(weights) == pytest.approx(1)
    assert [sum(weights[i:]) for i in (1, 2, 3)] == pytest.approx([min(s, 1) for s in (s1, s2, s3)])


@pytest.mark.parametrize("values", [(1.0, 2.0, 1), (1.0, -1.0, 1), (math.inf, 0.0, 0)])
def test_an_interval_that_leads_nowhere_is_refused(values: tuple[float, float, int]) -> None:
    with pytest.raises(InputError, match="expected noise levels guide_from ≥ guide_to ≥ 0"):
        GuidanceInterval(*values)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 25])
def test_schedules_fall_from_one_end_to_the_other(name: str, steps: int) -> None:
    sigmas = SCHEDULES[name](steps, 0.02, 40.0, 7.0)
    assert len(sigmas) == steps + 1
    assert sigmas[-1] == 0
    assert all(a > b for a, b in pairwise(sigmas))
    assert sigmas[0] == pytest.approx(40.0)
    assert sigmas[-2] > 0.0199
    assert sample(FakeDenoiser(4), noise(4), sigmas, GUIDANCE, WINDOWS).shape == (4, *SHAPE)


def test_ten_aligned_steps_of_svd_are_the_published_ones() -> None:
    assert aligned_sigmas(10, 0.002, 700.0) == pytest.approx([*ALIGNED_FOR_SVD[:10], 0.0])
