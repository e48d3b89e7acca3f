"""What a video costs on the device that ComfyUI computes on: memory and time."""

import math
import time
from collections.abc import Sequence

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from ....actalker_core.models.actalker.conditioning import Conditioning
from ....actalker_core.models.actalker.cost import estimate_cost
from ....actalker_core.models.actalker.denoiser import velocity
from ....actalker_core.models.actalker.guidance import Guidance, Pass
from .model import get_interval, get_windows

FEW_FRAMES = 2
"""Of a window, whose time tells that of all."""
MEASUREMENTS = 2
"""The first one also warms up."""
MOST_SHARE = 0.02
"""Of the sampling that a measurement may take before it."""


def memory_lines(model: ModelPatcher, conditioning: Conditioning, passes: int) -> list[str]:
    """Weights, activations of some passes over one window, and what is free."""
    activation_bytes = model.model.estimate_activations(conditioning, get_windows(model), passes)
    free_bytes = comfy.model_management.get_free_memory(model.load_device)
    return [
        f"weights {_gb(model.model_size())}, activations about {_gb(activation_bytes)} with "
        f"{passes} passes at once; {_gb(free_bytes)} free on {model.load_device}",
        "Passes run one after another if they do not fit together, and weights are streamed.",
    ]


def _gb(size: float) -> str:
    return f"{size / 1024**3:.2f} GB"


def predict_seconds(
    model: ModelPatcher, conditioning: Conditioning, guidance: Guidance, sigmas: Sequence[float]
) -> float | None:
    """How long sampling will take, by a measurement; None where that is no small part of it."""
    windows = get_windows(model)
    cost = estimate_cost(conditioning, windows, guidance, sigmas, get_interval(model))
    window_frames = len(windows.at(0, conditioning.frames)[0])
    if MOST_SHARE * cost.evaluations * window_frames < MEASUREMENTS * FEW_FRAMES:
        return None
    passes = list(Pass)[-1:]
    return cost.evaluations * measure_evaluation_s(model, conditioning, passes, FEW_FRAMES)


def measure_evaluation_s(
    model: ModelPatcher,
    conditioning: Conditioning,
    passes: Sequence[Pass],
    most_frames: int | None = None,
) -> float:
    """Seconds of an evaluation, measured on one window in some passes, without loading.

    Args:
        most_frames: of the window are run, as if all of it took as much longer; None for all.
    """
    network, windows = model.model.diffusion_model, get_windows(model)
    window = windows.at(0, conditioning.frames)[0]
    frames = window[:most_frames]
    shape = [len(frames), *conditioning.image_latent.shape[1:]]
    activation_bytes = model.model.estimate_activations(conditioning, windows, len(passes))
    comfy.model_management.load_models_gpu([model], memory_required=activation_bytes)
    dtype = model.model.manual_cast_dtype or network.dtype
    x = torch.zeros(*shape, device=model.load_device, dtype=dtype)
    c_noise = torch.zeros(1, device=model.load_device)
    conditioning = conditioning.to(model.load_device)
    seconds = math.inf
    for _ in range(MEASUREMENTS):
        start = time.perf_counter()
        v = velocity(network.unet, conditioning, x, c_noise, frames, passes)
        v.sum().item()  # waits for the device
        seconds = min(seconds, time.perf_counter() - start)
    return seconds / len(passes) * len(window) / len(frames)
