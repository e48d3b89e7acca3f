"""A photograph that every machine has, and motion for it."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from actalker_core.control.motion.columns import build_motion
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.media import load_image
from actalker_core.synthetic.demo import find_photograph

FPS = 25.0
HOPPER_SIZE = 600, 512
"""Height and width of the portrait that matplotlib brings."""


def load_hopper(scale: float = 1.0) -> Tensor:
    """(3, H, W) in 0…1, of that portrait."""
    image = load_image(find_photograph()).movedim(0, -1).numpy()
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = (
        image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind)
    )
    return torch.from_numpy(np.clip(pixels, 0, 1)).movedim(-1, 0).contiguous()


def nod(frames: int = 8) -> MotionSignal:
    """A mouth that opens and a head that turns, from rest on."""
    course = torch.linspace(0, 1, frames)
    return build_motion({"jawOpen": course, "yaw": 12 * course}, FPS, "test")


def write_hopper(path: Path, scale: float = 0.5) -> Path:
    """That portrait as a file."""
    pixels = (load_hopper(scale).movedim(0, -1).numpy() * 255).round().astype(np.uint8)
    cv2.imwrite(str(path), pixels[..., ::-1])
    return path
