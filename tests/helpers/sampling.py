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
    given = {"seed": SEED, "steps": STEPS} | scales(strengths) | more
    found = comfy.call("Sampler", model=model, conditioning=conditioning, latent=latent, **given)
    return found[0]["samples"]


def assert_same(found: Tensor, expected: Tensor, within: float = 1e-4) -> None:
    assert found.shape == expected.shape
    assert expected.isfinite().all()
    assert (found - expected).norm() / expected.norm() < within
    assert (found - expected).abs().max() / expected.abs().max() < 10 * within


@dataclass(frozen=True)
class Prepared:
    """What clips are made of."""

    portrait: Any
    identity: Tensor
    signals: dict[str, Any]


def prepare(comfy: Comfy, loaded: Any, side_px: int) -> Prepared:
    encoders, frames = loaded[1], image(frames=24)
    given = {"short_side_px": side_px, "face": "whole picture"}
    with torch.inference_mode():
        portrait = comfy.call("PreparePortrait", image=image(), **given)[0]
        identity = comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0]
        audio = comfy.call("EncodeAudio", encoders=encoders, audio=speech())[0]
        moved = comfy.call("EncodeMotion", encoders=encoders, frames=frames, face="whole picture")
    signals = {"audio_signal": audio, "expression_signal": moved[0], "pose_signal": moved[1]}
    return Prepared(portrait, identity, signals)


def conditioned_on(comfy: Comfy, loaded: Any, prepared: Prepared, **more: Any) -> Any:
    with torch.inference_mode():
        return comfy.call(
            "Conditioning",
            encoders=loaded[1],
            vae=loaded[2],
            portrait=prepared.portrait,
            identity=prepared.identity,
            max_frames=FRAMES,
            **(prepared.signals | more),
        )[:2]
