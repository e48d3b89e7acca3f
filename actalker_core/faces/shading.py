"""How a picture of a face is made: flat areas with edges, as drawn, or shaded, as a photograph."""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .box import Box, box_centre

SIDE_PX = 96
"""Larger faces are reduced to this, so that the measure does not depend on an image's size."""
MIN_SIDE_PX = 32
"""Around smaller faces as much is measured: a few pixels tell nothing."""
NOISE_PX = 5
"""Side of the median that takes away noise and the ringing of JPEG files, but no edges."""


def measure_shading(image: Tensor, face: Box) -> float:
    """Median over mean of how steeply brightness changes within a face.

    In a drawing nearly all pixels lie in flat areas and the changes in a few edges: near 0. Skin
    in a photograph changes everywhere: 0.4 and more. Brightness, contrast and colour of the light
    do not matter.

    Args:
        image: (3, H, W) in 0…1. face: its box in it.

    Returns:
        0 for a flat image, 1 where all changes are alike; never above 2, as half of them are
        the median or more.
    """
    x, y = box_centre(face)
    width, height = (max(face[i + 2] - face[i], MIN_SIDE_PX) / 2 for i in (0, 1))
    rows, columns = (
        slice(max(round(middle - half), 0), max(round(middle + half), 1))
        for middle, half in ((y, height), (x, width))
    )
    pixels = image[:, rows, columns].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
    size = tuple(max(min(side, SIDE_PX), 2) for side in pixels.shape[1::-1])
    pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    brightness: NDArray[np.float32] = cv2.medianBlur(pixels, NOISE_PX).mean(2, dtype=np.float32)
    steepness = np.hypot(np.diff(brightness, axis=1)[:-1], np.diff(brightness, axis=0)[:, :-1])
    mean = float(steepness.mean())
    return float(np.median(steepness)) / mean if mean > 0 else 0.0
