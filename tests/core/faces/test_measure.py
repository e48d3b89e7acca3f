"""What is measured of landmarks."""

from typing import Any

import numpy as np
import pytest
from helpers.recorded_faces import Array, Recording
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.faces import measure, topology
from actalker_core.faces.blendshapes import NAMES


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100), st.tuples(*[st.floats(-1000, 1000)] * 3))
@pytest.mark.parametrize(
    "function",
    [
        measure.head_rotation_degrees,
        measure.eye_openness,
        measure.mouth_openness,
        measure.gaze,
    ],
)
def test_measures_do_not_depend_on_size_and_place(
    function: Any, recording: Recording, scale: float, shift: tuple[float, float, float]
) -> None:
    landmarks = recording["landmarks_px"]
    other_landmarks = (landmarks + np.float32(shift)) * np.float32(scale)
    assert function(other_landmarks) == pytest.approx(function(landmarks), rel=0.01, abs=0.01)


def test_eye_distance_is_in_the_unit_of_the_landmarks(recording: Recording) -> None:
    landmarks = recording["landmarks_px"]
    expected = np.linalg.norm(landmarks[:, 33] - landmarks[:, 263], axis=1)
    assert np.allclose(measure.eye_distance(landmarks), expected)
    assert np.allclose(measure.eye_distance(3 * landmarks), 3 * expected)


def head() -> Array:
    """(478, 3) a head that faces the viewer; x grows to the right, y down, z away."""
    points = np.zeros((topology.COUNT, 3), np.float32)
    points[topology.FOREHEAD], points[topology.CHIN] = (0, -10, 0), (0, 10, 0)
    points[topology.RIGHT_TEMPLE], points[topology.LEFT_TEMPLE] = (-7, 0, 0), (7, 0, 0)
    points[topology.NOSE_TIP] = (0, 0, -5)
    return points


def turn(landmarks: Array, axes: str, degrees: float) -> Array:
    """A head turned in a plane, from its first axis towards its second."""
    i, k = ("xyz".index(axis) for axis in axes)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    result = landmarks.copy()
    result[:, i] = cosine * landmarks[:, i] - sine * landmarks[:, k]
    result[:, k] = sine * landmarks[:, i] + cosine * landmarks[:, k]
    return result


@pytest.mark.parametrize("degrees", [-80, -40, -5, 0, 5, 40, 80])
@pytest.mark.parametrize(("angle", "axes"), [(0, "zy"), (1, "xz"), (2, "xy")])
def test_one_turn_is_one_angle(angle: int, axes: str, degrees: float) -> None:
    """Of a nose that goes up, a nose that goes right and a head that leans right."""
    expected = np.zeros(3)
    expected[angle] = degrees
    angles = measure.head_rotation_degrees(turn(head(), axes, degrees)[None])[0]
    assert angles == pytest.approx(expected, abs=1e-3)


@given(*[st.floats(-60, 60)] * 3)
def test_pitch_and_yaw_are_where_the_nose_points(pitch: float, yaw: float, roll: float) -> None:
    face = turn(turn(turn(head(), "xy", roll), "zy", pitch), "xz", yaw)
    x, y, z = face[topology.NOSE_TIP] / 5
    angles = measure.head_rotation_degrees(face[None])[0]
    assert angles[0] == pytest.approx(np.degrees(np.arcsin(-y)), abs=0.01)
    assert angles[1] == pytest.approx(np.degrees(np.arctan2(x, -z)), abs=0.01)


def test_the_forehead_of_a_head_that_leans_clockwise_goes_right() -> None:
    leaning = turn(head(), "xy", 20)
    assert leaning[topology.FOREHEAD, 0] > 0
    assert measure.head_rotation_degrees(leaning[None])[0, 2] > 0


def test_closed_lids_have_no_opening(recording: Recording) -> None:
    landmarks = recording["landmarks_px"].copy()
    was_open = measure.eye_openness(landmarks)
    upper, lower = topology.LEFT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    assert np.allclose(measure.eye_openness(landmarks)[:, 0], 0)
    assert np.array_equal(measure.eye_openness(landmarks)[:, 1], was_open[:, 1])
    upper, lower = topology.RIGHT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    assert np.allclose(measure.eye_openness(landmarks), 0)


def test_mouth_openness_grows_with_the_gap(recording: Recording) -> None:
    landmarks = recording["landmarks_px"][:1].copy()
    upper, lower = topology.INNER_LIPS
    openness = []
    for share in (0, 0.1, 0.2, 0.4):
        landmarks[:, lower] = landmarks[:, upper]
        landmarks[:, lower, 1] += share * measure.eye_distance(landmarks)
        openness.append(measure.mouth_openness(landmarks).item())
    assert openness == pytest.approx([0, 0.1, 0.2, 0.4], abs=1e-4)


def with_gaze(landmarks: Array, x: float, y: float) -> Array:
    """Irises between the corners of their eyes, moved by pixels of the image."""
    result = landmarks.copy()
    for iris, corners in (
        (topology.LEFT_IRIS, topology.LEFT_CORNERS),
        (topology.RIGHT_IRIS, topology.RIGHT_CORNERS),
    ):
        result[:, iris] = landmarks[:, corners].mean(1)
        result[:, iris, :2] += (x, y)
    return result


def test_gaze_is_positive_to_the_right_and_up(recording: Recording) -> None:
    landmarks = recording["landmarks_px"]
    assert np.allclose(measure.gaze(with_gaze(landmarks, 0, 0)), 0, atol=1e-5)
    assert (measure.gaze(with_gaze(landmarks, 5, 0))[:, 0] > 0.1).all()
    assert (measure.gaze(with_gaze(landmarks, -5, 0))[:, 0] < -0.1).all()
    assert (measure.gaze(with_gaze(landmarks, 0, -5))[:, 1] > 0.1).all()
    assert (measure.gaze(with_gaze(landmarks, 0, 5))[:, 1] < -0.1).all()


def test_gaze_into_a_corner_is_one(recording: Recording) -> None:
    landmarks = recording["landmarks_px"].copy()
    landmarks[:, topology.LEFT_IRIS] = landmarks[:, 263]  # the outer corner
    landmarks[:, topology.RIGHT_IRIS] = landmarks[:, 133]  # the inner corner
    assert np.allclose(measure.gaze(landmarks), (1, 0), atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_gaze_is_a_number_however_the_head_lies(recording: Recording, quarters: int) -> None:
    lying = with_gaze(recording["landmarks_px"][:1], 0, 0)
    for inner, outer in (topology.LEFT_CORNERS, topology.RIGHT_CORNERS):
        lying[:, outer, 1] = lying[:, inner, 1]
    for _ in range(quarters):
        lying[..., 0], lying[..., 1] = -lying[..., 1], lying[..., 0].copy()
    assert np.isfinite(measure.gaze(lying)).all()


def test_left_is_the_left_of_the_person(recording: Recording) -> None:
    landmarks = recording["landmarks_px"]
    for left, right in (
        (topology.LEFT_EYE, topology.RIGHT_EYE),
        (topology.LEFT_BROW, topology.RIGHT_BROW),
        ([topology.LEFT_IRIS], [topology.RIGHT_IRIS]),
        ([topology.LEFT_TEMPLE], [topology.RIGHT_TEMPLE]),
    ):
        assert (landmarks[:, left, 0].min(1) > landmarks[:, right, 0].max(1)).all()


@pytest.mark.parametrize(
    ("name", "function", "sign"),
    [
        ("jawOpen", lambda points: measure.mouth_openness(points), 1),
        ("eyeBlinkLeft", lambda points: measure.eye_openness(points)[:, 0], -1),
        ("eyeBlinkRight", lambda points: measure.eye_openness(points)[:, 1], -1),
        ("eyeLookOutLeft", lambda points: measure.gaze(points)[:, 0], 1),
        ("eyeLookInRight", lambda points: measure.gaze(points)[:, 0], 1),
    ],
)
def test_measures_go_with_the_blendshapes(
    recording: Recording, name: str, function: Any, sign: int
) -> None:
    shape = recording["blendshapes"][:, NAMES.index(name)]
    correlation = np.corrcoef(function(recording["landmarks_px"]), shape)[0, 1]
    assert sign * correlation > 0.7
