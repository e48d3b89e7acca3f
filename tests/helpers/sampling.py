"""One clip sampled through the nodes, for tests that compare ways to sample it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from helpers.host import Comfy, image, speech

FRAMES, STEPS, SEED = 4, 2, 7
SIDE_PX, GRID = 64, 8
EXACT_SIDE_PX = 128
"""In smaller pictures the groups of the deepest norms hold two numbers each, which makes the model
chaotic: rounding would decide."""
USUAL = {"appearance": (2.0, 2.0), "audio": (7.5, 7.5), "expression": (3.0, 3.0)}
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


def native(comfy: Comfy, name: str, **inputs: Any) -> Any:
    """Run one of ComfyUI's own nodes."""
    node = comfy.nodes.NODE_CLASS_MAPPINGS[name]
    if hasattr(node, "EXECUTE_NORMALIZED"):
        return node.EXECUTE_NORMALIZED(**inputs).args
    return getattr(node(), node.FUNCTION)(**inputs)


def scales(strengths: dict[str, tuple[float, float]]) -> dict[str, float]:
    return {
        f"{name}_scale_{end}": value
        for name, pair in strengths.items()
        for end, value in zip(("start", "end"), pair, strict=True)
    }


def cut(comfy: Comfy, model: Any, mode: str, frames: int, overlap: int, shift: int) -> Any:
    return comfy.call(
        "Windows",
        model=model,
        window_frames=frames,
        overlap_frames=overlap,
        shift_frames=shift,
        mode=mode,
    )[0]


def by_node(
    comfy: Comfy, model: Any, conditioning: Any, latent: Any, strengths: Any = USUAL, **more: Any
) -> Tensor:
    values = {"seed": SEED, "steps": STEPS} | scales(strengths) | more
    outputs = comfy.call("Sampler", model=model, conditioning=conditioning, latent=latent, **values)
    return outputs[0]["samples"]


def assert_same(latent: Tensor, expected: Tensor, within: float = 1e-4) -> None:
    assert latent.shape == expected.shape
    assert expected.isfinite().all()
    assert (latent - expected).norm() / expected.norm() < within
    assert (latent - expected).abs().max() / expected.abs().max() < 10 * within


@dataclass(frozen=True)
class Preparation:
    """Portrait, identity and signals that clips are made of."""

    portrait: Any
    identity: Tensor
    signals: dict[str, Any]


def prepare(comfy: Comfy, models: Any, side_px: int) -> Preparation:
    encoders, frames = models[1], image(frames=24)
    options = {"short_side_px": side_px, "face": "whole picture"}
    with torch.inference_mode():
        portrait = comfy.call("PreparePortrait", image=image(), **options)[0]
        identity = comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0]
        audio = comfy.call("EncodeAudio", encoders=encoders, audio=speech())[0]
        motion = comfy.call("EncodeMotion", encoders=encoders, frames=frames, face="whole picture")
    signals = {"audio_signal": audio, "expression_signal": motion[0], "pose_signal": motion[1]}
    return Preparation(portrait, identity, signals)


def conditioned_on(comfy: Comfy, models: Any, preparation: Preparation, **more: Any) -> Any:
    with torch.inference_mode():
        return comfy.call(
            "Conditioning",
            encoders=models[1],
            vae=models[2],
            portrait=preparation.portrait,
            identity=preparation.identity,
            max_frames=FRAMES,
            **(preparation.signals | more),
        )[:2]


def condition_with_gates(
    comfy: Comfy, models: Any, preparation: Preparation, audio: str, expression: str
) -> Any:
    curves = [comfy.call("Curve", curve_text=text)[0] for text in (audio, expression)]
    gates = comfy.call("Gates", audio_curve=curves[0], expression_curve=curves[1])[0]
    return conditioned_on(comfy, models, preparation, gates=gates)


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


def passes_of(calls: list[tuple[int, int]]) -> int:
    return sum(passes for passes, _ in calls)
