"""Schedule, guidance, windows and the loop."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from helpers.defaults import GUIDANCE, RHO, WINDOWS
from helpers.denoiser import SHAPE, FakeDenoiser, noise
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.diffusion.loop import Progress, sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import CancelledError, InputError
from actalker_core.models.actalker.guidance import Guidance, Pass, equal_passes, plan_passes


class FakeDenoiserWithoutMerging(FakeDenoiser):
    """The same answers, without telling which passes are equal."""

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        return list(Pass)


# Schedule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 3, 10, 25, 50])
def test_sigmas_are_those_of_diffusers_euler_karras(steps: int) -> None:
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(
        use_karras_sigmas=True,
        sigma_min=0.002,
        sigma_max=700.0,
        prediction_type="v_prediction",
        timestep_type="continuous",
    )
    scheduler.set_timesteps(steps)
    ours = torch.tensor(karras_sigmas(steps, 0.002, 700.0, RHO))
    assert torch.allclose(ours, scheduler.sigmas, rtol=1e-5)


def test_one_step_starts_at_the_top() -> None:
    assert karras_sigmas(1, 0.002, 700.0, RHO) == pytest.approx([700.0, 0.0])


# Guidance ----------------------------------------------------------------------------------------

SCALES = st.floats(0, 10)


@given(SCALES, SCALES, SCALES)
def test_weights_are_the_nested_formula(s1: float, s2: float, s3: float) -> None:
    p = [1.0, -2.0, 5.0, 0.3]
    formula = p[0] + s1 * (p[1] - p[0]) + s2 * (p[2] - p[1]) + s3 * (p[3] - p[2])
    weights = Guidance((s1, s1), (s2, s2), (s3, s3)).weights(0, 1)
    assert sum(weights) == pytest.approx(1)
    assert sum(w * v for w, v in zip(weights, p, strict=True)) == pytest.approx(formula)


def test_scales_move_from_first_to_last_step() -> None:
    guidance = Guidance((1.5, 2.5), (7.5, 7.5), (2.0, 4.0))
    assert guidance.weights(0, 3)[0] == pytest.approx(1 - 1.5)
    assert guidance.weights(1, 3)[3] == pytest.approx(3.0)
    assert guidance.weights(2, 3)[0] == pytest.approx(1 - 2.5)


@pytest.mark.parametrize(
    ("audio", "expression", "scales", "run"),
    [
        (True, True, (2, 7.5, 3), [0, 1, 2, 3]),
        (True, False, (2, 7.5, 3), [0, 1, 2]),
        (False, True, (2, 7.5, 3), [0, 1, 3]),
        (False, False, (2, 7.5, 3), [0, 1]),
        (True, True, (1, 1, 1), [3]),
        (True, True, (2, 2, 2), [0, 3]),
        (True, True, (1, 7.5, 3), [1, 2, 3]),
        (True, True, (2, 7.5, 0), [0, 1, 2]),
        (True, True, (0, 0, 0), [0]),
        (True, False, (2, 2, 5), [0, 2]),
    ],
)
def test_equal_and_weightless_passes_do_not_run(
    audio: bool, expression: bool, scales: tuple, run: list[int]
) -> None:
    guidance = Guidance(*((float(s), float(s)) for s in scales))
    plan = plan_passes(guidance.weights(0, 1), equal_passes(audio, expression))
    assert sorted(plan) == run
    assert sum(plan.values()) == pytest.approx(1)


@pytest.mark.parametrize(("audio", "expression"), list(itertools.product([False, True], repeat=2)))
def test_merged_passes_give_the_unmerged_result(audio: bool, expression: bool) -> None:
    frames, sigmas = 7, karras_sigmas(4, 0.01, 10.0, RHO)
    arguments = (noise(frames), sigmas, GUIDANCE, Windows(3, 1, 2))
    merging, separate = (
        FakeDenoiser(7, audio, expression),
        FakeDenoiserWithoutMerging(7, audio, expression),
    )
    got = sample(merging, *arguments)
    want = sample(separate, *arguments)
    assert torch.allclose(got, want, rtol=1e-4, atol=1e-4)
    assert separate.calls.total() % 4 == 0
    assert merging.calls.total() == separate.calls.total() // 4 * (2 + audio + expression)


# Windows -----------------------------------------------------------------------------------------


def evaluations(windows: Windows, frames: int, *, audio_only: bool, merge: bool) -> int:
    length = frames + windows.padding
    kind = FakeDenoiser if merge else FakeDenoiserWithoutMerging
    denoiser = kind(length, expression=not audio_only)
    sample(denoiser, noise(length), karras_sigmas(25, 0.002, 700.0, RHO), GUIDANCE, windows)
    return denoiser.calls.total()


def test_audio_only_needs_75_evaluations_instead_of_200() -> None:
    assert evaluations(WINDOWS, 25, audio_only=True, merge=True) == 75
    cyclic_windows = replace(WINDOWS, mode="cyclic")
    assert evaluations(cyclic_windows, 25, audio_only=True, merge=False) == 200


# Loop --------------------------------------------------------------------------------------------


class TwoPasses:
    """The guidance of another model family, whose passes are words."""

    def plan(
        self, step: int, steps: int, equal: Sequence[str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        return {"unconditional": -1.0, "conditional": 2.0}, {"conditional": 1.0}


class Constants:
    """Its denoiser."""

    def merge_passes(self, frames: Sequence[int]) -> list[str]:
        return ["unconditional", "conditional"]

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[str]
    ) -> list[Tensor]:
        return [torch.full_like(x, {"unconditional": 1.0, "conditional": 3.0}[p]) for p in passes]


def test_another_family_may_have_other_passes() -> None:
    latent = sample(Constants(), noise(4), [5.0, 1.0, 0.0], TwoPasses(), Windows(2))
    assert torch.allclose(latent, torch.full_like(latent, 5.0))


def test_the_last_step_lands_on_the_guided_answer() -> None:
    denoiser = FakeDenoiser(4)
    denoiser.__class__ = type("Exact", (FakeDenoiser,), {"__call__": _exact})
    guidance = Guidance((2.0, 2.0), (3.0, 3.0), (1.5, 1.5))
    got = sample(denoiser, noise(4), [5.0, 1.0, 0.0], guidance, WINDOWS)
    want = sum(w * a for w, a in zip(guidance.weights(0, 1), denoiser.answers, strict=True))
    assert torch.allclose(got, want, atol=1e-5)


def _exact(
    self: FakeDenoiser, x: Tensor, sigma: float, frames: list[int], guidance_pass: Pass
) -> Tensor:
    return self.answers[guidance_pass][list(frames)]


def test_any_sigma_list() -> None:
    sigmas = [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002, 0.0]
    assert sample(FakeDenoiser(4), noise(4), sigmas, GUIDANCE, WINDOWS).isfinite().all()


@pytest.mark.parametrize("sigmas", [[], [1.0], [1.0, 1.0], [1.0, 2.0], [1.0, -1.0]])
def test_sigmas_that_do_not_fall_are_refused(sigmas: list[float]) -> None:
    with pytest.raises(InputError, match="Sigmas: expected"):
        sample(FakeDenoiser(4), noise(4), sigmas, GUIDANCE, WINDOWS)


def test_the_callback_sees_every_step() -> None:
    reports: list[Progress] = []
    sigmas = karras_sigmas(5, 0.01, 10.0, RHO)
    sample(FakeDenoiser(4), noise(4), sigmas, GUIDANCE, WINDOWS, reports.append)
    assert [(p.step, p.total) for p in reports] == [(i, 5) for i in range(1, 6)]
    assert all(p.x0.shape == (4, *SHAPE) for p in reports)


def test_the_callback_cancels() -> None:
    denoiser = FakeDenoiser(4)
    with pytest.raises(CancelledError, match="after step 2 of 5"):
        sample(
            denoiser,
            noise(4),
            karras_sigmas(5, 0.01, 10.0, RHO),
            GUIDANCE,
            WINDOWS,
            lambda progress: progress.step < 2,
        )
    assert denoiser.calls[Pass.UNCONDITIONAL] == 2


def test_overlapping_windows_are_averaged() -> None:
    class ByWindow(FakeDenoiser):
        def __call__(
            self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
        ) -> Tensor:
            return torch.full((len(passes), *x.shape), float(frames[0]))

    unit = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    got = sample(ByWindow(6), noise(6), [1.0, 0.0], unit, Windows(4, 2))  # starts 0 and 2
    assert got[:, 0, 0, 0].tolist() == pytest.approx([0, 0, 1, 1, 2, 2], abs=1e-5)
