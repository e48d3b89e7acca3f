"""What the network reads of a moved photograph: images, a mask of invented pixels, numbers."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...faces.topology import OVAL
from ...geometry.numbers import FrameNumbers
from ...geometry.photograph import RenderedFrame
from ...geometry.raster import fill_outlines
from ...geometry.rings import INNER_LIPS
from .config import ROTATION_DEGREES
from .network import Geometry

Points = NDArray[np.floating]


def describe_geometry(
    frames: Sequence[RenderedFrame],
    landmarks: Sequence[Points],
    numbers: Sequence[FrameNumbers],
    turn_degrees: Points | None = None,
) -> Geometry:
    """Frames of one size, as the network takes them.

    Args:
        frames: f moved photographs (H, W, 3), of `Photograph.render`.
        landmarks: (478, 3) of the face in each, of `geometry.landmarks.move_landmarks`.
        numbers: that moved them.
        turn_degrees: (3,) how the head is turned at rest; None for a face that looks ahead.
    """
    images = np.stack([frame.image for frame in frames])
    faces = np.stack([_draw_face(p, frame) for p, frame in zip(landmarks, frames, strict=True)])
    invented_mask = np.stack([frame.invented_mask for frame in frames])
    rest = np.zeros(3) if turn_degrees is None else turn_degrees
    rows = [
        np.concatenate(
            [
                motion.blendshapes[1:],
                (motion.rotation_degrees + rest) / ROTATION_DEGREES,
                motion.gaze,
            ]
        )
        for motion in numbers
    ]
    photograph = from_images(images)
    mask = torch.from_numpy(faces)[:, None]
    return Geometry(
        face=(photograph + 1) * mask - 1,
        photograph=photograph,
        invented_mask=torch.from_numpy(invented_mask)[:, None].float() / 255,
        coefficients=torch.from_numpy(np.stack(rows)).float(),
    )


def from_images(images: NDArray[np.uint8]) -> Tensor:
    """(b, h, w, 3) in 0…255 -> (b, 3, h, w) in −1…1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def _draw_face(landmarks: Points, frame: RenderedFrame) -> NDArray[np.float32]:
    """(H, W) 1 where the face is, else 0; not inside of the mouth, which the mesh leaves open."""
    shape = frame.image.shape[:2]
    face = fill_outlines([OVAL], landmarks, shape)
    face[fill_outlines([INNER_LIPS], landmarks, shape) > 0] = 0
    return np.asarray(face / np.float32(255))
