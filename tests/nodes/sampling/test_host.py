"""What else ComfyUI does with a model: previews, caches, compilation, its plain sampler."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    CUTS,
    GRID,
    OFF,
    SEED,
    STEPS,
    assert_same,
    by_node,
    by_sampler,
    count_calls,
    cut,
    native,
)
from torch import Tensor


def test_each_step_is_told_to_comfyui_s_own_preview(
    comfy: Comfy, models: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import latent_preview

    steps = []

    def prepare(model: Any, count: int, latent_format: Any = None) -> Any:
        def note(step: int, x0: Tensor, x: Tensor, total: int) -> None:
            assert x0.isfinite().all()
            steps.append((step, total))

        return note

    monkeypatch.setattr(latent_preview, "prepare_callback", prepare)
    by_sampler(comfy, models[0], *clip)
    assert steps == [(i, STEPS) for i in range(STEPS)]


def test_previews_are_pictures(comfy: Comfy, models: Any, clip: Any) -> None:
    import latent_preview
    from comfy.cli_args import LatentPreviewMethod, args

    before, args.preview_method = args.preview_method, LatentPreviewMethod.Latent2RGB
    try:
        patcher = models[0]
        previewer = latent_preview.get_previewer("cpu", patcher.model.latent_format)
        kind, picture, _ = previewer.decode_latent_to_preview_image("JPEG", clip[1]["samples"])
        assert kind == "JPEG"
        assert picture.size == (GRID, GRID)
        assert by_node(comfy, patcher, *clip).isfinite().all()
    finally:
        args.preview_method = before


@pytest.mark.parametrize("name", ["tight windows", "cyclic windows"])
def test_lazy_cache_gives_finite_latents(comfy: Comfy, models: Any, clip: Any, name: str) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    options = {"start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    model_with_cache = native(comfy, "LazyCache", model=model, reuse_threshold=3.0, **options)[0]
    with count_calls(models[0]) as all_calls:
        expected = by_node(comfy, model, *clip, steps=4)
    with count_calls(models[0]) as calls:
        latent = by_node(comfy, model_with_cache, *clip, steps=4)
    assert latent.shape == expected.shape
    assert latent.isfinite().all()
    assert len(calls) < len(all_calls)
    eager = native(comfy, "LazyCache", model=model, reuse_threshold=0.0, **options)[0]
    assert_same(by_node(comfy, eager, *clip), by_node(comfy, model, *clip))


@pytest.mark.parametrize("name", ["one tight window", "tight windows"])
def test_easy_cache_can_be_applied(comfy: Comfy, models: Any, clip: Any, name: str) -> None:
    model = cut(comfy, models[0], *CUTS[name])
    options = {"start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    model_with_cache = native(comfy, "EasyCache", model=model, reuse_threshold=0.0, **options)[0]
    assert_same(by_node(comfy, model_with_cache, *clip), by_node(comfy, model, *clip))
    model_with_reuse = native(comfy, "EasyCache", model=model, reuse_threshold=1.0, **options)[0]
    assert by_node(comfy, model_with_reuse, *clip, steps=5).isfinite().all()


def test_easy_cache_does_not_mix_up_windows(comfy: Comfy, models: Any, clip: Any) -> None:
    """A prediction of one window is never used for another."""
    model = cut(comfy, models[0], "tight", 2, 0, 0)
    options = {"start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    model_with_reuse = native(comfy, "EasyCache", model=model, reuse_threshold=1e9, **options)[0]
    with count_calls(models[0]) as calls:
        by_node(comfy, model_with_reuse, *clip, strengths=OFF, steps=1)
    assert len(calls) == 2


def test_a_compiled_block_gives_the_same_latents(comfy: Comfy, models: Any, clip: Any) -> None:
    """One block with a scan in it; to trace the whole model takes most of a minute."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    model = cut(comfy, models[0], "tight", 2, 0, 0)
    expected = by_node(comfy, model, *clip, strengths=OFF, steps=1)
    model_copy, block = model.clone(), "diffusion_model.unet.down_blocks.2"
    set_torch_compile_wrapper(model=model_copy, backend="eager", keys=[block])
    assert_same(by_node(comfy, model_copy, *clip, strengths=OFF, steps=1), expected)
    assert_same(by_node(comfy, model, *clip, strengths=OFF, steps=1), expected)
    torch._dynamo.reset()


def test_comfyui_s_switch_lays_channels_last(
    comfy: Comfy, models: Any, exact_clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comfy.cli_args import args

    monkeypatch.setattr(args, "force_channels_last", True)
    model = comfy.call("LoadModel", checkpoint="built-in")[0]
    weight = model.model.diffusion_model.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    assert_same(by_node(comfy, model, *exact_clip), by_node(comfy, models[0], *exact_clip), 1e-3)


@pytest.mark.parametrize("cfg", [1.0, 2.0])
@pytest.mark.parametrize("name", ["one tight window", "tight windows", "cyclic windows"])
def test_the_plain_sampler_runs_one_pass_with_everything(
    comfy: Comfy, models: Any, clip: Any, name: str, cfg: float
) -> None:
    model, (conditioning, latent) = cut(comfy, models[0], *CUTS[name]), clip
    with count_calls(models[0]) as calls:
        result = native(
            comfy,
            "KSampler",
            model=model,
            seed=SEED,
            steps=STEPS,
            cfg=cfg,
            sampler_name="euler",
            scheduler="karras",
            positive=conditioning,
            negative=conditioning,
            latent_image=latent,
            denoise=1.0,
        )[0]["samples"]
    assert all(passes == 1 for passes, _ in calls)
    if CUTS[name][0] == "tight":  # those that wrap around have no padding here
        assert_same(result, by_node(comfy, model, *clip, strengths=OFF))
    assert result.isfinite().all()


def test_a_hooked_or_conditioned_mask_of_comfyui_does_not_break_it(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    conditioning_with_range = native(
        comfy, "ConditioningSetTimestepRange", conditioning=clip[0], start=0.0, end=1.0
    )[0]
    expected = by_node(comfy, models[0], *clip)
    assert_same(by_node(comfy, models[0], conditioning_with_range, clip[1]), expected)
