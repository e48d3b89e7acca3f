"""A face that is not found: the error advises only what its node has."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.recorded_faces import needs_model

GREY = torch.full((2, 96, 96, 3), 0.5)
CLIP = {"frames": GREY, "frames_per_second": 25.0}
INPUTS: dict[str, dict[str, Any]] = {
    "AnimatePhoto": {"portrait_image": GREY},
    "FaceEditor": {"portrait_image": GREY},
    "GeometryImages": {"portrait_image": GREY},
    "SwapStart": {"source_image": GREY, "target_frames": GREY},
    "MotionFromClip": CLIP,
    "PreparePortrait": {"image": GREY, "short_side_px": 512},
    "EncodeMotion": CLIP,
    "ExpressionBank": {"images": GREY},
    "Talk": {"portrait_image": GREY, "driving_frames": GREY},
}


@needs_model
@pytest.mark.usefixtures("landmarker")
@pytest.mark.parametrize("name", INPUTS)
def test_an_error_advises_what_its_node_has(comfy: Comfy, models: Any, name: str) -> None:
    info = comfy.info(f"ACTalker_{name}")["input"]
    inputs = info["required"] | info.get("optional", {})
    sockets = dict(zip(("model", "encoders", "vae"), models, strict=True))
    model_parts = {key: value for key, value in sockets.items() if key in info["required"]}
    with pytest.raises(comfy.core("errors").FaceError) as refusal:
        comfy.call(name, **INPUTS[name], **model_parts)
    message = str(refusal.value)
    assert "No face is found" in message
    assert "larger, brighter or from the front." in message
    offers = {
        "box": "face_box" in inputs,
        "face_mask": "face_mask" in inputs,
        "whole picture": "whole picture" in str(inputs.get("face")),
    }
    assert not [advice for advice, has in offers.items() if advice in message and not has]
    assert (" Or " in message) == any(offers.values())
