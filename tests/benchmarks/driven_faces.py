"""What the benchmarks of the moving photograph share: a clip's faces, and what is read of faces.

They need what is not in the repository: the landmarker, a portrait and a driving clip in shared/.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from helpers.recorded_faces import DRIVING, PORTRAIT, TASK
from numpy.typing import NDArray

from actalker_core.faces import measure
from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.rings import BROWS, EYE_CORNERS, MOUTH_CORNERS
from actalker_core.media import VideoFrames, load_image, read_nominal_fps

Array = NDArray[Any]

STEP = 11
"""Every so many frames of the clip are taken."""


@dataclass(frozen=True)
class Faces:
    """Frames (f, H, W, 3) in 0…255, their landmarks (f, 478, 3) and blendshapes (f, 52)."""

    frames: list[Array]
    landmarks: Array
    blendshapes: Array


def open_landmarker() -> Landmarker:
    return Landmarker(TASK)


def read_faces(landmarker: Landmarker, frames: list[Array]) -> Faces:
    """The largest face of each frame."""
    tensors = (torch.from_numpy(frame).permute(2, 0, 1) for frame in frames)
    landmarks = np.stack([landmarker.find(tensor, "largest")[0].landmarks for tensor in tensors])
    return Faces(frames, landmarks, landmarker.blendshapes(landmarks))


def read_portrait(landmarker: Landmarker, side_px: int) -> Faces:
    image = load_image(PORTRAIT)
    size = (side_px, round(side_px * image.shape[2] / image.shape[1]))
    image = torch.nn.functional.interpolate(image.float()[None], size, mode="area")[0]
    pixels = (image * 255).round().clamp(0, 255).byte()
    return read_faces(landmarker, [pixels.permute(1, 2, 0).contiguous().numpy()])


def read_driver(landmarker: Landmarker) -> Faces:
    video = VideoFrames(DRIVING, read_nominal_fps(DRIVING))
    frames = [frame.permute(1, 2, 0).numpy() for frame in islice(video, None, None, STEP)]
    return read_faces(landmarker, frames)


def read_measures(faces: Faces) -> dict[str, Array]:
    """What is compared between a driver and what is driven, (f,) each."""
    points = faces.landmarks
    eye_px = measure.eye_distance(points)
    pitch, yaw, roll = measure.head_rotation_degrees(points).T
    gaze_x, gaze_y = measure.gaze(points).T
    corners = points[:, list(MOUTH_CORNERS)]
    brows = [
        np.linalg.norm(points[:, list(brow)].mean(1) - points[:, list(eye)].mean(1), axis=1)
        for brow, eye in zip(BROWS, EYE_CORNERS, strict=True)
    ]
    return {
        "mouth openness": measure.mouth_openness(points),
        "mouth width": np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1) / eye_px,
        "eyes": measure.eye_openness(points).mean(1),
        "yaw": yaw,
        "roll": roll,
        "pitch": pitch,
        "brow height": np.mean(brows, axis=0) / eye_px,
        "smile": mean_shape(faces, "mouthSmile"),
        "gaze right": gaze_x,
        "gaze up": gaze_y,
        "browDown": mean_shape(faces, "browDown"),
    }


def mean_shape(faces: Faces, name: str) -> Array:
    """(f,) of one blendshape, or of its left and right one."""
    return faces.blendshapes[:, [i for i, n in enumerate(NAMES) if n.startswith(name)]].mean(1)
