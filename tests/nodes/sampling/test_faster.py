"""Faster leaves out guidance at the steps that it names, as the core does."""

import math
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    CUTS,
    STEPS,
    Preparation,
    assert_same,
    by_core,
    by_node,
    condition_with_gates,
    count_calls,
    cut,
    passes_of,
)


def test_faster_as_it_comes_changes_nothing(comfy: Comfy, models: Any, clip: Any) -> None:
    faster = comfy.call("Faster", model=models[0])[0]
    with count_calls(models[0]) as calls:
        latent = by_node(comfy, faster, *clip)
    assert passes_of(calls) == 4 * STEPS
    assert torch.equal(latent, by_node(comfy, models[0], *clip))


@pytest.mark.parametrize(
    ("values", "guided"),
    [({"reuse_every_steps": 2}, (STEPS + 1) // 2), ({"guide_from_sigma": 0.0}, 0)],
)
def test_faster_runs_fewer_passes_and_does_as_the_core(
    comfy: Comfy, models: Any, exact_clip: Any, values: dict[str, Any], guided: int
) -> None:
    faster = comfy.call("Faster", model=models[0], **values)[0]
    with count_calls(models[0]) as calls:
        latent = by_node(comfy, faster, *exact_clip)
    assert passes_of(calls) == STEPS + 3 * guided
    interval = comfy.core("diffusion.guidance").GuidanceInterval(
        values.get("guide_from_sigma", math.inf), reuse_every=values.get("reuse_every_steps", 1)
    )
    windows = ("tight", 25, 0, 7)
    assert_same(latent, by_core(comfy, models[0], exact_clip[0], windows, interval=interval))


@pytest.mark.parametrize("name", ["tight windows that overlap", "cyclic windows"])
@pytest.mark.parametrize("values", [{"reuse_every_steps": 2}, {"guide_to_sigma": 1.0}])
def test_faster_does_as_the_core_where_windows_move_and_gates_shut(
    comfy: Comfy, models: Any, exact_preparation: Preparation, name: str, values: dict[str, Any]
) -> None:
    """In three steps, of which the second reuses what still weighs something there."""
    clip = condition_with_gates(comfy, models, exact_preparation, "0 0 1 1", "1 1 1 0")
    model = cut(comfy, comfy.call("Faster", model=models[0], **values)[0], *CUTS[name])
    with count_calls(models[0]) as calls:
        latent = by_node(comfy, model, *clip, steps=3)
    with count_calls(models[0]) as always:
        exact = by_node(comfy, cut(comfy, models[0], *CUTS[name]), *clip, steps=3)
    assert passes_of(calls) < passes_of(always)
    assert (latent - exact).abs().max() > 1e-3
    interval = comfy.core("diffusion.guidance").GuidanceInterval(
        guide_to=values.get("guide_to_sigma", 0.0), reuse_every=values.get("reuse_every_steps", 1)
    )
    expected = by_core(comfy, models[0], clip[0], CUTS[name], interval=interval, steps=3)
    assert_same(latent, expected)
