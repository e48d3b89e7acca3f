"""One clip sampled through the nodes, for tests that compare ways to sample it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from helpers.host import Comfy, image, speech

FRAMES, STEPS, SEED = 4, 2, 7
EXACT_SIDE_PX = 128
"""In smaller pictures the groups of the deepest norms hold two numbers each, which makes the model
chaotic: rounding would decide."""
USUAL = {"appearance": (2.0, 2.0), "audio": (7.5, 7.5), "expression": (3.0, 3.0)}


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
