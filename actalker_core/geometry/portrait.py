"""A picture with a face in it -> a photograph that can be moved, or why it cannot."""

import logging

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError, InputError
from ..faces import Face
from ..faces.face import to_pixels
from ..faces.landmarker import Landmarker
from ..faces.measure import head_rotation_degrees
from ..faces.portrait import to_rgb
from ..limits import PHOTOGRAPH_SIDE_PX
from .mesh import FaceMesh
from .photograph import Photograph

log = logging.getLogger(__name__)

MAX_YAW_DEGREES = 55.0
"""Of a profile half the face has no pixel."""
SMALL_FACE_PX = 48
"""A narrower face has too few pixels for lids and lips."""
MAX_OUTSIDE = 0.4
"""Share of the landmarks that may lie beyond the picture's border."""


def fit_image(image: Tensor) -> Tensor:
    """An image (c, H, W) as (3, H, W) in 0…1, its longer side at most `PHOTOGRAPH_SIDE_PX`.

    Raises:
        InputError: another shape.
    """
    image = to_rgb(image)
    height, width = int(image.shape[1]), int(image.shape[2])
    largest = int(PHOTOGRAPH_SIDE_PX.maximum)
    if max(height, width) <= largest:
        return image
    scale = largest / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    log.warning(
        "The portrait of %dx%d pixels is scaled to %dx%d: no side is drawn longer than %d.",
        *(width, height, *size, largest),
    )
    pixels = cv2.resize(to_pixels(image), size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(pixels).movedim(-1, 0).float() / 255


def open_photograph(
    image: Tensor, face: Face, landmarker: Landmarker, mesh: FaceMesh, *, own_teeth: bool = True
) -> Photograph:
    """An image (3, H, W) and the face in it, ready to be moved; `own_teeth` as of `Photograph`.

    Raises:
        FaceError: the face has no landmarks, is turned away, or is cut by the border.
    """
    if face.landmarks is None:
        raise FaceError(
            "Portrait: expected a face whose landmarks are seen, got none in its box. Draw the "
            "box closer around it, or choose another picture."
        )
    landmarks = np.asarray(face.landmarks, np.float64)
    _check_view(landmarks)
    _check_border(landmarks, int(image.shape[1]), int(image.shape[2]))
    blendshapes = landmarker.blendshapes(face.landmarks[None])[0]
    return Photograph(
        to_pixels(image), landmarks, mesh, blendshapes=blendshapes, own_teeth=own_teeth
    )


def check_mask(mask: Tensor, photograph: Photograph) -> NDArray[np.float32]:
    """A mask (H, W) of a photograph, where it may change.

    Raises:
        InputError: another size.
    """
    height, width = photograph.image.shape[:2]
    if tuple(mask.shape) != (height, width):
        raise InputError(
            f"Mask: expected the portrait's {width}x{height} pixels, got "
            f"{'x'.join(map(str, reversed(mask.shape)))}. Draw it over the portrait."
        )
    return np.asarray(mask.float().nan_to_num().clamp(0, 1).numpy(), np.float32)


def _check_view(landmarks: NDArray[np.float64]) -> None:
    yaw = abs(float(head_rotation_degrees(landmarks[None].astype(np.float32))[0, 1]))
    if yaw > MAX_YAW_DEGREES:
        raise FaceError(
            f"Portrait: expected a face turned at most {MAX_YAW_DEGREES:g}° from the camera, got "
            f"{yaw:.0f}°: half of it has no pixels. Choose a picture that shows both eyes."
        )
    width = float(np.ptp(landmarks[:, 0]))
    if width < SMALL_FACE_PX:
        log.warning(
            "The face is %.0f pixels wide, so lids and lips have few pixels to move. A larger "
            "picture moves better.",
            width,
        )


def _check_border(landmarks: NDArray[np.float64], height: int, width: int) -> None:
    x, y = landmarks[:, 0], landmarks[:, 1]
    outside = float(((x < 0) | (y < 0) | (x >= width) | (y >= height)).mean())
    if outside > MAX_OUTSIDE:
        raise FaceError(
            f"Portrait: expected a face within the picture, got one of which {outside:.0%} lies "
            "beyond its border. Choose a picture that shows it whole."
        )
    if outside > 0:
        log.warning(
            "The picture's border cuts the face; what lies beyond it cannot be moved into sight."
        )
