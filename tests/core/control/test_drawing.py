"""Regions drawn by hand: what is drawn is what the text says, wherever the portrait is cut."""

import re

import numpy as np
import pytest
import torch
from helpers.portraits import noise
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.control.drawing import (
    MAX_POINTS,
    MAX_STEPS,
    Drawing,
    Step,
    apply_drawing,
    outline_mask,
    parse_drawing,
    write_drawing,
)
from actalker_core.errors import InputError
from actalker_core.faces.portrait import Crop

quick = settings(max_examples=60, deadline=None)

SHAPE = HEIGHT, WIDTH = 64, 96
FULL = Crop((0, 0, WIDTH, HEIGHT), SHAPE, SHAPE)
CUT = Crop((24, 16, 72, 48), SHAPE, (128, 192))
"""Four pixels of the portrait are one of the image's along each side."""

SHARES = st.integers(-10_000, 20_000).map(lambda n: n / 10_000)
POINTS = st.lists(st.tuples(SHARES, SHARES), min_size=3, max_size=6).map(np.array)
RADII = st.integers(50, 2000).map(lambda n: n / 10_000)
STEPS = st.builds(Step, POINTS, st.none() | RADII, st.booleans())
DRAWINGS = st.builds(Drawing, st.lists(STEPS, max_size=4).map(tuple), st.booleans())


def draw(text: str, mask: Tensor | None = None, crop: Crop = FULL) -> Tensor:
    blank = torch.zeros(1, 1, *crop.shape)
    return apply_drawing(blank if mask is None else mask, parse_drawing(text), crop)


def pixel_middles(crop: Crop) -> NDArray[np.float64]:
    """(H, W, 2) of the portrait."""
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.stack([x, y], axis=2) + 0.5


def distances(points: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) from each pixel to the nearest place of a line through points (n, 2)."""
    nearest = np.full(pixels.shape[:2], np.inf)
    for start, end in zip(points, [*points[1:], points[-1]], strict=True):
        way = end - start
        along = ((pixels - start) @ way / max(way @ way, 1e-12)).clip(0, 1)
        nearest = np.minimum(
            nearest, np.linalg.norm(pixels - start - along[..., None] * way, axis=2)
        )
    return nearest


# What is drawn -----------------------------------------------------------------------------------


@quick
@given(POINTS, RADII, st.sampled_from([FULL, CUT]))
def test_a_stroke_is_what_lies_within_its_radius(
    points: NDArray[np.float64], radius: float, crop: Crop
) -> None:
    mask = apply_drawing(
        torch.zeros(1, 1, *crop.shape), Drawing((Step(points, radius),)), crop
    ).numpy()[0, 0]
    distance = distances(crop.place(points), pixel_middles(crop))
    radius_px = radius * WIDTH * (4 if crop is CUT else 1)
    assert (mask[distance < 0.98 * radius_px - 1] == 1).all()
    assert (mask[distance > radius_px + 1] == 0).all()


@quick
@example(np.array([(0.0, 0.0), (-0.0345, 0.2652), (0.3747, -0.0002)]), FULL)
@given(POINTS, st.sampled_from([FULL, CUT]))
def test_a_polygon_is_what_lies_inside_its_border(points: NDArray[np.float64], crop: Crop) -> None:
    mask = apply_drawing(torch.zeros(1, 1, *crop.shape), Drawing((Step(points),)), crop)
    corners, pixels = crop.place(points), pixel_middles(crop)
    crossings = np.zeros(pixels.shape[:2], int)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        is_between = (pixels[..., 1] < y0) != (pixels[..., 1] < y1)
        at = x0 + (pixels[..., 1] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1)
        crossings += is_between & (at > pixels[..., 0])
    is_clear = distances(np.concatenate([corners, corners[:1]]), pixels) > 0.7
    assert np.array_equal(mask.numpy()[0, 0][is_clear], (crossings % 2)[is_clear])


@quick
@given(DRAWINGS, st.integers(0, 99))
def test_a_drawing_says_all_or_nothing_and_leaves_the_rest(drawing: Drawing, seed: int) -> None:
    region = noise(seed, 3, 1, *SHAPE) * 0.8 + 0.1
    mask = apply_drawing(region, drawing, FULL)
    assert mask.shape == region.shape
    is_left = mask == region
    assert ((mask == 0) | (mask == 1) | is_left).all()
    assert torch.equal(is_left, is_left[:1].expand_as(is_left)), "alike in every frame"
    if not drawing.is_over_region:
        assert not is_left.any()


@quick
@given(DRAWINGS, STEPS)
def test_a_step_adds_or_takes_away_whatever_was_there(drawing: Drawing, step: Step) -> None:
    before = apply_drawing(torch.full((1, 1, *SHAPE), 0.5), drawing, FULL)
    longer = Drawing((*drawing.steps, step), drawing.is_over_region)
    after = apply_drawing(torch.full((1, 1, *SHAPE), 0.5), longer, FULL)
    alone = apply_drawing(
        torch.zeros(1, 1, *SHAPE), Drawing((Step(step.points, step.radius),)), FULL
    )
    expected = torch.where(alone == 1, 0.0 if step.is_eraser else 1.0, before)
    assert torch.equal(after, expected)


def test_empty_takes_the_region_and_what_was_drawn_away() -> None:
    region = torch.ones(1, 1, *SHAPE)
    stroke = "brush 0.1 0.5,0.5"
    assert not draw("empty", region).any()
    assert torch.equal(draw(f"erase {stroke}; empty; {stroke}", region), draw(stroke))
    assert torch.equal(draw("", region), region)
    assert torch.equal(draw(" ;\n; ", region), region)


@quick
@given(DRAWINGS)
def test_a_drawing_stays_on_the_face_where_the_portrait_is_cut(drawing: Drawing) -> None:
    """Drawn over the whole image and cut, or cut and drawn: the same but at borders."""
    over_image = apply_drawing(torch.zeros(1, 1, *SHAPE), drawing, FULL)
    over_portrait = apply_drawing(torch.zeros(1, 1, *CUT.shape), drawing, CUT)
    cut = CUT.cut(over_image)
    small = torch.nn.functional.avg_pool2d(over_portrait, 5, 1, 2)
    is_clear = (small < 0.01) | (small > 0.99)
    worst = (cut - over_portrait)[is_clear].abs()
    assert worst.numel() == 0 or float((worst > 0.6).double().mean()) < 0.02


def test_places_and_shares_are_each_others_way_back() -> None:
    shares = np.random.default_rng(0).uniform(-1, 2, (50, 2))
    for crop in (FULL, CUT):
        np.testing.assert_allclose(crop.unplace(crop.place(shares)), shares, atol=1e-9)
    corners = CUT.place(np.array([[24 / 96, 16 / 64], [72 / 96, 48 / 64]]))
    np.testing.assert_allclose(corners, [[0, 0], [192, 128]])


# The text ----------------------------------------------------------------------------------------


@quick
@given(DRAWINGS)
def test_a_text_is_read_as_it_was_written(drawing: Drawing) -> None:
    text = write_drawing(drawing)
    again = parse_drawing(text)
    assert again.is_over_region == drawing.is_over_region
    for step, expected in zip(again.steps, drawing.steps, strict=True):
        assert (step.radius, step.is_eraser) == (expected.radius, expected.is_eraser)
        assert np.array_equal(step.points, expected.points)
    assert write_drawing(again) == text


@pytest.mark.parametrize(
    ("marked_text", "expected"),
    [
        ("|circle 0.1 0.5,0.5", "polygon or brush, or erase before one of them, or empty"),
        ("empty; |empty 0.5", "polygon or brush"),
        ("erase|", "polygon or brush"),
        ("erase |erase brush 0.1 0,0", "polygon or brush"),
        ("polygon|", "at least three points"),
        ("polygon |0,0 1,1", "at least three points"),
        ("brush |0.1", "a radius and at least one point"),
        ("brush |x 0.5,0.5", "a number"),
        ("brush |0 0.5,0.5", "a number from 0.0005 to 0.5"),
        ("brush |0.6 0.5,0.5", "a number from 0.0005 to 0.5"),
        ("brush 0.1 |0.5", "a point x,y"),
        ("brush 0.1 0.5,0.5 |0.5,0.5,0.5", "a point x,y"),
        ("empty; polygon 0,0 1,0 1,|2.5", "a number from -1 to 2"),
        ("polygon 0,0 1,0 |-1.5,1", "a number from -1 to 2"),
        ("polygon 0,0 1,0 1,|nan", "a number"),
    ],
)
def test_a_fault_is_shown_where_it_stands(marked_text: str, expected: str) -> None:
    text, place = marked_text.replace("|", ""), marked_text.index("|") + 1
    message = f"Drawing {re.escape(repr(text))}: expected {expected}.* at character {place}, got"
    with pytest.raises(InputError, match=message):
        parse_drawing(text)


@pytest.mark.parametrize(
    "text",
    [
        "; ".join(["empty"] * (MAX_STEPS + 1)),
        "brush 0.1" + " 0,0" * (MAX_POINTS + 1),
        "brush 0.1 " + "0.5,0.5 " * 40_000,
    ],
    ids=["steps", "points", "characters"],
)
def test_a_drawing_without_end_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected at most"):
        parse_drawing(text)


def test_a_drawing_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="Drawing: expected a text, got 3"):
        parse_drawing(3)  # type: ignore[arg-type]


# Outlines ----------------------------------------------------------------------------------------


@quick
@given(st.integers(0, 999), st.sampled_from([FULL, CUT]))
def test_outlines_draw_their_mask_again(seed: int, crop: Crop) -> None:
    smooth = torch.nn.functional.avg_pool2d(noise(seed, 1, 1, *crop.shape), 31, 1, 15)
    mask = (smooth > smooth.median()).float()
    drawing = outline_mask(mask[0, 0], crop)
    result = apply_drawing(torch.zeros_like(mask), drawing, crop)
    small = torch.nn.functional.avg_pool2d(mask, 5, 1, 2)
    is_clear = (small < 0.01) | (small > 0.99)
    assert torch.equal(result[is_clear], mask[is_clear])
    assert len(write_drawing(drawing)) < 20_000


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_the_outline_of_noise_is_short_and_can_be_read(share: float) -> None:
    """It is sent to the page, which reads no drawing of more points."""
    side = 512
    mask = (torch.rand(side, side, generator=torch.Generator().manual_seed(0)) < share).float()
    crop = Crop((0, 0, side, side), (side, side), (side, side))
    text = write_drawing(outline_mask(mask, crop))
    assert len(text) < 70_000
    assert parse_drawing(text).steps


def test_an_outline_knows_holes_and_what_lies_in_them() -> None:
    mask = torch.zeros(SHAPE)
    mask[4:60, 4:92] = 1
    mask[12:52, 12:84] = 0
    mask[24:40, 30:66] = 1
    drawing = outline_mask(mask, FULL)
    assert [step.is_eraser for step in drawing.steps] == [False, True, False]
    result = apply_drawing(torch.ones(1, 1, *SHAPE), drawing, FULL)[0, 0]
    assert torch.equal(result, mask)
    assert not outline_mask(torch.zeros(SHAPE), FULL).steps
