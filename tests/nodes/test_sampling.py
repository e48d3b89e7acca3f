"""One seed gives one clip: through the node, through ComfyUI's samplers, and through the core."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    EXACT_SIDE_PX,
    FRAMES,
    SEED,
    STEPS,
    USUAL,
    Preparation,
    assert_same,
    by_node,
    conditioned_on,
    cut,
    native,
    prepare,
    scales,
)
from torch import Tensor

SIDE_PX, GRID = 64, 8
RISING = {"appearance": (1.0, 3.0), "audio": (2.0, 6.0), "expression": (4.0, 1.0)}
OFF = {"appearance": (1.0, 1.0), "audio": (1.0, 1.0), "expression": (1.0, 1.0)}
CUTS = {
    "one tight window": ("tight", 25, 0, 7),
    "tight windows": ("tight", 2, 0, 1),
    "tight windows that overlap": ("tight", 3, 1, 1),
    "one cyclic window": ("cyclic", 5, 0, 7),
    "cyclic windows": ("cyclic", 2, 0, 1),
    "cyclic windows that overlap": ("cyclic", 3, 1, 2),
}
WAYS = ("the node", "ComfyUI's sampler")


# What is compared ---------------------------------------------------------------------------------


def by_sampler(
    comfy: Comfy,
    model: Any,
    conditioning: Any,
    latent: Any,
    strengths: Any = USUAL,
    sampler: str = "euler",
    sigmas: Tensor | None = None,
    noise: Any = None,
) -> Any:
    """Both outputs of SamplerCustomAdvanced."""
    guider = comfy.call("Guider", model=model, conditioning=conditioning, **scales(strengths))[0]
    return native(
        comfy,
        "SamplerCustomAdvanced",
        noise=native(comfy, "RandomNoise", noise_seed=SEED)[0] if noise is None else noise,
        guider=guider,
        sampler=native(comfy, "KSamplerSelect", sampler_name=sampler)[0],
        sigmas=karras(comfy, model) if sigmas is None else sigmas,
        latent_image=latent,
    )


def karras(comfy: Comfy, model: Any, steps: int = STEPS, denoise: float = 1.0) -> Tensor:
    options = {"scheduler": "karras", "steps": steps, "denoise": denoise}
    return native(comfy, "BasicScheduler", model=model, **options)[0]


def by_core(
    comfy: Comfy,
    model: Any,
    conditioning: Any,
    window: Any,
    strengths: Any = USUAL,
    interval: Any = None,
    steps: int = STEPS,
) -> Tensor:
    """The same clip by the core's own loop, unscaled."""
    loop, schedule = comfy.core("diffusion.loop"), comfy.core("diffusion.schedules")
    denoiser = comfy.core("models.actalker.denoiser").Denoiser
    windows = comfy.core("diffusion.windows").Windows(*window[1:], window[0])
    config, clip = model.model.config, conditioning[0][1]["actalker"]
    count = clip.frames + windows.padding
    noise = torch.randn(
        count, *clip.image_latent.shape[1:], generator=torch.Generator().manual_seed(SEED)
    )
    sampling, scale = config.sampling, config.vae.scaling_factor
    latent = loop.sample(
        denoiser(model.model.diffusion_model.unet, clip.pad(windows.padding)),
        clip.image_latent * scale + sampling.sigma_max * noise,
        schedule.karras_sigmas(steps, sampling.sigma_min, sampling.sigma_max, sampling.rho),
        comfy.core("models.actalker.guidance").Guidance(**strengths),
        windows,
        interval=interval,
    )
    return latent[: clip.frames] / scale


@contextmanager
def count_calls(model: Any) -> Iterator[list[tuple[int, int]]]:
    """Passes and frames of each call of the UNet."""
    calls: list[tuple[int, int]] = []
    unet = model.model.diffusion_model.unet

    def note(_: Any, inputs: Any) -> None:
        picture, noise_levels = inputs[:2]
        calls.append((len(noise_levels), picture.shape[1]))

    hook = unet.register_forward_pre_hook(note)
    yield calls
    hook.remove()


@pytest.fixture(scope="module")
def preparation(comfy: Comfy, models: Any) -> Preparation:
    return prepare(comfy, models, SIDE_PX)


@pytest.fixture(scope="module")
def exact_preparation(comfy: Comfy, models: Any) -> Preparation:
    return prepare(comfy, models, EXACT_SIDE_PX)


@pytest.fixture(scope="module")
def clip(comfy: Comfy, models: Any, preparation: Preparation) -> Any:
    """CONDITIONING and LATENT."""
    return conditioned_on(comfy, models, preparation)


@pytest.fixture(scope="module")
def exact_clip(comfy: Comfy, models: Any, exact_preparation: Preparation) -> Any:
    """The same, large enough to compare computations that round in another order."""
    return conditioned_on(comfy, models, exact_preparation)


def condition_with_gates(
    comfy: Comfy, models: Any, preparation: Preparation, audio: str, expression: str
) -> Any:
    curves = [comfy.call("Curve", curve_text=text)[0] for text in (audio, expression)]
    gates = comfy.call("Gates", audio_curve=curves[0], expression_curve=curves[1])[0]
    return conditioned_on(comfy, models, preparation, gates=gates)


# One seed -----------------------------------------------------------------------------------------


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


# Other samplers and sigmas ------------------------------------------------------------------------


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


# The host's ways ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_each_step_reports_its_progress(
    comfy: Comfy, models: Any, clip: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import latent_preview

    steps = []

    def prepare(model: Any, count: int, latent_format: Any = None) -> Any:
        def note(step: int, x0: Tensor, x: Tensor, total: int) -> None:
            assert x0.isfinite().all()
            steps.append((step, total))

        return note

    monkeypatch.setattr(latent_preview, "prepare_callback", prepare)
    if way == WAYS[0]:
        by_node(comfy, models[0], *clip)
    else:
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


# What does not belong together --------------------------------------------------------------------


def foreign(width: int = 768) -> list:
    return [[torch.zeros(1, 77, width), {}]]


@pytest.mark.parametrize("node", ["Guider", "Sampler", "Preflight"])
def test_a_foreign_conditioning_is_named(comfy: Comfy, models: Any, clip: Any, node: str) -> None:
    options = {"latent": clip[1]} if node == "Sampler" else {}
    for conditioning in (foreign(), foreign() + clip[0], []):
        with pytest.raises(ValueError, match="Conditioning"):
            comfy.call(node, model=models[0], conditioning=conditioning, **options)


def test_a_foreign_conditioning_of_the_plain_sampler_is_named(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    import comfy.sample as host

    noise = host.prepare_noise(clip[1]["samples"], 0)
    with pytest.raises(ValueError, match=r"Conditioning \(ACTalker\)"):
        host.sample(
            models[0],
            noise,
            1,
            1.0,
            "euler",
            "karras",
            foreign(),
            foreign(),
            clip[1]["samples"],
        )


def foreign_model() -> Any:
    import comfy.model_patcher

    return comfy.model_patcher.ModelPatcher(torch.nn.Linear(2, 2), "cpu", "cpu")


@pytest.mark.parametrize("node", ["Guider", "Sampler", "Preflight", "Windows"])
def test_a_foreign_model_is_named(comfy: Comfy, clip: Any, node: str) -> None:
    options = {"latent": clip[1]} if node == "Sampler" else {}
    if node != "Windows":
        options["conditioning"] = clip[0]
    with pytest.raises(ValueError, match=r"Load Model \(ACTalker\).*Linear"):
        comfy.call(node, model=foreign_model(), **options)


@pytest.mark.parametrize("frames", [3, FRAMES + 2])
@pytest.mark.parametrize("name", ["one tight window", "cyclic windows"])
def test_a_latent_of_another_length_is_refused(
    comfy: Comfy, models: Any, clip: Any, frames: int, name: str
) -> None:
    latent = {"samples": clip[1]["samples"][:1].repeat(frames, 1, 1, 1)}
    model = cut(comfy, models[0], *CUTS[name])
    with pytest.raises(ValueError, match=rf"{FRAMES}.*{frames}|{frames}.*{FRAMES}"):
        by_node(comfy, model, clip[0], latent)


@pytest.mark.parametrize("shape", [(FRAMES, 4, 2 * GRID, GRID), (FRAMES, 16, GRID, GRID)])
def test_a_latent_of_another_size_is_refused(
    comfy: Comfy, models: Any, clip: Any, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        by_node(comfy, models[0], clip[0], {"samples": torch.ones(shape)})


# What runs ----------------------------------------------------------------------------------------


def passes_of(calls: list[tuple[int, int]]) -> int:
    return sum(passes for passes, _ in calls)


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


# Guidance interval --------------------------------------------------------------------------------


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
