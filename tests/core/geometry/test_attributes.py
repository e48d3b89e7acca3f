"""Images of geometry: what is drawn where, under any pose, and nothing where there is no face."""

from typing import Any

import numpy as np
import pytest

from actalker_core.errors import InputError
from actalker_core.faces import topology
from actalker_core.geometry.attributes import (
    ATTRIBUTES,
    LINES,
    PUPILS,
    SEGMENT_COLOURS,
    draw_attribute,
    draw_face_mask,
)
from actalker_core.geometry.landmarks import place_canonical
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.pose import make_rotation
from actalker_core.geometry.segments import SEGMENTS, segment_triangles

SHAPE = (160, 200)
NAMES = list(ATTRIBUTES)
NOSE, FORE, CHEEKS = topology.NOSE_TIP, 151, (50, 280)


@pytest.fixture
def canonical(mesh: FaceMesh) -> Any:
    return place_canonical(mesh, SHAPE)


def turn(landmarks: Any, *rotation_degrees: float) -> Any:
    """The landmarks turned about their middle."""
    middle = landmarks.mean(0)
    return (landmarks - middle) @ make_rotation(np.array(rotation_degrees)).T + middle


def pixel(image: Any, landmarks: Any, point: int) -> Any:
    x, y = np.rint(landmarks[point, :2]).astype(int)
    return image[y, x].astype(float)


def segment(image: Any, name: str) -> Any:
    """Where a semantic map has the colour of a segment."""
    return (image == SEGMENT_COLOURS[SEGMENTS.index(name)]).all(-1)


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_lies_on_the_face_and_all_else_is_black(
    name: str, mesh: FaceMesh, canonical: Any
) -> None:
    image = draw_attribute(name, canonical, mesh, SHAPE)
    assert image.shape == (*SHAPE, 3)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image.any(-1))
    low, high = canonical[:, :2].min(0) - 2, canonical[:, :2].max(0) + 2
    assert columns.min() >= low[0]
    assert columns.max() <= high[0]
    assert rows.min() >= low[1]
    assert rows.max() <= high[1]
    if name != "lines":
        assert np.ptp(columns) > 0.9 * (high - low)[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_face_that_moves_by_whole_pixels_moves_its_image(
    name: str, mesh: FaceMesh, canonical: Any
) -> None:
    image = draw_attribute(name, canonical, mesh, SHAPE)
    shift = draw_attribute(name, canonical + np.array([9, -7, 3]), mesh, SHAPE)
    differs = (shift[:-7, 9:] != image[7:, :-9]).any(-1)
    assert differs.mean() < 0.003  # a corner between two subpixels may round either way


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("offset", [(150.0, 0.0, 0.0), (1e5, -1e5, 0.0)])
def test_a_face_that_leaves_the_image_leaves_it_black(
    name: str, offset: Any, mesh: FaceMesh, canonical: Any
) -> None:
    image = draw_attribute(name, canonical + offset, mesh, SHAPE)
    assert not image[:, :100].any()
    assert image.shape == (*SHAPE, 3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (15, 0, 0), (0, 25, 0), (-10, -20, 12)])
def test_a_point_of_the_face_keeps_its_colour_however_the_head_moves(
    angles: Any, mesh: FaceMesh, canonical: Any
) -> None:
    landmarks = turn(canonical, *angles)
    vertices, low = mesh.vertices, mesh.vertices.min(0)
    places = (vertices - low) / (vertices.max(0) - low)
    for name, values in (("canonical", places), ("uv", mesh.uv)):
        image = draw_attribute(name, landmarks, mesh, SHAPE)
        for point in (NOSE, FORE, *CHEEKS):
            colour = pixel(image, landmarks, point)[: values.shape[1]]
            np.testing.assert_allclose(colour, 255 * values[point], atol=8)


def test_normals_point_where_the_head_looks(mesh: FaceMesh, canonical: Any) -> None:
    def forehead(*angles: float) -> Any:
        landmarks = turn(canonical, *angles)
        return pixel(draw_attribute("normals", landmarks, mesh, SHAPE), landmarks, 9)

    red, green, blue = forehead(0, 0, 0)
    assert blue > 240
    assert abs(red - 127.5) < 8
    assert forehead(0, 20, 0)[0] > red + 30
    assert forehead(0, -20, 0)[0] < red - 30
    assert forehead(20, 0, 0)[1] > green + 20


def test_light_comes_from_the_left_and_above(mesh: FaceMesh, canonical: Any) -> None:
    image = draw_attribute("shaded", canonical, mesh, SHAPE)
    right, left = (pixel(image, canonical, point).mean() for point in CHEEKS)
    assert right > left
    assert pixel(image, canonical, FORE).mean() > pixel(image, canonical, topology.CHIN).mean()


def test_gaze_moves_the_iris(mesh: FaceMesh, canonical: Any) -> None:
    def middle(landmarks: Any) -> float:
        image = draw_attribute("semantic", landmarks, mesh, SHAPE)
        return float(np.nonzero(segment(image, "left iris"))[1].mean())

    aside = canonical.copy()
    aside[topology.LEFT_IRIS : topology.LEFT_IRIS + 5, 0] += 3
    assert middle(aside) == pytest.approx(middle(canonical) + 3, abs=1)


def test_shut_lids_hide_the_eye(mesh: FaceMesh, canonical: Any) -> None:
    eye = list(topology.LEFT_EYE)
    canonical[eye, 1] = canonical[eye, 1].mean()
    image = draw_attribute("semantic", canonical, mesh, SHAPE)
    assert segment(image, "left eye").sum() + segment(image, "left iris").sum() < 15
    assert segment(image, "right iris").sum() > 15


@pytest.mark.parametrize("name", ["shaded", "normals", "uv", "canonical"])
def test_an_open_mouth_is_a_hole(name: str, mesh: FaceMesh, canonical: Any) -> None:
    canonical[:468, 1] += 8 * (canonical[:468, 1] > canonical[13, 1] + 0.01)
    image = draw_attribute(name, canonical, mesh, SHAPE)
    x, y = np.rint(canonical[[13, 14], :2].mean(0)).astype(int)
    assert not image[y, x].any()


def test_a_mirrored_face_has_left_for_right(mesh: FaceMesh, canonical: Any) -> None:
    image = draw_attribute("semantic", canonical, mesh, SHAPE)
    for part in ("brow", "eye", "iris"):
        left, right = (segment(image, f"{side} {part}").sum() for side in ("left", "right"))
        assert left == pytest.approx(right, rel=0.35)
    assert np.nonzero(segment(image, "left brow"))[1].min() > SHAPE[1] / 2


def test_every_colour_of_a_map_is_a_segment_s_and_no_two_are_alike(
    mesh: FaceMesh, canonical: Any
) -> None:
    colours = {tuple(colour) for colour in SEGMENT_COLOURS.tolist()}
    assert len(colours) == len(SEGMENTS) + 1
    image = draw_attribute("semantic", turn(canonical, 5, 15, 5), mesh, SHAPE)
    assert {tuple(colour) for colour in image.reshape(-1, 3).tolist()} <= colours


def test_lines_have_the_colours_that_a_model_was_trained_on(mesh: FaceMesh, canonical: Any) -> None:
    expected = {(0, 0, 0)} | {colour for *_, colour in LINES} | {colour for _, colour in PUPILS}
    image = draw_attribute("lines", canonical, mesh, SHAPE)
    assert {tuple(colour) for colour in image.reshape(-1, 3).tolist()} == expected


def test_segments_cover_the_mesh(mesh: FaceMesh) -> None:
    counts = np.bincount(segment_triangles(mesh), minlength=len(SEGMENTS))
    sizes = dict(zip(SEGMENTS, counts.tolist(), strict=True))
    assert sum(sizes.values()) == len(mesh.triangles)
    assert [sizes[name] for name in ("mouth", "left eye", "right eye")] == [18, 14, 14]
    assert sizes["left brow"] == sizes["right brow"] > 4
    assert min(sizes["nose"], sizes["upper lip"], sizes["lower lip"]) > 30


def test_the_mask_of_a_face_covers_what_is_drawn(mesh: FaceMesh, canonical: Any) -> None:
    landmarks = turn(canonical, 0, 20, 10)
    mask = draw_face_mask(landmarks, mesh, SHAPE) > 0
    face = draw_attribute("semantic", landmarks, mesh, SHAPE).any(-1)
    assert (mask & face).sum() > 0.93 * (mask | face).sum()


def test_an_unknown_attribute_and_useless_landmarks_are_refused(
    mesh: FaceMesh, canonical: Any
) -> None:
    with pytest.raises(InputError, match="Attribute: expected shaded or normals or"):
        draw_attribute("depth", canonical, mesh, SHAPE)
    canonical[0, 0] = np.nan
    with pytest.raises(InputError, match="finite"):
        draw_attribute("uv", canonical, mesh, SHAPE)
    with pytest.raises(InputError, match="shape"):
        draw_attribute("uv", canonical[:5], mesh, SHAPE)
