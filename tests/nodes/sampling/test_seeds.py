"""One seed gives one clip: through the node, through ComfyUI's samplers, and through the core."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    CUTS,
    FRAMES,
    RISING,
    SEED,
    STEPS,
    Preparation,
    assert_same,
    by_core,
    by_node,
    by_sampler,
    condition_with_gates,
    cut,
)


@pytest.mark.parametrize("name", CUTS)
def test_the_same_seed_gives_the_core_s_latents(
    comfy: Comfy, models: Any, exact_clip: Any, name: str
) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    expected = by_core(comfy, models[0], exact_clip[0], CUTS[name])
    assert_same(by_node(comfy, model, *exact_clip), expected)


@pytest.mark.parametrize("name", ["tight windows that overlap", "cyclic windows"])
def test_the_node_and_comfyui_s_sampler_give_one_clip(
    comfy: Comfy, models: Any, clip: Any, name: str
) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    latent = by_sampler(comfy, model, *clip)[0]["samples"]
    assert_same(latent, by_node(comfy, model, *clip))


@pytest.mark.parametrize("name", ["tight windows", "cyclic windows"])
@pytest.mark.parametrize("curves", [("0 0 1 1", "1"), ("0 0 1 1", "1 1 1 0")])
def test_gates_that_shut_half_way_give_the_core_s_latents(
    comfy: Comfy, models: Any, exact_preparation: Preparation, name: str, curves: tuple[str, str]
) -> None:
    clip = condition_with_gates(comfy, models, exact_preparation, *curves)
    model = cut(comfy, models[0], *CUTS[name])
    expected = by_core(comfy, models[0], clip[0], CUTS[name])
    assert_same(by_node(comfy, model, *clip), expected)


@pytest.mark.parametrize("name", ["one tight window", "cyclic windows"])
def test_strengths_that_change_give_the_core_s_latents(
    comfy: Comfy, models: Any, exact_clip: Any, name: str
) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    expected = by_core(comfy, models[0], exact_clip[0], CUTS[name], RISING)
    assert_same(by_node(comfy, model, *exact_clip, strengths=RISING), expected)
    constant = {key: (first, first) for key, (first, _) in RISING.items()}
    assert (by_node(comfy, model, *exact_clip, strengths=constant) - expected).abs().max() > 1e-3


def test_the_pipeline_of_the_command_line_gives_the_same_frames(
    comfy: Comfy, models: Any, exact_clip: Any, exact_preparation: Preparation
) -> None:
    """Conditioning, sampling and decoding by `pipeline.generate`, from the very same signals."""
    pipeline, plan = comfy.core("models.actalker.pipeline"), comfy.core("models.actalker.plan")
    model, encoders, vae = models
    core_model = encoders.load()
    core_model.unet, core_model.vae = (
        model.model.diffusion_model.unet,
        vae.first_stage_model.network,
    )
    try:
        signals = comfy.core("control.signals").Signals(*exact_preparation.signals.values())
        video = plan.plan_video(
            exact_preparation.portrait, signals, core_model.config.sampling, max_frames=FRAMES
        )
        result = pipeline.generate(core_model, video, steps=STEPS, seed=SEED)
        expected = torch.cat(list(result.chunks)).movedim(1, -1)
    finally:
        del core_model.unet, core_model.vae
    latent = by_node(comfy, model, *exact_clip)
    frames = comfy.call("Decode", vae=vae, latent={"samples": latent})[0]
    assert_same(frames, expected, 1e-3)


def test_another_seed_gives_another_clip(comfy: Comfy, models: Any, clip: Any) -> None:
    first, second = (by_node(comfy, models[0], *clip, seed=seed) for seed in (1, 2))
    assert (first - second).abs().max() > 1e-2
    assert torch.equal(first, by_node(comfy, models[0], *clip, seed=1))


def test_the_largest_seed_works(comfy: Comfy, models: Any, clip: Any) -> None:
    assert by_node(comfy, models[0], *clip, seed=2**64 - 1, steps=1).isfinite().all()


def test_a_clip_does_not_change_what_it_was_given(comfy: Comfy, models: Any, clip: Any) -> None:
    conditioning, latent = clip
    before = latent["samples"].clone()
    entry = dict(conditioning[0][1])
    tokens = entry["actalker"].audio.tokens.clone()
    by_node(comfy, cut(comfy, models[0], *CUTS["cyclic windows"]), *clip)
    assert torch.equal(latent["samples"], before)
    assert conditioning[0][1] == entry
    assert torch.equal(entry["actalker"].audio.tokens, tokens)
    assert set(latent) == {"samples"}


def test_windows_leave_the_model_that_came_in_as_it_was(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    before = by_node(comfy, models[0], *clip)
    cut(comfy, models[0], *CUTS["tight windows"])
    assert torch.equal(by_node(comfy, models[0], *clip), before)
