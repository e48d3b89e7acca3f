"""Ids and maps against a reference that asks every pixel for every triangle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.geometry.raster import (
    double_areas,
    draw_ids,
    fit_affine_maps,
    make_sample_maps,
    sample_image,
    visible_triangles,
)

HEIGHT, WIDTH = 40, 48
GRID = np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float)
SLACK_PX = 1.1
"""OpenCV draws the outline of a polygon too."""
quick = settings(max_examples=40, deadline=None)


def random_mesh(seed, count=12):
    rng = np.random.default_rng(seed)
    points = rng.uniform((-8, -8), (WIDTH + 8, HEIGHT + 8), (count, 2))
    triangles = np.array([rng.choice(count, 3, replace=False) for _ in range(count)])
    return points, triangles


def margins(points, triangles):
    """(t, h, w) how far inside each triangle a pixel lies; negative outside."""
    x, y = np.meshgrid(*GRID)
    depths = []
    for corners in points[triangles]:
        sign = np.sign(np.linalg.det([corners[1] - corners[0], corners[2] - corners[0]]))
        sides = []
        for a, b in ((0, 1), (1, 2), (2, 0)):
            along = corners[b] - corners[a]
            normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
            offset = np.stack([x, y], -1) - corners[a]
            sides.append(sign * (offset @ normal))
        depths.append(np.min(sides, axis=0))
    return np.array(depths)


def draw(points, triangles, shape=(HEIGHT, WIDTH)):
    areas = double_areas(points, triangles)
    order = np.flatnonzero(np.abs(areas) > 8)
    return draw_ids(points, triangles, order, shape), order


@quick
@given(st.integers(0, 10_000))
def test_each_pixel_shows_the_last_triangle_that_covers_it(seed):
    points, triangles = random_mesh(seed)
    ids, order = draw(points, triangles)
    depths = margins(points, triangles)
    for y, x in np.ndindex(HEIGHT, WIDTH):
        surely = [t for t in order if depths[t, y, x] > SLACK_PX]
        perhaps = [t for t in order if depths[t, y, x] > -SLACK_PX]
        if not perhaps:
            assert ids[y, x] == len(triangles)
        elif surely:
            assert ids[y, x] >= surely[-1]
            assert ids[y, x] in perhaps


@quick
@given(st.integers(0, 10_000))
def test_maps_take_corners_to_corners(seed):
    points, triangles = random_mesh(seed)
    source, _ = random_mesh(seed + 1)
    maps = fit_affine_maps(points, source, triangles)
    areas = np.abs(double_areas(points, triangles))
    for t, corners in enumerate(triangles):
        if areas[t] < 20:
            continue
        for corner in corners:
            x, y = points[corner]
            place = (
                maps[0, t] * x + maps[1, t] * y + maps[2, t],
                (maps[3, t] * x + maps[4, t] * y + maps[5, t]),
            )
            assert place == pytest.approx(tuple(source[corner]), abs=0.01)


def test_a_mesh_at_rest_is_the_image():
    points, triangles = random_mesh(3)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    ids, _ = draw(points, triangles)
    maps = make_sample_maps(ids, fit_affine_maps(points, points, triangles), *GRID)
    assert (sample_image(image, maps) == image).all()


@quick
@given(st.integers(-7, 7), st.integers(-7, 7))
def test_whole_steps_move_pixels_exactly(right, down):
    source = np.array([[8.0, 8.0], [39, 8], [39, 31], [8, 31]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    points = source + np.array([right, down])
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    ids, _ = draw(points, triangles)
    frame = sample_image(
        image, make_sample_maps(ids, fit_affine_maps(points, source, triangles), *GRID)
    )
    inside = np.s_[9 + down : 31 + down, 9 + right : 39 + right]
    assert (frame[inside] == image[9:31, 9:39]).all()
    assert (frame[ids == 2] == image[ids == 2]).all()


def test_a_grid_of_wider_steps_samples_the_same_places():
    source, triangles = random_mesh(5)
    points = source + np.random.default_rng(1).uniform(-3, 3, source.shape)
    affine = fit_affine_maps(points, source, triangles)
    ids, order = draw(points, triangles)
    fine = make_sample_maps(ids, affine, *GRID)
    x, y = GRID[0][::4], GRID[1][::4]
    coarse_ids = draw_ids(points / 4, triangles, order, (len(y), len(x)))
    coarse = make_sample_maps(coarse_ids, affine, x, y)
    is_same = coarse_ids == ids[::4, ::4]
    assert is_same.mean() > 0.75
    for a, b in zip(coarse, fine, strict=True):
        assert np.abs(a - b[::4, ::4])[is_same].max() < 1e-3


@quick
@given(st.integers(0, 10_000))
def test_triangles_turned_over_are_not_visible(seed):
    source, triangles = random_mesh(seed)
    areas = double_areas(source, triangles)
    thick = np.abs(areas) > 1
    assert visible_triangles(areas, areas)[thick].all()
    mirror = double_areas(source * (-1, 1), triangles)
    assert not visible_triangles(mirror, areas).any()


def test_inside_a_border_that_stays_every_pixel_keeps_a_visible_triangle():
    """However the inner points are thrown about, folds come in pairs."""
    side = np.linspace(0, 39, 6)
    source = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    squares = [6 * i + j for i in range(5) for j in range(5)]
    triangles = np.array(
        [(k, k + 1, k + 7) for k in squares] + [(k, k + 7, k + 6) for k in squares]
    )
    is_inner = ((source > 0) & (source < 39)).all(1)
    rng = np.random.default_rng(0)
    for _ in range(50):
        points = source + is_inner[:, None] * rng.normal(0, 12, source.shape)
        order = visible_triangles(double_areas(points, triangles), double_areas(source, triangles))
        ids = draw_ids(points, triangles, np.flatnonzero(order), (40, 40))
        assert (ids < len(triangles)).all()


def test_points_far_outside_do_no_harm():
    points = np.array([[-1e9, 10.0], [1e9, 10], [20, 1e9]])
    ids = draw_ids(points, np.array([[0, 1, 2]]), np.array([0]), (HEIGHT, WIDTH))
    assert (ids[14:, 10:30] == 0).all()
    assert (ids[:5] == 1).all()
