"""ComfyUI's samplers, noise levels and noise masks, with windows of both kinds."""

from functools import partial
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    CUTS,
    FRAMES,
    GRID,
    OFF,
    SIDE_PX,
    STEPS,
    assert_same,
    by_node,
    by_sampler,
    count_calls,
    cut,
    karras,
    native,
)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "euler_ancestral"])
@pytest.mark.parametrize("name", ["tight windows that overlap", "cyclic windows"])
def test_other_samplers_give_finite_latents(
    comfy: Comfy, models: Any, clip: Any, sampler: str, name: str
) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    latent = by_node(comfy, model, *clip, sampler_name=sampler)
    assert latent.shape == clip[1]["samples"].shape
    assert latent.isfinite().all()
    assert_same(by_sampler(comfy, model, *clip, sampler=sampler)[0]["samples"], latent)


def test_other_sigmas_give_finite_latents(comfy: Comfy, models: Any, clip: Any) -> None:
    sigmas_of_svd = native(
        comfy, "AlignYourStepsScheduler", model_type="SVD", steps=10, denoise=1.0
    )[0]
    falling = native(comfy, "ExponentialScheduler", steps=3, sigma_max=700.0, sigma_min=0.002)[0]
    for sigmas in (sigmas_of_svd[::3], falling):
        latent = by_sampler(comfy, models[0], *clip, sigmas=sigmas)[0]["samples"]
        assert latent.isfinite().all()


@pytest.mark.parametrize("scheduler", ["exponential", "simple", "normal", "beta", "kl_optimal"])
def test_every_usual_scheduler_gives_as_many_steps_as_asked(
    comfy: Comfy, models: Any, clip: Any, scheduler: str
) -> None:
    with count_calls(models[0]) as calls:
        latent = by_node(comfy, models[0], *clip, strengths=OFF, scheduler=scheduler)
    assert latent.isfinite().all()
    assert len(calls) == STEPS


def test_both_halves_of_split_sigmas_give_the_whole(
    comfy: Comfy, models: Any, exact_clip: Any
) -> None:
    conditioning, latent = exact_clip
    model = cut(comfy, models[0], "tight", 3, 1, 0)
    run = partial(by_sampler, comfy, model, conditioning)
    high, low = native(comfy, "SplitSigmas", sigmas=karras(comfy, model), step=1)
    half = run(latent, sigmas=high)[0]
    result = run(half, sigmas=low, noise=native(comfy, "DisableNoise")[0])[0]["samples"]
    assert_same(result, run(latent)[0]["samples"], 1e-3)


def test_split_sigmas_keep_the_clip_s_length_with_cyclic_windows(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    model = cut(comfy, models[0], *CUTS["cyclic windows"])
    run = partial(by_sampler, comfy, model, clip[0])
    high, low = native(comfy, "SplitSigmas", sigmas=karras(comfy, model), step=1)
    half = run(clip[1], sigmas=high)[0]
    assert half["samples"].shape == clip[1]["samples"].shape
    latent = run(half, sigmas=low, noise=native(comfy, "DisableNoise")[0])[0]["samples"]
    assert latent.shape == clip[1]["samples"].shape
    assert latent.isfinite().all()


def test_less_denoise_keeps_more_of_the_latent(comfy: Comfy, models: Any, clip: Any) -> None:
    start = clip[1]["samples"]
    latents = {
        denoise: by_node(comfy, models[0], *clip, denoise=denoise, steps=2)
        for denoise in (0.05, 0.3, 1.0)
    }
    far = [float((latent - start).abs().mean()) for latent in latents.values()]
    assert far == sorted(far)
    sigmas = karras(comfy, models[0], 2, 0.3)
    assert_same(by_sampler(comfy, models[0], *clip, sigmas=sigmas)[0]["samples"], latents[0.3])


def test_the_denoised_output_has_the_clip_s_length(comfy: Comfy, models: Any, clip: Any) -> None:
    for name in ("tight windows", "cyclic windows"):
        model = cut(comfy, models[0], *CUTS[name])
        _, prediction = by_sampler(comfy, model, *clip)
        assert prediction["samples"].shape == clip[1]["samples"].shape, name


@pytest.mark.parametrize("name", ["tight windows", "cyclic windows"])
def test_a_noise_mask_keeps_what_it_leaves_out(
    comfy: Comfy, models: Any, clip: Any, name: str
) -> None:
    model, (conditioning, latent) = cut(comfy, models[0], *CUTS[name]), clip
    mask = torch.zeros(1, SIDE_PX, SIDE_PX)
    mask[:, :, SIDE_PX // 2 :] = 1
    latent_with_mask = native(comfy, "SetLatentNoiseMask", samples=latent, mask=mask)[0]
    result = by_node(comfy, model, conditioning, latent_with_mask)
    assert result.shape == latent["samples"].shape
    assert torch.allclose(
        result[..., : GRID // 2 - 1], latent["samples"][..., : GRID // 2 - 1], atol=1e-4
    )
    assert (
        result[..., GRID // 2 + 1 :] - latent["samples"][..., GRID // 2 + 1 :]
    ).abs().max() > 1e-2


def test_a_noise_mask_per_frame_keeps_those_frames(comfy: Comfy, models: Any, clip: Any) -> None:
    conditioning, latent = clip
    mask = torch.ones(FRAMES, SIDE_PX, SIDE_PX)
    mask[2] = 0
    latent_with_mask = native(comfy, "SetLatentNoiseMask", samples=latent, mask=mask)[0]
    for name in ("tight windows", "cyclic windows"):
        model = cut(comfy, models[0], *CUTS[name])
        result = by_node(comfy, model, conditioning, latent_with_mask)
        assert torch.allclose(result[2], latent["samples"][2], atol=1e-4), name
        assert (result[3] - latent["samples"][3]).abs().max() > 1e-2, name
