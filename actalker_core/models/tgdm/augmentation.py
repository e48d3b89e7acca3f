"""What goes wrong in practice, so that the network learns from it too."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ...faces.topology import COUNT
from ...geometry.photograph import RenderedFrame

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

JITTER_PX = 0.4
"""How far landmarks miss on average, as a landmarker's do."""
LIGHT_PROBABILITY, MAX_GAIN, MAX_LIFT = 0.5, 0.15, 12.0
"""Of sources in another light than the target: factors and shifts of each colour."""
BLUR_PROBABILITY, MAX_BLUR_PX = 0.2, 0.8
"""Of sources out of focus: standard deviation of the blur."""
OCCLUDER_PROBABILITY, MAX_OCCLUDERS, MAX_OCCLUDER_SHARE = 0.3, 3, 0.25
"""Of moved photographs in which something covers the face: how many, and their diameter as a share
of the image. The network has to fetch what they hide from the source."""
TOLD_PROBABILITY = 0.5
"""Of occluders that the mask of invented pixels tells of."""


def jitter_points(rng: np.random.Generator, unit_px: float = 1.0) -> Array:
    """(2, 478, 3) errors of landmarks: neighbours err alike, and each a little by itself.

    Args:
        unit_px: pixels of the image for one that the network sees.
    """
    shared_error = rng.normal(0, JITTER_PX, (2, 1, 3))
    single_errors = rng.normal(0, JITTER_PX / 4, (2, COUNT, 3))
    return np.asarray(unit_px * (shared_error + single_errors))


def change_light(image: Image, rng: np.random.Generator) -> Image:
    """(h, w, 3) the same in another light, or as it is."""
    if rng.random() >= LIGHT_PROBABILITY:
        return image
    gain, lift = rng.uniform(-MAX_GAIN, MAX_GAIN, 3), rng.uniform(-MAX_LIFT, MAX_LIFT, 3)
    return np.asarray((image * (1 + gain) + lift).round().clip(0, 255), np.uint8)


def blur_image(image: Image, rng: np.random.Generator, unit_px: float = 1.0) -> Image:
    """(h, w, 3) the same out of focus, or as it is; `unit_px` as in `jitter_points`."""
    if rng.random() >= BLUR_PROBABILITY:
        return image
    width_px = unit_px * rng.uniform(0.2, MAX_BLUR_PX)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), width_px), np.uint8)


def cover_parts(frame: RenderedFrame, rng: np.random.Generator) -> RenderedFrame:
    """The frame (h, w, 3) with ellipses of one colour before the face, or as it is."""
    if rng.random() >= OCCLUDER_PROBABILITY:
        return frame
    side = frame.image.shape[0]
    occluder = np.zeros((side, side), np.uint8)
    image, invented_mask = frame.image.copy(), frame.invented_mask.copy()
    for _ in range(rng.integers(1, MAX_OCCLUDERS + 1)):
        place = rng.uniform(0.2, 0.8, 2) * side
        axes = rng.uniform(0.05, MAX_OCCLUDER_SHARE, 2) * side
        ellipse = (place.tolist(), axes.tolist(), rng.uniform(0, 180))
        occluder[:] = 0
        cv2.ellipse(occluder, ellipse, (1,), thickness=-1)
        image[occluder > 0] = rng.integers(256, size=3)
        if rng.random() < TOLD_PROBABILITY:
            invented_mask[occluder > 0] = 255
    return RenderedFrame(image, invented_mask)
