"""Landmarks that numbers have moved."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from actalker_core.faces import measure, topology
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.landmarks import move_landmarks, place_canonical
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.pose import make_rotation

SHAPE = (160, 200)


@pytest.fixture(scope="module")
def canonical(mesh: FaceMesh) -> Any:
    return place_canonical(mesh, SHAPE)


@pytest.fixture(scope="module")
def photograph(mesh: FaceMesh, canonical: Any) -> Photograph:
    return Photograph(np.zeros((*SHAPE, 3), np.uint8), canonical, mesh)


def change(**numbers: Any) -> FrameNumbers:
    return replace(FrameNumbers.rest(), **{k: np.array(v, float) for k, v in numbers.items()})


def measure_one(function: Any, landmarks: Any) -> Any:
    return function(landmarks[None].astype(np.float32))[0]


@pytest.mark.parametrize("shape", [(160, 200), (64, 64), (300, 90)])
def test_the_canonical_face_stands_in_the_middle(mesh: FaceMesh, shape: Any) -> None:
    landmarks = place_canonical(mesh, shape)
    middle = (landmarks[:468, :2].min(0) + landmarks[:468, :2].max(0)) / 2
    np.testing.assert_allclose(middle, (shape[1] / 2, shape[0] / 2), atol=1e-6)
    centre = landmarks.mean(0)
    points = (landmarks - centre) @ make_rotation(np.array([25, 25, 15])).T + centre
    assert points[:, :2].min() > 0
    assert (points[:, :2].max(0) < (shape[1], shape[0])).all()
    for iris, eye in zip((473, 468), (topology.LEFT_EYE, topology.RIGHT_EYE), strict=True):
        ring = landmarks[list(eye), :2]
        assert (landmarks[iris, :2] > ring.min(0)).all()
        assert (landmarks[iris, :2] < ring.max(0)).all()


def test_at_rest_they_stay(photograph: Photograph, canonical: Any) -> None:
    np.testing.assert_allclose(
        move_landmarks(photograph, canonical, FrameNumbers.rest()), canonical, atol=0.02
    )


def test_numbers_of_the_head_are_read_back(photograph: Photograph, canonical: Any) -> None:
    rest = measure_one(measure.head_rotation_degrees, canonical)
    for angles in ((10, 0, 0), (0, -15, 0), (0, 0, 8)):
        landmarks = move_landmarks(photograph, canonical, change(rotation_degrees=angles))
        rotation = measure_one(measure.head_rotation_degrees, landmarks) - rest
        np.testing.assert_allclose(rotation, angles, atol=2.5)
    aside = move_landmarks(photograph, canonical, change(translation=(0.25, -0.1)))
    width = np.ptp(canonical[:, 0])
    np.testing.assert_allclose((aside - canonical).mean(0)[:2], (0.25 * width, -0.1 * width), 0.02)
    near = move_landmarks(photograph, canonical, change(scale=[1.2]))
    assert np.ptp(near[:, 0]) == pytest.approx(1.2 * width, rel=0.01)


def test_gaze_is_read_back_for_each_eye(photograph: Photograph, canonical: Any) -> None:
    rest = measure_one(measure.gaze, canonical)
    landmarks = move_landmarks(photograph, canonical, change(gaze=(0.3, -0.2, 0.3, -0.2)))
    np.testing.assert_allclose(measure_one(measure.gaze, landmarks) - rest, (0.3, -0.2), atol=0.02)
    one_eye = move_landmarks(photograph, canonical, change(gaze=(0.4, 0, 0, 0)))
    np.testing.assert_allclose(one_eye[468:473], landmarks_of(photograph, canonical)[468:473])
    assert (one_eye[473:478, 0] > canonical[473:478, 0]).all()


def landmarks_of(photograph: Photograph, canonical: Any) -> Any:
    return move_landmarks(photograph, canonical, FrameNumbers.rest())


def test_a_blink_shuts_one_eye(photograph: Photograph, canonical: Any) -> None:
    shapes = np.zeros(len(NAMES))
    shapes[NAMES.index("eyeBlinkLeft")] = 1
    landmarks = move_landmarks(photograph, canonical, change(blendshapes=shapes))
    left, right = measure_one(measure.eye_openness, landmarks)
    open_left, open_right = measure_one(measure.eye_openness, canonical)
    assert left < 0.35 * open_left
    assert right == pytest.approx(open_right, rel=0.1)
