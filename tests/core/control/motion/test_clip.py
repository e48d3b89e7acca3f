"""The motion of a driving clip: all frames, the chosen face, rest where it is calm."""

import logging

import numpy as np
import pytest
import torch
from helpers.edits import EXPECTED_GOT
from helpers.recorded_faces import DRIVING, TASK, needs_driving
from torch import Tensor

from actalker_core.control.motion.clip import DrivingMotion, move_by_frames
from actalker_core.control.motion.columns import build_motion
from actalker_core.control.motion.groups import find_moving_groups, mix_groups
from actalker_core.control.motion.signal import GROUPS
from actalker_core.errors import CancelledError, FaceError, InputError
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.measure import head_rotation_degrees, mouth_openness
from actalker_core.geometry.mesh import FaceMesh, load_mesh
from actalker_core.media import read_frames

pytestmark = needs_driving
FPS = 5.0


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


@pytest.fixture(scope="module")
def face_mesh() -> FaceMesh:
    return load_mesh(TASK)


@pytest.fixture(scope="module")
def frames() -> list[Tensor]:
    return list(read_frames(DRIVING, fps=FPS))[:25]


@pytest.fixture(scope="module")
def driving(frames: list[Tensor], landmarker: Landmarker, face_mesh: FaceMesh) -> DrivingMotion:
    return move_by_frames(frames, landmarker, face_mesh, fps=FPS)


def test_every_frame_has_its_numbers(driving: DrivingMotion, frames: list[Tensor]) -> None:
    assert len(driving.motion) == len(driving.track) == len(frames)
    assert driving.motion.rate_hz == FPS
    assert find_moving_groups(driving.motion) == GROUPS


def test_the_neutral_frame_is_rest(driving: DrivingMotion) -> None:
    frame = driving.motion.frame(driving.neutral)
    for numbers in (frame.blendshapes, frame.rotation_degrees, frame.translation, frame.gaze):
        assert np.abs(numbers).max() < 1e-4
    assert frame.scale == pytest.approx(1)
    assert frame.detail is not None
    assert np.abs(frame.detail).max() < 1e-4


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_numbers_follow_the_face(driving: DrivingMotion) -> None:
    landmarks = driving.track.landmarks
    assert landmarks is not None
    motion = driving.motion
    degrees = head_rotation_degrees(landmarks)
    for axis in range(3):
        assert correlation(motion.rotation_degrees[:, axis].numpy(), degrees[:, axis]) > 0.95
    jaw = motion.blendshapes[:, 25].numpy()
    assert correlation(jaw, mouth_openness(landmarks)) > 0.8


def test_a_neutral_frame_by_hand(
    frames: list[Tensor], landmarker: Landmarker, face_mesh: FaceMesh
) -> None:
    result = move_by_frames(frames[:8], landmarker, face_mesh, fps=FPS, neutral_seconds=0.6)
    assert result.neutral == 3
    with pytest.raises(InputError, match=EXPECTED_GOT):
        move_by_frames(frames[:2], landmarker, face_mesh, fps=FPS, neutral_seconds=2.0)


def test_frames_without_a_face_are_filled_and_counted(
    frames: list[Tensor],
    landmarker: Landmarker,
    face_mesh: FaceMesh,
    caplog: pytest.LogCaptureFixture,
) -> None:
    black = [torch.zeros_like(frames[0])] * 2
    with caplog.at_level(logging.WARNING):
        result = move_by_frames([*frames[:2], *black, *frames[2:4]], landmarker, face_mesh, fps=FPS)
    assert "no face in 2 of 6 frames" in caplog.text
    assert result.track.gaps == [2, 3]
    yaw = result.motion.rotation_degrees[1:5, 1].numpy()
    assert np.all(np.abs(np.diff(yaw, n=2)) < 1), "evenly across the gap"


def test_a_clip_without_a_face_is_named(landmarker: Landmarker, face_mesh: FaceMesh) -> None:
    with pytest.raises(FaceError, match="No face is found in the driving clip"):
        move_by_frames([torch.zeros(3, 64, 64)] * 2, landmarker, face_mesh, fps=FPS)


def test_it_can_be_cancelled(
    frames: list[Tensor], landmarker: Landmarker, face_mesh: FaceMesh
) -> None:
    counts: list[int] = []

    def cancel(count: int) -> None:
        counts.append(count)
        if count == 2:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        move_by_frames(frames, landmarker, face_mesh, fps=FPS, on_frame=cancel)
    assert counts == [1, 2]


def test_a_clip_mixes_with_motion_that_has_no_detail(driving: DrivingMotion) -> None:
    speech = build_motion({"mouthPucker": torch.ones(9)}, 25.0, "speech")
    result = mix_groups(driving.motion, speech, {"mouth": torch.ones(())})
    assert not result.blendshapes[:, 25].any()
    assert torch.equal(result.rotation_degrees, driving.motion.rotation_degrees)
