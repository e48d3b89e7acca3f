"""Pictures that can be moved, and why others cannot."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.hopper import load_hopper
from helpers.photographs import Open
from helpers.recorded_faces import needs_model

from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Face, find_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.portrait import (
    MAX_YAW_DEGREES,
    fit_image,
    open_photograph,
)
from actalker_core.geometry.pose import make_rotation

pytestmark = needs_model


@pytest.fixture(scope="module")
def face(landmarker: Landmarker) -> Face:
    return find_face(landmarker, load_hopper(0.5))


def test_a_picture_of_64_pixels_moves(open_image: Open, caplog: pytest.LogCaptureFixture) -> None:
    image = load_hopper(0.5)[:, :170, 10:180]
    small = torch.nn.functional.interpolate(image[None], size=(64, 64), mode="area")[0]
    with caplog.at_level(logging.WARNING):
        photograph = open_image(small)
    assert "pixels wide" in caplog.text
    jaw = replace(FrameNumbers.rest(), rotation_degrees=np.array([0.0, 10.0, 0.0]))
    frame = photograph.render(jaw)
    assert frame.image.shape == (64, 64, 3)
    assert not np.array_equal(frame.image, photograph.image)


@pytest.mark.parametrize("shape", [(3, 40, 10_000), (3, 10_000, 40)])
def test_a_huge_picture_is_scaled_with_a_warning(
    caplog: pytest.LogCaptureFixture, shape: tuple[int, int, int]
) -> None:
    with caplog.at_level(logging.WARNING):
        image = fit_image(torch.rand(shape))
    assert max(image.shape) == 4096
    assert min(image.shape[1:]) == 16
    assert "4096" in caplog.text


def test_a_picture_of_usual_size_is_kept_bit_for_bit() -> None:
    image = torch.rand(3, 30, 4096)
    assert torch.equal(fit_image(image), image)


def test_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="height, width"):
        fit_image(torch.rand(5, 8, 8))


def test_a_box_without_a_recognised_face_is_refused(
    landmarker: Landmarker, mesh: FaceMesh, face: Face
) -> None:
    with pytest.raises(FaceError, match="landmarks"):
        open_photograph(load_hopper(0.5), replace(face, landmarks=None), landmarker, mesh)


def turn(face: Face, yaw_degrees: float) -> Face:
    """The face's landmarks turned, as a landmarker sees a profile."""
    assert face.landmarks is not None
    centre = face.landmarks.mean(0)
    rotation = make_rotation(np.array([0.0, yaw_degrees, 0.0]))
    landmarks = (face.landmarks - centre) @ rotation.T + centre
    return replace(face, landmarks=landmarks.astype(np.float32))


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_profile_is_refused(
    landmarker: Landmarker, mesh: FaceMesh, face: Face, sign: int
) -> None:
    image = load_hopper(0.5)
    with pytest.raises(FaceError, match="turned at most"):
        open_photograph(image, turn(face, sign * (MAX_YAW_DEGREES + 20)), landmarker, mesh)
    open_photograph(image, turn(face, sign * 30), landmarker, mesh)


def test_a_face_that_the_border_cuts_moves_or_is_refused(
    landmarker: Landmarker, mesh: FaceMesh, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = round(face.box[0]), round(face.box[2])
    middle, image = (left + right) // 2, load_hopper(0.5)
    with caplog.at_level(logging.WARNING):
        photograph = open_photograph(image[:, :, : right - 15], face, landmarker, mesh)
    assert "border" in caplog.text
    turn_right = replace(FrameNumbers.rest(), rotation_degrees=np.array([0.0, 15.0, 0.0]))
    assert photograph.render(turn_right).image.shape == photograph.image.shape
    with pytest.raises(FaceError, match="beyond its border"):
        open_photograph(image[:, :, :middle], face, landmarker, mesh)
