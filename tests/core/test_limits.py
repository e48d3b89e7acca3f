"""Numbers are held by their limits wherever the core takes them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.conditioning import FRAMES, conditioning
from helpers.tiny import tiny_model

from actalker_core import limits
from actalker_core.control import regions
from actalker_core.control.signals import AudioSignal, Signals
from actalker_core.diffusion.guidance import GuidanceInterval
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import InputError
from actalker_core.faces import Face
from actalker_core.faces.portrait import prepare_portrait
from actalker_core.models.actalker.config import SamplingConfig
from actalker_core.models.actalker.guidance import Guidance
from actalker_core.models.actalker.pipeline import sample_latents
from actalker_core.models.actalker.plan import RegionChoice, plan_video

LIMITS = [value for value in vars(limits).values() if isinstance(value, limits.Limits)]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_number_is_held_by_its_limits_alone(limit: limits.Limits) -> None:
    kind = int if limit.integer else float
    for value in (kind(limit.minimum), kind(limit.maximum)):
        assert limit.check(value) == value
    absurd = [float("nan"), float("inf"), -float("inf"), 1e300, None, "1", True, [1]]
    for value in absurd + ([limit.minimum + 0.5] if limit.integer else []):
        with pytest.raises(InputError, match=rf"{limit.name}: expected .*, got "):
            limit.check(value)  # type: ignore[type-var]


def test_an_error_names_what_else_is_taken() -> None:
    with pytest.raises(InputError, match=r"from 1 to 120, or 0 for all, got 0\.5"):
        limits.FPS.check(0.5, "0 for all")


NAN = float("nan")


def plan(**values: Any) -> Any:
    """A plan of 4 s."""
    portrait = prepare_portrait(torch.rand(3, 64, 64), Face((8, 8, 56, 56), 1.0), 64)
    signals = Signals(audio=AudioSignal(50.0, "speech", torch.zeros(200, 3, 32)))
    return plan_video(portrait, signals, SamplingConfig(), **values)


def sample_from(**values: Any) -> Any:
    """Latents of the tiny model."""
    gates = [1.0] * FRAMES
    return sample_latents(tiny_model(), conditioning(gates, gates), **values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RegionChoice(grow_px=10**9),
        lambda: plan(max_frames=10**9),
        *(lambda v=v: plan(fps=v) for v in (NAN, 0.0, 1e9)),
        *(lambda v=v: sample_from(seed=v) for v in (-1, 2**64)),
        lambda: sample_from(steps=10**9),
        lambda: sample_from(passes_at_once=5),
        *(lambda v=v: Guidance((1.0, 1.0), (1.0, v), (1.0, 1.0)) for v in (NAN, 1e300, -1.0)),
        *(lambda v=v: GuidanceInterval(guide_from=v) for v in (NAN, 1e300)),
        lambda: GuidanceInterval(guide_to=NAN),
        lambda: GuidanceInterval(reuse_every=10**9),
        *(lambda v=v: Windows(v) for v in (10**9, 2.5)),
        lambda: Windows(25, shift_per_step=10**9),
        lambda: regions.grow_mask(torch.zeros(1, 1, 8, 8), 20_000),
    ],
)
def test_absurd_numbers_are_refused_by_the_core(make: Callable) -> None:
    with pytest.raises(InputError, match="expected"):
        make()
