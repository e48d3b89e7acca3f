"""What sampling may leave out: exact where nothing is left out, and honest about the rest."""

import math
from itertools import pairwise

import pytest
import torch
from test_sampler import SHAPE, FakeDenoiser, noise
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.sampler.denoise import sample
from actalker_core.sampler.guidance import Guidance, Pass
from actalker_core.sampler.schedule import SCHEDULES, aligned_sigmas, karras_sigmas
from actalker_core.sampler.shortcuts import Shortcuts
from actalker_core.sampler.windows import Windows

FRAMES, SIGMAS = 7, karras_sigmas(6, 0.1, 10.0)
WINDOWS = [Windows(), Windows(3, 1, 2), Windows(3, 0, 2), Windows(4, 0, 1, "cyclic")]


def run(
    shortcuts: Shortcuts | None,
    windows: Windows | None = None,
    guidance: Guidance | None = None,
) -> tuple[Tensor, FakeDenoiser]:
    windows = windows or Windows()
    frames = FRAMES + windows.padding
    denoiser = FakeDenoiser(frames)
    found = sample(
        denoiser, noise(frames), SIGMAS, guidance or Guidance(), windows, shortcuts=shortcuts
    )
    return found, denoiser


@pytest.mark.parametrize("windows", WINDOWS)
def test_by_default_nothing_is_left_out(windows: Windows) -> None:
    want, every = run(None, windows)
    found, all_of_them = run(Shortcuts(), windows)
    assert torch.equal(found, want)
    assert all_of_them.calls == every.calls


def test_without_guidance_the_pass_that_sees_all_runs_alone() -> None:
    found, denoiser = run(Shortcuts(guide_from=0.0))
    assert set(denoiser.calls) == {Pass.EXPRESSION}
    unit = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    assert torch.allclose(found, run(None, guidance=unit)[0], atol=1e-5)


@pytest.mark.parametrize("where", range(len(SIGMAS) - 1))
def test_guidance_runs_within_its_interval(where: int) -> None:
    level = SIGMAS[where]
    _, denoiser = run(Shortcuts(level, level))
    assert denoiser.calls[Pass.NOTHING] == 1
    assert denoiser.calls[Pass.EXPRESSION] == len(SIGMAS) - 1


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("every", [2, 3, 100])
def test_differences_that_stay_may_be_reused(windows: Windows, every: int) -> None:
    """Those of the fake denoiser do, for each frame, wherever its windows lie."""
    want, _ = run(None, windows)
    found, denoiser = run(Shortcuts(reuse_every=every), windows)
    assert torch.allclose(found, want, atol=1e-3, rtol=1e-4)
    assert denoiser.calls[Pass.NOTHING] < denoiser.calls[Pass.EXPRESSION]


def test_what_was_never_guided_is_guided_first() -> None:
    """The interval opens at a step between two full ones."""
    _, denoiser = run(Shortcuts(guide_from=SIGMAS[1], reuse_every=4))
    assert denoiser.calls[Pass.NOTHING] == 2  # at step 1, where it opens, and at step 4


@pytest.mark.parametrize("shortcuts", [Shortcuts(guide_from=0.0), Shortcuts(reuse_every=3)])
def test_a_signal_without_strength_stays_unseen(shortcuts: Shortcuts) -> None:
    _, denoiser = run(shortcuts, guidance=Guidance(expression=(0.0, 0.0)))
    assert Pass.EXPRESSION not in denoiser.calls
    assert denoiser.calls[Pass.AUDIO] == len(SIGMAS) - 1


@pytest.mark.parametrize("values", [(1.0, 2.0, 1), (1.0, -1.0, 1), (math.inf, 0.0, 0)])
def test_shortcuts_that_lead_nowhere_are_refused(values: tuple[float, float, int]) -> None:
    with pytest.raises(InputError, match="expected noise levels guide_from ≥ guide_to ≥ 0"):
        Shortcuts(*values)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 25])
def test_schedules_fall_from_one_end_to_the_other(name: str, steps: int) -> None:
    sigmas = SCHEDULES[name](steps, 0.02, 40.0, 7.0)
    assert len(sigmas) == steps + 1
    assert sigmas[-1] == 0
    assert all(a > b for a, b in pairwise(sigmas))
    if steps > 1:
        assert (sigmas[0], sigmas[-2]) == pytest.approx((40.0, 0.02))
    assert sample(FakeDenoiser(4), noise(4), sigmas, Guidance(), Windows()).shape == (4, *SHAPE)


def test_ten_aligned_steps_of_svd_end_as_published() -> None:
    sigmas = aligned_sigmas(11, 0.002, 700.0)
    assert sigmas[:4] == pytest.approx([700.0, 54.5, 15.886, 7.977])
