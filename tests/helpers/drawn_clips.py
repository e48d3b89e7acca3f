"""Clips of drawn people in motion, whose landmarks are known without a network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.faces import Box, Face, SearchDepth
from actalker_core.faces.landmarker import landmarks_box
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.models.tgdm.pairs import Shot
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.landmarks import DrawnLandmarks, name_blendshapes
from actalker_core.synthetic.rendering import render_face

FRAMES = 36
"""Of a clip; the middle third alone moves."""


def list_states(frames: int = FRAMES) -> list[FaceState]:
    """A head that stands still, turns and talks, and stands still."""
    third = frames // 3
    swing = np.sin(np.linspace(0, 2 * np.pi, frames - 2 * third))
    turn = np.concatenate([np.zeros(third), swing, np.zeros(third)])
    tiny = np.linspace(0, 0.5, frames)
    return [
        FaceState(yaw=float(12 * t + e), open=float(0.4 * abs(t)))
        for t, e in zip(turn, tiny, strict=True)
    ]


def draw_shots(mesh: FaceMesh, seed: int = 0, frames: int = FRAMES) -> tuple[Shot, ...]:
    """Frames (128, 128, 3) of one drawn person."""
    identity, landmarks = make_identity(seed), DrawnLandmarks(mesh)
    return tuple(
        Shot(
            render_face(identity, state).image,
            landmarks.place(identity, state),
            name_blendshapes(state),
        )
        for state in list_states(frames)
    )


def to_frames(shots: tuple[Shot, ...]) -> list[Tensor]:
    """(3, h, w) uint8 each."""
    return [torch.from_numpy(shot.image).movedim(-1, 0) for shot in shots]


class KnownLandmarker:
    """Finds the faces of shots that it knows, and none in other frames."""

    def __init__(self, shots: tuple[Shot, ...]) -> None:
        self._shots = {shot.image.tobytes(): shot for shot in shots}

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """See `Landmarker`."""
        shot = self._shots.get(image.movedim(0, -1).numpy().tobytes())
        if shot is None:
            return []
        points = shot.landmarks.astype(np.float32)
        return [Face(landmarks_box(points), 1.0, points)]

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        """See `Landmarker`."""
        return next(iter(self.find(image)), None)

    def blendshapes(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """(f, 52) of the shots with these landmarks (f, 478, 3)."""
        rows = {
            shot.landmarks.astype(np.float32).tobytes(): shot.blendshapes
            for shot in self._shots.values()
        }
        return np.stack([rows[points.tobytes()] for points in landmarks]).astype(np.float32)
