"""Landmarks that numbers have moved: of a photograph's face, or of nobody's in particular."""

import numpy as np
from numpy.typing import NDArray

from ..faces import topology
from .mesh import VERTEX_COUNT, FaceMesh
from .numbers import FrameNumbers
from .photograph import Photograph
from .pose import move_pose, to_head_space, to_image
from .rings import EYE_CORNERS, IRISES

Points = NDArray[np.float64]

CANONICAL_SHARE = 0.72
"""Height of the canonical face in its image, so that it stays inside when it turns."""
IRIS_RADIUS_CM = 0.59
"""Of people's; it varies little."""
IRIS_POINTS = 5
"""Centre, and right, up, left and down of it in the image."""


def place_canonical(mesh: FaceMesh, shape: tuple[int, int]) -> Points:
    """(478, 3) landmarks of the canonical face in the middle of an image, looking at the viewer.

    The mesh has no irises; theirs are discs of a usual size in the middle of the eyes.

    Args:
        shape: height and width of the image.
    """
    vertices = mesh.vertices.astype(np.float64)
    irises = [_rest_iris(vertices, eye) for eye in (topology.RIGHT_EYE, topology.LEFT_EYE)]
    points = np.concatenate([vertices, *irises])
    low, high = vertices.min(0), vertices.max(0)
    scale = CANONICAL_SHARE * min(shape) / (high - low)[:2].max()
    middle = np.array([shape[1] / 2, shape[0] / 2, 0.0])
    return np.asarray((points - (low + high) / 2) * scale + middle)


def move_landmarks(
    photograph: Photograph,
    landmarks: NDArray[np.floating],
    numbers: FrameNumbers,
    lips: str = "relative",
) -> Points:
    """(478, 3) where the landmarks of a photograph's face are after numbers have moved it.

    Args:
        landmarks: (478, 3) at rest, those that the photograph was made with.
        lips: see `Photograph.render`.
    """
    head = to_head_space(landmarks, photograph.pose)
    head[:VERTEX_COUNT] = photograph.move(numbers, lips)
    gaze = numbers.gaze.reshape(2, 2)
    for iris, (outer, inner), look in zip(IRISES, EYE_CORNERS, gaze, strict=True):
        half_width = np.linalg.norm(head[outer] - head[inner]) / 2
        head[iris : iris + IRIS_POINTS, :2] += half_width * look * (1, -1)
    pose = move_pose(
        photograph.pose,
        numbers.rotation_degrees,
        numbers.translation,
        numbers.scale,
        photograph.face_width,
    )
    return to_image(head, pose)


def _rest_iris(vertices: Points, eye: tuple[int, ...]) -> Points:
    """(5, 3) centre and outline of an iris in cm."""
    turns = np.array([(0, 0, 0), (1, 0, 0), (0, -1, 0), (-1, 0, 0), (0, 1, 0)])
    return np.asarray(vertices[list(eye)].mean(0) + IRIS_RADIUS_CM * turns)
