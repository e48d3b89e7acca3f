"""The start of a face swap: texture of one face, geometry and light of another."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from helpers.recorded_faces import DRIVING, PORTRAIT, TASK, needs_driving, needs_portrait
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces import topology
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.swap import start_swap
from actalker_core.media import load_image, read_frames

pytestmark = needs_portrait


@pytest.fixture(scope="module")
def finder() -> Landmarker:
    return Landmarker(TASK)


def to_bytes(image: Tensor) -> Any:
    pixels = image if not image.is_floating_point() else (255 * image).round().byte()
    return pixels.movedim(0, -1).contiguous().numpy()


@pytest.fixture(scope="module")
def portrait(finder: Landmarker) -> Any:
    image = load_image(PORTRAIT)
    return to_bytes(image), finder.find(image)[0].landmarks


@pytest.fixture(scope="module")
def target(finder: Landmarker) -> Any:
    """A smiling frame of the driving clip."""
    (frame,) = islice(read_frames(DRIVING, 25), 100, 101)
    return to_bytes(frame), finder.find(frame)[0].landmarks


def test_a_face_on_itself_stays_as_it_is(mesh: FaceMesh, portrait: Any) -> None:
    swap = start_swap(*portrait, *portrait, mesh)
    difference = np.abs(swap.image.astype(int) - portrait[0])
    assert difference.max() <= 3
    assert difference.mean() < 0.05


@needs_driving
def test_outside_the_mask_every_pixel_is_the_target_s(
    mesh: FaceMesh, portrait: Any, target: Any
) -> None:
    swap = start_swap(*portrait, *target, mesh)
    assert swap.image.shape == target[0].shape
    assert swap.inpaint_mask.shape == swap.invented_mask.shape == target[0].shape[:2]
    outside = swap.inpaint_mask == 0
    np.testing.assert_array_equal(swap.image[outside], target[0][outside])
    assert (swap.image != target[0]).any(-1)[~outside].mean() > 0.5
    assert (swap.inpaint_mask[swap.invented_mask > 0] == 255).all()
    for corners in (topology.LEFT_IRIS, topology.RIGHT_IRIS):
        x, y = np.rint(target[1][corners, :2]).astype(int)
        np.testing.assert_array_equal(swap.image[y, x], target[0][y, x])


@needs_driving
def test_the_landmarker_reads_the_target_s_geometry_back(
    mesh: FaceMesh, finder: Landmarker, portrait: Any, target: Any
) -> None:
    swap = start_swap(*portrait, *target, mesh)
    face = finder.find(_to_tensor(swap.image))[0].landmarks
    error = np.linalg.norm((face - target[1])[:, :2], axis=1).mean()
    height = np.linalg.norm((target[1][topology.CHIN] - target[1][topology.FOREHEAD])[:2])
    assert error < 0.02 * height


@needs_driving
@pytest.mark.parametrize("gain", [0.4, 1.0])
def test_the_skin_has_the_light_of_the_target(
    mesh: FaceMesh, portrait: Any, target: Any, gain: float
) -> None:
    dark = (target[0] * gain).astype(np.uint8)
    swap = start_swap(*portrait, dark, target[1], mesh)
    inner = (swap.inpaint_mask > 0) & (swap.invented_mask == 0)
    assert swap.image[inner].mean() == pytest.approx(dark[inner].mean(), rel=0.12)
    by_source = start_swap((portrait[0] * 0.5).astype(np.uint8), portrait[1], dark, target[1], mesh)
    assert by_source.image[inner].mean() == pytest.approx(swap.image[inner].mean(), rel=0.12)


@needs_driving
def test_what_the_source_shows_from_behind_is_invented(mesh: FaceMesh, target: Any) -> None:
    image, landmarks = target
    flat = landmarks.copy()
    middle = landmarks[topology.NOSE_TIP, 0]
    is_far = flat[:, 0] > middle  # the far half of a head that is turned to its profile
    flat[is_far, 0] = middle - 0.05 * (flat[is_far, 0] - middle)
    by_profile = start_swap(image, flat, image, landmarks, mesh)
    by_front = start_swap(image, landmarks, image, landmarks, mesh)
    assert by_profile.invented_mask.mean() > by_front.invented_mask.mean() * 1.5
    half = slice(round(float(middle)) + 30, None)
    np.testing.assert_array_equal(by_profile.image[:, half], image[:, half])


def test_useless_landmarks_are_refused(mesh: FaceMesh, portrait: Any) -> None:
    image, landmarks = portrait
    with pytest.raises(InputError, match="finite"):
        start_swap(image, np.full_like(landmarks, np.nan), image, landmarks, mesh)


def _to_tensor(image: Any) -> Tensor:
    return Tensor(image.transpose(2, 0, 1).astype(np.float32) / 255)
