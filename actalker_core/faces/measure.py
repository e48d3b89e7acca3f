"""What landmarks tell about a face over time: head rotation, eyes, gaze and mouth.

All functions take landmarks (f, 478, 3) and are indifferent to their scale. Left and right are the
person's own; directions in the image are as the viewer sees them.
"""

import numpy as np
from numpy.typing import NDArray

from . import topology as t

Array = NDArray[np.float32]


def head_rotation_degrees(landmarks: Array) -> Array:
    """(f, 3) pitch, yaw and roll in degrees.

    Pitch is positive when the nose goes up in the image, yaw when it goes to the image's right,
    roll when the head leans to the image's right (clockwise). Zero is a face whose
    temples, forehead and chin are equally near; depths from one camera are estimates, and so are
    these angles (against MediaPipe's own pose they follow it by 0.99 and exceed it by a fifth).
    """
    right = _unit(landmarks[:, t.LEFT_TEMPLE] - landmarks[:, t.RIGHT_TEMPLE])
    down = landmarks[:, t.CHIN] - landmarks[:, t.FOREHEAD]
    forward = -_unit(np.cross(right, down))
    yaw = np.arctan2(forward[:, 0], -forward[:, 2])
    pitch = np.arcsin(np.clip(-forward[:, 1], -1, 1))
    roll = np.arctan2(right[:, 1], right[:, 0])
    return np.asarray(np.degrees(np.stack([pitch, yaw, roll], axis=1)), np.float32)


def eye_openness(landmarks: Array) -> Array:
    """(f, 2) height of the left and the right eye as a share of its width; about 0.3 is open."""
    eyes = ((t.LEFT_LIDS, t.LEFT_CORNERS), (t.RIGHT_LIDS, t.RIGHT_CORNERS))
    shares = [
        _distance(landmarks, *lids) / _distance(landmarks, *corners) for lids, corners in eyes
    ]
    return np.stack(shares, axis=1)


def mouth_openness(landmarks: Array) -> Array:
    """(f,) gap between the lips as a share of the distance between the outer eye corners."""
    return _distance(landmarks, *t.INNER_LIPS) / eye_distance(landmarks)


def eye_distance(landmarks: Array) -> Array:
    """(f,) from one outer eye corner to the other, in the unit of the landmarks."""
    return _distance(landmarks, t.LEFT_CORNERS[1], t.RIGHT_CORNERS[0])


def gaze(landmarks: Array) -> Array:
    """(f, 2) where both eyes look, to the image's right and up, in half widths of an eye.

    0 is the middle between the corners.
    """
    return np.asarray(eye_gaze(landmarks).reshape(-1, 2, 2).mean(1), np.float32)


def eye_gaze(landmarks: Array) -> Array:
    """(f, 4) the same of the left eye, right and up, and of the right eye."""
    eyes = ((t.LEFT_IRIS, t.LEFT_CORNERS), (t.RIGHT_IRIS, t.RIGHT_CORNERS))
    return np.concatenate([_gaze(landmarks, *eye) for eye in eyes], axis=1)


def _gaze(landmarks: Array, iris: int, corners: tuple[int, int]) -> Array:
    """(f, 2) how far an iris is from the middle of its eye, along the eye and across it.

    Measured in the eye's own axes, so that a head that leans does not seem to look aside.
    """
    a, b = (landmarks[:, corner, :2] for corner in corners)
    half_width = np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True) / 2, 1e-9)
    right = (b - a) / (2 * half_width)
    up = np.stack([right[:, 1], -right[:, 0]], axis=1)  # a quarter turn, as y points down
    offset = (landmarks[:, iris, :2] - (a + b) / 2) / half_width
    return np.stack([(offset * right).sum(1), (offset * up).sum(1)], axis=1)


def _distance(
    landmarks: Array, points: int | tuple[int, ...], counterparts: int | tuple[int, ...]
) -> Array:
    """(f,) mean distance between points and their counterparts."""
    a, b = (landmarks[:, np.atleast_1d(index)] for index in (points, counterparts))
    return np.asarray(np.linalg.norm(a - b, axis=2).mean(1), np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)
