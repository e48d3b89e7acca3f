"""Similarities are found again, and angles have the signs of `faces.measure`."""

import numpy as np
import pytest
from helpers.recorded_faces import Recording
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.errors import FaceError, InputError
from actalker_core.faces import measure
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.pose import (
    HeadPose,
    fit_pose,
    make_rotation,
    measure_change,
    measure_rotation,
    move_pose,
    to_head_space,
    to_image,
)

ANGLES = st.tuples(*[st.floats(-80, 80)] * 3)
SCALES, PLACES = st.floats(0.01, 500), st.tuples(*[st.floats(-2000, 2000)] * 3)
REST = HeadPose(np.array(20.0), np.eye(3), np.array([200.0, 150.0, 0.0]))


def with_irises(vertices: np.ndarray) -> np.ndarray:
    return np.concatenate([vertices, np.zeros((10, 3))])


@settings(deadline=None, max_examples=50)
@given(angles=ANGLES, scale=SCALES, place=PLACES)
def test_a_similarity_is_found_again(
    mesh: FaceMesh, angles: tuple[float, ...], scale: float, place: tuple[float, ...]
) -> None:
    pose = HeadPose(np.array(scale), make_rotation(np.array(angles)), np.array(place))
    landmarks = to_image(mesh.vertices, pose)
    result = fit_pose(landmarks, mesh)
    assert np.allclose(result.scale, scale)
    assert np.allclose(result.rotation, pose.rotation, atol=1e-6)
    assert np.allclose(result.translation, place, atol=1e-5 * (1 + scale))
    assert np.allclose(to_head_space(landmarks, result), mesh.vertices, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(angles=ANGLES)
def test_angles_are_found_again(angles: tuple[float, ...]) -> None:
    rotation = make_rotation(np.array(angles))
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(measure_rotation(rotation), angles, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(angles=st.tuples(*[st.floats(-40, 40)] * 3))
def test_angles_are_those_that_faces_measure(mesh: FaceMesh, angles: tuple[float, ...]) -> None:
    """But for what a head that looks ahead measures there."""
    # The canonical temples, forehead and chin, made as near as each other.
    vertices = with_irises(mesh.vertices)
    vertices[[454, 234, 10, 152], 2] = 0
    turn = HeadPose(np.array(1.0), make_rotation(np.array(angles)), np.zeros(3))
    landmarks = to_image(vertices, turn)[None].astype(np.float32)
    assert np.allclose(measure.head_rotation_degrees(landmarks)[0], angles, atol=0.01)


def test_many_faces_are_as_one_after_the_other(mesh: FaceMesh, recording: Recording) -> None:
    landmarks = recording["landmarks_px"]
    poses = fit_pose(landmarks, mesh)
    points = to_head_space(landmarks, poses)
    for i in range(len(landmarks)):
        pose = fit_pose(landmarks[i], mesh)
        assert np.allclose(pose.scale, poses.scale[i])
        assert np.allclose(pose.rotation, poses[i].rotation)
        assert np.allclose(to_head_space(landmarks[i], pose), points[i])
    assert np.allclose(to_image(points, poses), landmarks, atol=1e-3)


def test_angles_of_a_recorded_face_follow_mediapipe(mesh: FaceMesh, recording: Recording) -> None:
    landmarks = recording["landmarks_px"]
    angles = measure_rotation(fit_pose(landmarks, mesh).rotation)
    expected = measure.head_rotation_degrees(landmarks)
    for axis in range(3):
        assert np.corrcoef(angles[:, axis], expected[:, axis])[0, 1] > 0.9


@settings(deadline=None, max_examples=50)
@given(
    angles=st.tuples(*[st.floats(-40, 40)] * 3),
    shift=st.tuples(*[st.floats(-2, 2)] * 2),
    scale=st.floats(0.2, 5),
    rest_angles=st.tuples(*[st.floats(-30, 30)] * 3),
)
def test_a_change_is_found_again(
    angles: tuple[float, ...],
    shift: tuple[float, ...],
    scale: float,
    rest_angles: tuple[float, ...],
) -> None:
    rest = HeadPose(REST.scale, make_rotation(np.array(rest_angles)), REST.translation)
    change = np.array(angles), np.array(shift), np.array([scale])
    result = measure_change(move_pose(rest, *change, 250.0), rest, 250.0)
    for value, expected in zip(result, change, strict=True):
        assert np.allclose(value, expected, atol=1e-6)


def test_directions_are_those_of_the_image() -> None:
    nose = np.array([0.0, 0.0, -7.0])
    still = to_image(nose[None], REST)[0]
    up, right = (
        to_image(nose[None], move_pose(REST, np.array(a), np.zeros(2), np.ones(1), 300.0))[0]
        for a in ([10.0, 0, 0], [0, 10.0, 0])
    )
    assert up[1] < still[1]
    assert right[0] > still[0]
    moved_pose = move_pose(REST, np.zeros(3), np.array([0.5, 0.25]), np.ones(1), 300.0)
    assert np.allclose(to_image(nose[None], moved_pose)[0] - still, [150, 75, 0])


def test_bad_landmarks_are_refused(mesh: FaceMesh) -> None:
    landmarks = np.concatenate([mesh.vertices, np.zeros((10, 3))])
    for shape in ((477, 3), (478, 2), (478,)):
        with pytest.raises(InputError, match="expected the shape"):
            fit_pose(np.zeros(shape), mesh)
    for value in (np.nan, np.inf):
        wrong = landmarks.copy()
        wrong[40, 1] = value
        with pytest.raises(InputError, match="finite"):
            fit_pose(wrong, mesh)
    with pytest.raises(FaceError, match="one place"):
        fit_pose(np.full((478, 3), 7.0), mesh)
