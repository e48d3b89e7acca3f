"""A driving video -> motion: one face followed through its frames, measured against its rest.

Few frames are read at a time and only landmarks are kept, so that a long clip needs little memory.
The pixels of the driver's mouth are no motion; who wants them reads the clip again with the track.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import FaceError, InputError
from ...faces import Track, track_face
from ...faces.landmarker import Landmarker
from ...geometry.groups import group_weights
from ...geometry.mesh import FaceMesh
from ...geometry.retarget import FaceMotion, measure_motion
from ...geometry.rig import Rig
from ...limits import FPS
from .signal import GROUPS, MotionSignal

log = logging.getLogger(__name__)

CHUNK_FRAMES = 256
"""Frames whose blendshapes are computed together."""


@dataclass(frozen=True)
class DrivingMotion:
    """What a driving video says.

    Attributes:
        motion: of its face, one sample per frame.
        track: where that face is, with its landmarks.
        neutral: the frame at rest, which all numbers count from.
    """

    motion: MotionSignal
    track: Track
    neutral: int


def move_by_frames(
    frames: Iterable[Tensor],
    landmarker: Landmarker,
    mesh: FaceMesh,
    *,
    fps: float,
    choice: str = "largest",
    neutral_seconds: float | None = None,
    lips: str = "relative",
    name: str = "driving clip",
    on_frame: Callable[[int], None] | None = None,
) -> DrivingMotion:
    """The motion of a face in a video.

    Frames without the face are filled from their neighbours; a warning counts them.

    Args:
        frames: (3, H, W) uint8 or in 0…1, read a few ahead.
        mesh: the canonical face of the landmarker's file.
        fps: of the frames.
        choice: which face in the first frame that shows any; see `faces.choose_face`.
        neutral_seconds: when the face does nothing; None looks for the calmest frame.
        lips: see `geometry.retarget.measure_motion`.
        name: of the clip, for errors and warnings.
        on_frame: called with the number of frames done; may raise to cancel.

    Raises:
        FaceError: no frame shows a face, or the first that does has not so many.
        InputError: a neutral time outside the clip.
    """
    FPS.check(fps)
    track = track_face(landmarker, frames, choice, name, on_frame, fps)
    motion = measure_track(track, landmarker, mesh, fps, neutral_seconds, lips, name)
    weights = group_weights(mesh)
    numbers = {
        "blendshapes": motion.blendshapes,
        "rotation_degrees": motion.rotation_degrees,
        "translation": motion.translation,
        "head_scale": motion.scale,
        "gaze": motion.gaze,
        "detail": motion.detail.reshape(len(motion), -1),
        "detail_weights": np.stack([weights[group] for group in GROUPS]),
    }
    tracks = {key: torch.from_numpy(value).float() for key, value in numbers.items()}
    return DrivingMotion(MotionSignal(fps, name, **tracks), track, motion.neutral)


def measure_track(
    track: Track,
    landmarker: Landmarker,
    mesh: FaceMesh,
    fps: float,
    neutral_seconds: float | None = None,
    lips: str = "relative",
    name: str = "driving clip",
) -> FaceMotion:
    """What the face of a track does in its f frames: blendshapes (f, 52) and so on.

    Raises:
        FaceError: the track has no landmarks.
        InputError: a neutral time outside the clip.
    """
    if track.landmarks is None:
        raise FaceError(
            f"The {name}: expected landmarks of a face in its frames, got boxes alone. Find the "
            "face with MediaPipe's face_landmarker.task."
        )
    chunks = [
        landmarker.blendshapes(track.landmarks[start : start + CHUNK_FRAMES])
        for start in range(0, len(track), CHUNK_FRAMES)
    ]
    blendshapes: NDArray[np.float32] = np.concatenate(chunks)
    neutral = None if neutral_seconds is None else _to_frame(neutral_seconds, len(track), fps)
    motion = measure_motion(track.landmarks, blendshapes, mesh, Rig(mesh), neutral, lips=lips)
    if motion.doubt and neutral is None:
        log.warning("The %s: %s", name, motion.doubt)
    return motion


def _to_frame(seconds: float, frames: int, fps: float) -> int:
    """The frame at a time."""
    if not 0 <= seconds < frames / fps:
        raise InputError(
            f"Neutral time: expected 0 to below {frames / fps:g} s, got {seconds:g}. Choose a time "
            "within the clip, when the face does nothing."
        )
    return min(round(seconds * fps), frames - 1)
