"""Photographs of the canonical face, painted with smooth noise: no portrait is needed for them."""

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.faces import topology
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.mesh import FaceMesh, load_mesh
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.pose import HeadPose, make_rotation, to_image
from actalker_core.geometry.rig import Rig

from .recorded_faces import TASK

IRIS_CM = 0.6


class Open(Protocol):
    """Makes a photograph of an image (3, H, W)."""

    def __call__(self, image: Tensor) -> Photograph: ...


@cache
def mesh() -> FaceMesh:
    return load_mesh(TASK)


@cache
def rig() -> Rig:
    return Rig(mesh())


def paint_noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) waves a few pixels long in random directions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    layers = []
    for _ in range(3):
        waves = rng.normal(0, 0.12, (6, 2))
        phases = rng.uniform(0, 6.3, 6)
        sums = sum(np.sin(a * x + b * y + c) for (a, b), c in zip(waves, phases, strict=True))
        layers.append(128 + 30 * sums)
    return np.clip(np.stack(layers, -1), 0, 255).astype(np.uint8)


def landmarks_of(
    face: FaceMesh,
    centre: tuple[float, float],
    width: float,
    rotation: tuple[float, float, float] = (0, 0, 0),
) -> NDArray[np.float64]:
    """(478, 3) of the canonical face in an image, a face width wide, with irises in its eyes."""
    eyes = []
    for outline in (topology.RIGHT_EYE, topology.LEFT_EYE):
        middle = face.vertices[list(outline)].mean(0)
        rim = IRIS_CM * np.array([(0, 0, 0), (1, 0, 0), (0, -1, 0), (-1, 0, 0), (0, 1, 0)])
        eyes.append(middle + rim)
    points = np.concatenate([face.vertices, *eyes])
    scale = width / np.ptp(face.vertices[:, 0])
    pose = HeadPose(
        np.float64(scale), make_rotation(np.array(rotation, float)), np.array([*centre, 0.0])
    )
    return to_image(points, pose)


def make_photograph(
    height: int = 240,
    width: int = 256,
    face_width: float = 90,
    centre: tuple[float, float] = (128, 110),
    rotation: tuple[float, float, float] = (0, 0, 0),
    image: NDArray[np.uint8] | None = None,
) -> Photograph:
    face = mesh()
    image = paint_noise(height, width) if image is None else image
    return Photograph(image, landmarks_of(face, centre, face_width, rotation), face, rig())


def make_numbers(
    pitch: float = 0,
    yaw: float = 0,
    roll: float = 0,
    move: tuple[float, float] = (0, 0),
    scale: float = 1,
    gaze: tuple[float, float] = (0, 0),
    **shapes: float,
) -> FrameNumbers:
    """Numbers by name; a shape without a side moves both."""
    blendshapes = np.zeros(len(NAMES))
    for name, value in shapes.items():
        for side in (name,) if name in NAMES else (f"{name}Left", f"{name}Right"):
            blendshapes[NAMES.index(side)] = value
    return FrameNumbers(
        blendshapes,
        np.array([pitch, yaw, roll], float),
        np.array(move, float),
        np.array([scale], float),
        np.array([*gaze, *gaze], float),
    )
