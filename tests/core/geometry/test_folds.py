"""Folds appear where skin is pushed together, and nowhere else."""

import numpy as np
import pytest
from helpers.photographs import landmarks_of, make_numbers, make_photograph, mesh, rig
from helpers.recorded_faces import needs_model

from actalker_core.geometry.folds import FOLDS, draw_folds, shade_folds
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.pose import to_image
from actalker_core.geometry.warp import WarpMaps

pytestmark = needs_model
GREY = np.full((480, 512, 3), 160, np.uint8)


@pytest.fixture(scope="module")
def photograph() -> Photograph:
    return make_photograph(face_width=180, centre=(256, 220), image=GREY)


def draw(photograph: Photograph, **shapes: float) -> np.ndarray:
    """How much darker each pixel (H, W) of the photograph gets, its face unmoved."""
    frame = GREY.copy()
    height, width = frame.shape[:2]
    grid = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    warp = WarpMaps(photograph.box, _crop(grid, photograph), np.zeros((1, 1), np.uint8))
    shades = shade_folds(photograph.vertices, photograph.pose, (height, width))
    points = to_image(photograph.vertices, photograph.pose)[:, :2]
    numbers = make_numbers(**shapes).blendshapes
    draw_folds(frame, shades, numbers, points, float(photograph.pose.scale), warp)
    return GREY[..., 0].astype(int) - frame[..., 0]


def _crop(grid, photograph):
    return grid[0][photograph.box.slices], grid[1][photograph.box.slices]


def test_a_face_at_rest_has_none(photograph: Photograph) -> None:
    assert not draw(photograph).any()
    assert not draw(photograph, mouthSmile=-1, browDown=-1).any()


@pytest.mark.parametrize(
    ("shape", "vertices"), [("mouthSmile", (206, 426)), ("noseSneer", (203, 423, 6))]
)
def test_they_lie_where_the_skin_is_pushed_together(
    photograph: Photograph, shape: str, vertices: tuple[int, ...]
) -> None:
    darker = draw(photograph, **{shape: 1.0})
    points = to_image(photograph.vertices, photograph.pose)
    for x, y in np.rint(points[list(vertices), :2]).astype(int):
        assert darker[y - 2 : y + 3, x - 2 : x + 3].max() > 5
    assert darker.max() < 0.35 * 160
    forehead_x, forehead_y = np.rint(points[151, :2]).astype(int)
    assert darker[forehead_y, forehead_x] == 0


def test_one_side_has_its_own(photograph: Photograph) -> None:
    middle = round(float(photograph.pose.translation[0]))
    darker = np.abs(draw(photograph, mouthSmileLeft=1))
    assert darker[:, middle:].sum() > 50 * max(darker[:, : middle - 20].sum(), 1)


def test_they_grow_evenly(photograph: Photograph) -> None:
    sums = [np.abs(draw(photograph, browDown=s)).sum() for s in (0.25, 0.5, 1.0)]
    assert sums[0] < sums[1] < sums[2]


def test_a_face_that_smiles_has_its_own_already() -> None:
    landmarks = landmarks_of(mesh(), (256, 220), 180)
    smile = make_numbers(mouthSmile=0.9)
    calm, smiling = (
        Photograph(GREY, landmarks, mesh(), rig(), make_numbers(mouthSmile=s).blendshapes)
        for s in (0, 0.9)
    )
    change, small_change = (
        np.abs(p.render(smile).image.astype(int) - 160)[180:300, 180:330].sum()
        for p in (calm, smiling)
    )
    assert small_change < 0.5 * change


@pytest.mark.parametrize("centre", [(10, 220), (256, -40), (505, 470)])
def test_a_face_cut_by_the_border_has_what_is_left(centre: tuple[float, float]) -> None:
    photograph = make_photograph(face_width=180, centre=centre, image=GREY)
    numbers = make_numbers(mouthSmile=1, browDown=1, noseSneer=1)
    assert photograph.render(numbers).image.shape == GREY.shape


def test_each_is_of_its_own_blendshapes() -> None:
    assert len({fold.line for fold in FOLDS}) == len(FOLDS)
    assert all(fold.shapes for fold in FOLDS)
