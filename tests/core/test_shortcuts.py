"""Fewer passes: what stays exact, what stays unseen, and how much is spared."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.sampler.denoise import sample
from actalker_core.sampler.guidance import Guidance, Pass
from actalker_core.sampler.schedule import karras_sigmas
from actalker_core.sampler.shortcuts import EXACT, Run, Shortcuts, Way
from actalker_core.sampler.windows import Windows

FRAMES, STEPS, SHAPE = 11, 6, (2, 3, 3)
SIGMAS = karras_sigmas(STEPS, 0.1, 10.0)
UNIT = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
NOWHERE = Shortcuts(guidance_low=1e3, guidance_high=1e3)
CUTS = [Windows(25), Windows(4), Windows(5, 2, 3), Windows(4, 1, 2, "cyclic")]


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Adding:
    """Each signal adds something of its own to every frame's noise, the same at every level."""

    def __init__(self, frames: int, seed: int = 1) -> None:
        self.added = draw(3, frames, *SHAPE, seed=seed)
        self.calls: Counter[Pass] = Counter()

    def passes(self, frames: Sequence[int]) -> list[Pass]:
        return list(Pass)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        self.calls.update(passes)
        base = 0.1 * torch.tanh(x)
        return torch.stack([base + sigma * self.added[:p, list(frames)].sum(0) for p in passes])


class Fading(Adding):
    """What the signals add depends on the latents too, and so never repeats."""

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        return super().__call__(x, sigma, frames, passes) * (1 + 0.1 * torch.cos(x))


def sampled(
    denoiser: Adding,
    shortcuts: Shortcuts = EXACT,
    guidance: Guidance = Guidance(),  # noqa: B008
    windows: Windows = CUTS[1],
) -> Tensor:
    noise = 10 * draw(denoiser.added.shape[1], *SHAPE, seed=0)
    return sample(denoiser, noise, SIGMAS, guidance, windows, shortcuts=shortcuts)


def by_hand(denoiser: Adding, windows: Windows) -> Tensor:
    """All passes at all steps, and nothing else."""
    x = 10 * draw(denoiser.added.shape[1], *SHAPE, seed=0)
    for step, (sigma, following) in enumerate(pairwise(SIGMAS)):
        total, count = torch.zeros_like(x), torch.zeros(len(x), 1, 1, 1)
        for frames in windows.at(step, len(x)):
            found = denoiser(x[frames], sigma, frames, list(Pass))
            for weight, x0 in zip(Guidance().weights(step, STEPS), found, strict=True):
                total[frames] += weight * x0
            count[frames] += 1
        x = x + (x - total / count) * ((following - sigma) / sigma)
    return x


# What stays exact ---------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", CUTS)
@pytest.mark.parametrize("shortcuts", [EXACT, Shortcuts(SIGMAS[-2], SIGMAS[0])])
def test_guidance_everywhere_is_bit_for_bit_what_it_was(
    windows: Windows, shortcuts: Shortcuts
) -> None:
    denoiser = Fading(FRAMES + windows.padding)
    found = sampled(denoiser, shortcuts, windows=windows)
    assert torch.equal(found, by_hand(denoiser, windows))


@pytest.mark.parametrize("windows", CUTS)
@pytest.mark.parametrize("every", [2, 3, STEPS, STEPS + 5])
def test_reuse_is_exact_where_what_guidance_adds_stays_the_same(
    windows: Windows, every: int
) -> None:
    denoiser = Adding(FRAMES + windows.padding)
    exact, found = (
        sampled(denoiser, Shortcuts(reuse_every=n), windows=windows) for n in (1, every)
    )
    assert torch.allclose(found, exact, atol=1e-3, rtol=1e-4)
    assert (sampled(denoiser, NOWHERE, windows=windows) - exact).abs().max() > 1


def test_reuse_is_not_exact_where_it_changes() -> None:
    denoiser = Fading(FRAMES)
    exact, found = (sampled(denoiser, Shortcuts(reuse_every=n)) for n in (1, 2))
    assert (found - exact).abs().max() > 1e-2


def test_no_interval_is_the_conditional_pass_alone() -> None:
    denoiser = Fading(FRAMES)
    found = sampled(denoiser, NOWHERE)
    assert set(denoiser.calls) == {Pass.EXPRESSION}
    assert torch.equal(found, sampled(denoiser, guidance=UNIT))


# What stays unseen --------------------------------------------------------------------------------

STRENGTHS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])
SHORTCUTS = st.builds(
    lambda low, high, every: Shortcuts(min(low, high), max(low, high), every),
    st.sampled_from(SIGMAS),
    st.sampled_from(SIGMAS),
    st.integers(1, 4),
)


@settings(deadline=None)
@given(st.lists(STRENGTHS, min_size=3, max_size=3), SHORTCUTS)
def test_a_signal_of_strength_0_changes_nothing(
    strengths: list[float], shortcuts: Shortcuts
) -> None:
    guidance = Guidance(*((s, s) for s in strengths))
    one, other = Adding(FRAMES, seed=1), Adding(FRAMES, seed=2)
    seen = [strength > 0 for strength in strengths]
    other.added[seen] = one.added[seen]
    found = [sampled(denoiser, shortcuts, guidance) for denoiser in (one, other)]
    assert torch.allclose(*found, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("strengths", "last"), [((2, 7.5, 0), Pass.AUDIO), ((2, 0, 0), Pass.IDENTITY)]
)
def test_passes_after_the_last_strength_never_run(strengths: tuple, last: Pass) -> None:
    guidance = Guidance(*((s, s) for s in strengths))
    for shortcuts in (NOWHERE, Shortcuts(1.0, 5.0), Shortcuts(reuse_every=3)):
        denoiser = Adding(FRAMES)
        sampled(denoiser, shortcuts, guidance)
        assert max(denoiser.calls) == last


@given(STRENGTHS, STRENGTHS, STRENGTHS, SHORTCUTS)
def test_outside_the_interval_strengths_count_at_most_as_1(
    s1: float, s2: float, s3: float, shortcuts: Shortcuts
) -> None:
    run = Run(Guidance((s1, s1), (s2, s2), (s3, s3)), shortcuts, SIGMAS)
    for step, way in enumerate(shortcuts.ways(SIGMAS)[:-1]):
        weights = run.weights(step)
        strengths = [sum(weights[which:]) for which in (1, 2, 3)]
        most = math.inf if way is Way.COMPUTED else 1
        assert strengths == pytest.approx([min(s, most) for s in (s1, s2, s3)])


# What is spared -----------------------------------------------------------------------------------


@pytest.mark.parametrize("every", range(1, STEPS + 2))
def test_one_pass_runs_at_the_steps_between(every: int) -> None:
    denoiser = Adding(FRAMES)
    sampled(denoiser, Shortcuts(reuse_every=every), windows=CUTS[0])
    assert denoiser.calls[Pass.EXPRESSION] == STEPS
    assert denoiser.calls[Pass.NOTHING] == -(-STEPS // every)


@given(SHORTCUTS)
def test_every_so_many_guided_steps_are_computed_from_the_first(shortcuts: Shortcuts) -> None:
    ways = shortcuts.ways(SIGMAS)
    inside = [shortcuts.guidance_low <= sigma <= shortcuts.guidance_high for sigma in SIGMAS]
    assert [way is not Way.LEFT_OUT for way in ways] == inside
    guided = [way for way in ways if way is not Way.LEFT_OUT]
    expected = [Way.REUSED] * len(guided)
    expected[:: shortcuts.reuse_every] = [Way.COMPUTED] * len(guided[:: shortcuts.reuse_every])
    assert guided == expected


def test_what_was_never_computed_is_computed_where_it_is_asked_for() -> None:
    """A sampler that chooses its own steps may pass over the one that would have computed it."""
    run = Run(Guidance(), Shortcuts(reuse_every=2), SIGMAS)
    asked: list[int] = []

    def weigh(weights: Sequence[Sequence[float]]) -> Tensor:
        asked.append(len(weights))
        return torch.ones(len(weights), 1, 1, 1, 1)

    for step in (1, 3):
        run.expected(step, SIGMAS[step], weigh)
    assert asked == [2, 1]


@pytest.mark.parametrize("values", [(-1.0, 2.0, 1), (3.0, 2.0, 1), (math.nan, 2.0, 1), (0, 1, 0)])
def test_impossible_shortcuts_are_refused(values: tuple) -> None:
    with pytest.raises(InputError, match="expected"):
        Shortcuts(*values)
