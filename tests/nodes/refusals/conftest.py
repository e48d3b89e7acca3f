"""One thing of each kind that nodes take, some of them useless."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from helpers.node_motion import usable_motion
from helpers.node_refusals import FULL


@pytest.fixture(scope="module")
def things(comfy: Comfy, models: Any, portrait: Any) -> dict[str, Any]:
    """One thing of each kind that nodes take."""
    model, encoders, vae = models
    with torch.inference_mode():
        audio = comfy.call("EncodeAudio", encoders=encoders, audio=speech(0.5))[0]
        motion = comfy.call("EncodeMotion", encoders=encoders, frames=image(frames=12), face=FULL)
        return {
            "model": model,
            "encoders": encoders,
            "vae": vae,
            "portrait": portrait,
            "identity": comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0],
            "audio": audio,
            "expression": motion[0],
            "pose": motion[1],
            "bank": comfy.call(
                "BankOfSignal", expression_signal=motion[0], moments="0s: neutral; 0.3s: joyful"
            )[0],
        }


@pytest.fixture(scope="module")
def conditioning_inputs(things: dict[str, Any]) -> dict[str, Any]:
    names = ("encoders", "vae", "portrait", "identity")
    signals = {f"{name}_signal": things[name] for name in ("audio", "expression", "pose")}
    return {name: things[name] for name in names} | signals | {"max_frames": 4}


@pytest.fixture(scope="module")
def clip(comfy: Comfy, conditioning_inputs: dict[str, Any]) -> Any:
    """CONDITIONING and LATENT."""
    with torch.inference_mode():
        return comfy.call("Conditioning", **conditioning_inputs)[:2]


@pytest.fixture(scope="module")
def usable(
    comfy: Comfy, things: dict[str, Any], conditioning_inputs: dict[str, Any], clip: Any
) -> dict[str, dict[str, Any]]:
    """Inputs with which each node works, as far as it has choices."""
    (comfy.base / "models" / "actalker" / "release").mkdir(exist_ok=True)
    parts = {name: things[name] for name in ("model", "encoders", "vae")}
    sample_inputs = {"model": things["model"], "conditioning": clip[0]}
    small = {"short_side_px": 64, "face": FULL}
    drive_inputs = {"audio": speech(0.5), "driving_frames": image(frames=4)}
    return {
        "Talk": parts
        | small
        | drive_inputs
        | {"portrait_image": image(), "steps": 1, "max_frames": 1},
        "LoadModel": {"checkpoint": "built-in"},
        "ConvertCheckpoint": {"folder": "release", "file_name": "made"},
        "PreparePortrait": small | {"image": image()},
        "EncodeAudio": {"encoders": things["encoders"], "audio": speech(0.5)},
        "EncodeMotion": {
            "encoders": things["encoders"],
            "frames": image(frames=4),
            "face": FULL,
        },
        "ExpressionBank": {
            "encoders": things["encoders"],
            "images": image(),
            "face": FULL,
        },
        "TextExpression": {"bank": things["bank"], "match_by": "CLIP", "signal_fps": 12.5},
        "EditSignal": {"expression_signal": things["expression"]},
        "LoadSignals": {},
        "RegionMasks": {"portrait": things["portrait"]},
        "Conditioning": conditioning_inputs,
        "SignalMonitor": {
            "portrait": things["portrait"],
            "audio_signal": things["audio"],
            "expression_signal": things["expression"],
            "fps": 12.5,
        },
        "Windows": {"model": things["model"]},
        "Sampler": sample_inputs | {"latent": clip[1], "steps": 1},
        "DemoMedia": {},
        **usable_motion(comfy),
    }
