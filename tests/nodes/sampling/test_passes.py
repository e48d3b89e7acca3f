"""Each window runs the passes that weigh something there, once, in batches or one by one."""

from typing import Any

import pytest
from helpers.host import Comfy
from helpers.sampling import (
    CUTS,
    FRAMES,
    OFF,
    STEPS,
    USUAL,
    Preparation,
    assert_same,
    by_node,
    condition_with_gates,
    count_calls,
    cut,
    passes_of,
)
from torch import Tensor


def test_all_four_passes_run_once_per_window_and_step(comfy: Comfy, models: Any, clip: Any) -> None:
    model = cut(comfy, models[0], "tight", 2, 0, 0)
    with count_calls(models[0]) as calls:
        by_node(comfy, model, *clip)
    assert passes_of(calls) == 4 * 2 * STEPS
    assert all(frames == 2 for _, frames in calls)


@pytest.mark.parametrize(
    ("strengths", "passes"),
    [
        (OFF, 1),
        (OFF | {"expression": (2.0, 2.0), "audio": (2.0, 2.0), "appearance": (2.0, 2.0)}, 2),
        (OFF | {"audio": (3.0, 3.0), "expression": (3.0, 3.0)}, 2),
        (OFF | {"audio": (3.0, 3.0)}, 3),
        (USUAL, 4),
    ],
)
def test_passes_that_weigh_nothing_do_not_run(
    comfy: Comfy, models: Any, clip: Any, strengths: Any, passes: int
) -> None:
    with count_calls(models[0]) as calls:
        by_node(comfy, models[0], *clip, strengths=strengths)
    assert passes_of(calls) == passes * STEPS


@pytest.mark.parametrize(("curves", "passes"), [(("0", "1"), 3), (("1", "0"), 3)])
def test_passes_that_a_shut_gate_makes_equal_run_once(
    comfy: Comfy, models: Any, preparation: Preparation, curves: tuple[str, str], passes: int
) -> None:
    clip = condition_with_gates(comfy, models, preparation, *curves)
    with count_calls(models[0]) as calls:
        by_node(comfy, models[0], *clip)
    assert passes_of(calls) == passes * STEPS


def test_a_gate_saves_passes_in_the_windows_where_it_is_shut(
    comfy: Comfy, models: Any, preparation: Preparation
) -> None:
    clip = condition_with_gates(comfy, models, preparation, "1 1 0", "1")
    model = cut(comfy, models[0], "tight", 2, 0, 0)
    with count_calls(models[0]) as calls:
        by_node(comfy, model, *clip)
    assert passes_of(calls) == (4 + 3) * STEPS


def test_padding_of_cyclic_windows_runs_fewer_passes(comfy: Comfy, models: Any, clip: Any) -> None:
    with count_calls(models[0]) as calls:
        by_node(comfy, cut(comfy, models[0], "cyclic", 2, 0, 0), *clip)
    assert passes_of(calls) == (4 + 4 + 2) * STEPS


def test_each_window_runs_each_pass_that_weighs_something_once(
    comfy: Comfy, models: Any, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gates make passes of some windows equal, and a pass between two equal scales is worth 0."""
    module, planning = (
        comfy.node_module("actalker.bridge.model"),
        comfy.core("models.actalker.denoiser"),
    )
    strengths, name = USUAL | {"audio": USUAL["appearance"]}, "tight windows that overlap"
    clip = condition_with_gates(comfy, models, preparation, "0 0 1 1", "1 1 1 0")
    velocity, ran = module.velocity, []

    def note(unet: Any, read: Any, x: Tensor, c_noise: Tensor, frames: Any, passes: Any) -> Tensor:
        ran.extend((tuple(frames), guidance_pass) for guidance_pass in passes)
        return velocity(unet, read, x, c_noise, frames, passes)

    monkeypatch.setattr(module, "velocity", note)
    by_node(comfy, cut(comfy, models[0], *CUTS[name]), *clip, strengths=strengths)
    guidance = comfy.core("models.actalker.guidance").Guidance(**strengths)
    mode, *sizes = CUTS[name]
    windows = comfy.core("diffusion.windows").Windows(*sizes, mode)
    expected = [
        (tuple(frames), guidance_pass)
        for step in range(STEPS)
        for frames in windows.at(step, FRAMES)
        for guidance_pass in guidance.plan(
            step, STEPS, planning.merge_passes(clip[0][0][1]["actalker"], frames)
        )[0]
    ]
    assert sorted(ran) == sorted(expected)


def without_room(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for needs more memory than there is."""
    monkeypatch.setattr(type(model.model), "memory_required", lambda *_, **__: 1e30)


@pytest.mark.parametrize("name", ["tight windows that overlap", "cyclic windows"])
def test_passes_one_by_one_give_the_same_as_a_batch_of_them(
    comfy: Comfy,
    models: Any,
    exact_preparation: Preparation,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = condition_with_gates(comfy, models, exact_preparation, "1 1 1 0", "1 1 0 1")
    model = cut(comfy, models[0], *CUTS[name])
    with count_calls(models[0]) as batch_calls:
        expected = by_node(comfy, model, *clip)
    without_room(model, monkeypatch)
    with count_calls(models[0]) as alone:
        latent = by_node(comfy, model, *clip)
    assert max(passes for passes, _ in batch_calls) == 4
    assert {passes for passes, _ in alone} == {1}
    assert_same(latent, expected)


def test_splitting_does_not_run_a_pass_twice(
    comfy: Comfy, models: Any, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows in which passes are equal compute them once, however little memory there is."""
    clip = condition_with_gates(comfy, models, preparation, "1 1 0", "1")
    model = cut(comfy, models[0], "tight", 2, 0, 0)
    with count_calls(models[0]) as batch_calls:
        by_node(comfy, model, *clip)
    without_room(model, monkeypatch)
    with count_calls(models[0]) as alone:
        by_node(comfy, model, *clip)
    assert passes_of(alone) == passes_of(batch_calls)
