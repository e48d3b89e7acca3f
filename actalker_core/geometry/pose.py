"""Where a head is and how it is turned: a similarity between the canonical face and landmarks.

All functions take one face or any number of them in front: … is () or (f,). Axes are the
picture's: x right, y down, z away from the viewer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError, InputError
from ..faces.topology import COUNT
from .mesh import VERTEX_COUNT, Array, FaceMesh

MIN_SPREAD = 1e-6
"""Of the largest coordinate: landmarks closer together than this are one point."""


@dataclass(frozen=True)
class HeadPose:
    """image point = scale · rotation · point of the head + translation.

    That is weak perspective: depth shrinks nothing, which is how landmarks are estimated.

    Attributes:
        scale: (…) pixels, or the landmarks' unit, in a cm of the head.
        rotation: (…, 3, 3) of the head against a canonical face that looks at the viewer.
        translation: (…, 3) where the head's origin, between the ears, falls.
    """

    scale: Array
    rotation: Array
    translation: Array

    def __getitem__(self, frame: int) -> "HeadPose":
        """One of several poses."""
        return HeadPose(self.scale[frame], self.rotation[frame], self.translation[frame])


def fit_pose(landmarks: NDArray[np.floating], mesh: FaceMesh) -> HeadPose:
    """The similarity that lays the mesh over landmarks (…, n, 3), by weighted Procrustes.

    n is 478, or 468 without the irises. Source: Umeyama, doi 10.1109/34.88573.

    Raises:
        InputError: the landmarks have another shape, or are NaN or infinite.
        FaceError: they are all in one place.
    """
    points = check_landmarks(landmarks)[..., mesh.alignment_idx, :]
    weights = (mesh.alignment_weights / mesh.alignment_weights.sum())[:, None]
    model = mesh.vertices[mesh.alignment_idx]
    model_centre = (weights * model).sum(0)
    centre = (weights * points).sum(-2)
    model = model - model_centre
    points = points - centre[..., None, :]
    size = np.abs(points).max(axis=(-1, -2))
    if (size <= MIN_SPREAD * (1 + np.abs(centre).max(-1))).any():
        raise FaceError(
            "Landmarks: expected those of a face, got points that are all in one place. Choose "
            "an image that shows a face."
        )
    covariance = np.swapaxes(points * weights, -1, -2) @ model  # (…, 3, 3)
    left, singular_values, right = np.linalg.svd(covariance)
    # A reflection would fit a mirrored face better; the weakest axis gives way to a rotation.
    signs = np.ones_like(singular_values)
    signs[..., 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    rotation = (left * signs[..., None, :]) @ right
    scale = (singular_values * signs).sum(-1) / (weights * model**2).sum()
    translation = centre - scale[..., None] * (rotation @ model_centre)
    return HeadPose(scale, rotation, translation)


def check_landmarks(landmarks: NDArray[np.floating]) -> Array:
    """The same landmarks (…, n, 3) in double precision, n 478 or 468.

    Raises:
        InputError: they have another shape, or are NaN or infinite.
    """
    points = np.asarray(landmarks, np.float64)
    if points.ndim < 2 or points.shape[-2:] not in ((COUNT, 3), (VERTEX_COUNT, 3)):
        raise InputError(
            f"Landmarks: expected the shape (…, {COUNT}, 3) or (…, {VERTEX_COUNT}, 3), got "
            f"{points.shape}. Give those of MediaPipe's landmarker."
        )
    if not np.isfinite(points).all():
        raise InputError(
            "Landmarks: expected finite numbers, got NaN or infinite ones. Leave out the frames "
            "without a face."
        )
    return points


def to_head_space(landmarks: NDArray[np.floating], pose: HeadPose) -> Array:
    """Landmarks (…, n, 3) in the image -> points (…, n, 3) in cm of a head that looks ahead."""
    points = (landmarks - pose.translation[..., None, :]) / pose.scale[..., None, None]
    return np.asarray(points @ pose.rotation)


def to_image(points: NDArray[np.floating], pose: HeadPose) -> Array:
    """Points (…, n, 3) in cm of the head -> where they are in the image (…, n, 3)."""
    points = pose.scale[..., None, None] * (points @ np.swapaxes(pose.rotation, -1, -2))
    return np.asarray(points + pose.translation[..., None, :])


def move_pose(
    rest: HeadPose,
    rotation_degrees: NDArray[np.floating],
    translation: NDArray[np.floating],
    scale: NDArray[np.floating],
    face_width: float,
) -> HeadPose:
    """The pose after a change from rest; `measure_change` is the way back.

    Args:
        rest: one pose.
        rotation_degrees: (…, 3) pitch, yaw, roll, added to those of the rest: a head that looks
            aside nods about its own ears.
        translation: (…, 2) right and down, in face widths.
        scale: (…, 1) factor.
        face_width: of the landmarks' box at rest, in the unit of the pose.
    """
    shift = np.asarray(translation, np.float64) * face_width
    depth = np.zeros_like(shift[..., :1])
    return HeadPose(
        rest.scale * np.asarray(scale, np.float64)[..., 0],
        make_rotation(measure_rotation(rest.rotation) + rotation_degrees),
        rest.translation + np.concatenate([shift, depth], axis=-1),
    )


def measure_change(pose: HeadPose, rest: HeadPose, face_width: float) -> tuple[Array, Array, Array]:
    """What `move_pose` makes of the rest: rotation (…, 3), translation (…, 2) and scale (…, 1)."""
    rotation = measure_rotation(pose.rotation) - measure_rotation(rest.rotation)
    rotation = (rotation + 180) % 360 - 180  # an upside-down face has a roll of 180 or of −180
    translation = (pose.translation - rest.translation)[..., :2] / face_width
    return rotation, translation, (pose.scale / rest.scale)[..., None]


def make_rotation(rotation_degrees: NDArray[np.floating]) -> Array:
    """Pitch, yaw and roll (…, 3) -> (…, 3, 3); the inverse of `measure_rotation`.

    Pitch and yaw say where the nose points, roll how the line through both eyes leans in the image.
    The third axis follows, as the line is at right angles to the nose.
    """
    pitch, yaw, roll = np.moveaxis(np.radians(np.asarray(rotation_degrees, np.float64)), -1, 0)
    # The way the nose points: (0, 0, −1) at rest.
    x, y = np.cos(pitch) * np.sin(yaw), -np.sin(pitch)
    z = -np.cos(pitch) * np.cos(yaw)
    # The person's left: (a cos roll, a sin roll, b) with 0 = a (x cos roll + y sin roll) + b z.
    lean = x * np.cos(roll) + y * np.sin(roll)
    left = np.stack([-z * np.cos(roll), -z * np.sin(roll), lean], axis=-1)
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    backward = -np.stack([x, y, z], axis=-1)
    return np.stack([left, np.cross(backward, left), backward], axis=-1)


def measure_rotation(rotation: NDArray[np.floating]) -> Array:
    """(…, 3, 3) -> pitch, yaw, roll (…, 3) in degrees.

    Signs are those of `faces.measure.head_rotation_degrees`: nose up, nose to the image's right,
    head leaning to the image's right. Good for less than a quarter turn.
    """
    forward, left = -rotation[..., 2], rotation[..., 0]
    pitch = np.arcsin(np.clip(-forward[..., 1], -1, 1))
    yaw = np.arctan2(forward[..., 0], -forward[..., 2])
    roll = np.arctan2(left[..., 1], left[..., 0])
    return np.asarray(np.degrees(np.stack([pitch, yaw, roll], axis=-1)))
