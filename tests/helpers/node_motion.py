"""What the nodes of motion and photographs take."""

from typing import Any

import torch

from helpers.host import Comfy, image


def make_motion(comfy: Comfy, frames: int = 5, **numbers: float) -> Any:
    """A MOTION of numbers by hand that hold."""
    hand = comfy.core("control.motion.hand")
    return hand.move_by_hand(numbers).sample(frames, 25.0)


def usable_motion(comfy: Comfy) -> dict[str, dict[str, Any]]:
    """Inputs with which each node of motion works, as far as it has choices and texts."""
    with torch.inference_mode():
        motion, portrait = make_motion(comfy, smile=0.5), {"portrait_image": image()}
    refine = portrait | {"tgdm": comfy.call("LoadTGDM")[0], "motion": motion}
    swap = {"source_image": image(), "target_frames": image()}
    return {
        "AnimatePhoto": portrait,
        "MotionFromClip": {"frames": image(frames=2)},
        "MotionFromWords": {},
        "FaceEditor": portrait,
        "EditMotion": {"motion": motion},
        "SaveMotion": {"motion": motion},
        "LoadMotion": {},
        "MotionToFrames": portrait | {"motion": motion},
        "LoadTGDM": {},
        "RefineWithTGDM": refine | {"frames": image(frames=5)},
        "TrainPersonal": {"frames": image(frames=9)},
        "GeometryImages": portrait,
        "FaceSwap": swap | {"tgdm": refine["tgdm"]},
        "SwapStart": swap,
    }
