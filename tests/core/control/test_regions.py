"""Regions drawn from the geometry of a face, and written as parts of it."""

import re
from collections.abc import Callable
from functools import reduce

import numpy as np
import pytest
import torch
from helpers.drawn_faces import (
    BARE,
    BOX,
    FULL,
    HEIGHT,
    LANDMARK_PARTS,
    PARTS,
    SHAPES,
    TRACK,
    WIDTH,
    draw_mask,
    is_apart,
    is_inside,
    make_face,
    middle_row,
    quick,
    shift_box,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Face

# Landmarks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("faces", [BARE, [BARE], [FULL, BARE]], ids=["one", "clip", "some frames"])
@pytest.mark.parametrize("text", [*LANDMARK_PARTS, "face-lips", "oval&mouth", "all+ eyes"])
def test_shapes_without_landmarks_name_the_file_that_is_missing(
    text: str, faces: Face | list[Face]
) -> None:
    with pytest.raises(FaceError, match=r"face_landmarker\.task"):
        draw_mask(text, faces)


@pytest.mark.parametrize("part", LANDMARK_PARTS)
def test_shapes_cover_their_points_and_the_area_of_their_ellipses(part: str) -> None:
    mask = draw_mask(part)[0, 0]
    shapes = [shape for name, shape in SHAPES.items() if part.rstrip("s") in name or part == name]
    area = outline = 0.0
    for points, _, (rx, ry) in shapes:
        area += np.pi * rx * 48 * ry * 64
        outline += np.pi * (rx * 48 + ry * 64)
        for x, y in FULL.landmarks[list(points), :2].round().astype(int):
            assert mask[y, min(x, WIDTH - 1)] == 1
    assert 0.9 * area - 4 < mask.sum() < area + outline


def test_shapes_lie_where_a_face_has_them() -> None:
    rows = [middle_row(draw_mask(part)) for part in ("brows", "eyes", "lips")]
    assert rows == sorted(rows)
    assert all(is_inside(draw_mask(part), draw_mask("oval")) for part in ("brows", "eyes", "lips"))
    assert is_inside(draw_mask("eyes+brows"), draw_mask("upper"))
    assert is_inside(draw_mask("lips"), draw_mask("lower"))
    assert is_inside(draw_mask("oval"), draw_mask("face"))


@pytest.mark.parametrize(("dx", "dy"), [(0, 4), (-6, 0), (4, -6), (30, 0), (-40, 20)])
@pytest.mark.parametrize("part", [part for part in PARTS if part != "all"])
def test_regions_follow_the_face(part: str, dx: int, dy: int) -> None:
    canvas = torch.zeros(3 * HEIGHT, 3 * WIDTH)
    y, x = HEIGHT + dy, WIDTH + dx
    canvas[y : y + HEIGHT, x : x + WIDTH] = draw_mask(part)[0, 0]
    expected = canvas[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]
    result = draw_mask(part, make_face(shift_box(BOX, dx, dy)))[0, 0]
    inner = slice(4, -4)  # OpenCV may round outlines otherwise where the border cuts them
    assert torch.equal(result[inner, inner], expected[inner, inner])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("shift", [(500.0, 0.0), (0.0, -500.0), (-500.0, 500.0)])
def test_a_face_outside_the_image_has_no_region(part: str, shift: tuple[float, float]) -> None:
    mask = draw_mask(part, make_face(shift_box(BOX, *shift)))
    assert mask.any() == (part == "all")


# Algebra -----------------------------------------------------------------------------------------

NAMES = st.sampled_from(PARTS)
OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.logical_or,
    "-": lambda a, b: a & ~b,
    "&": torch.logical_and,
}


@quick
@given(NAMES, NAMES)
def test_adding_removing_and_sharing_regions(a: str, b: str) -> None:
    mask_a, mask_b = draw_mask(a), draw_mask(b)
    assert is_inside(torch.maximum(mask_a, mask_b), draw_mask(f"{a}+{b}"))
    assert is_inside(draw_mask(f"{a}-{b}"), mask_a)
    assert is_apart(draw_mask(f"{a}-{b}"), mask_b)
    assert is_inside(draw_mask(f"{a}&{b}"), torch.minimum(mask_a, mask_b))
    assert torch.equal(draw_mask(f"{a}-{b}") + draw_mask(f"{a}&{b}"), mask_a)


@quick
@given(NAMES, st.lists(st.tuples(st.sampled_from("+-&"), NAMES), max_size=5), st.booleans())
def test_a_written_region_is_read_from_the_left(
    first: str, rest: list[tuple[str, str]], with_spaces: bool
) -> None:
    text = first + "".join(
        f" {sign}  {name}" if with_spaces else sign + name for sign, name in rest
    )
    expected = reduce(
        lambda mask, step: OPERATIONS[step[0]](mask, draw_mask(step[1]).bool()),
        rest,
        draw_mask(first).bool(),
    )
    assert torch.equal(draw_mask(f" {text} "), expected.float())


def test_the_order_of_operations_matters() -> None:
    assert not torch.equal(draw_mask("oval-lips+mouth"), draw_mask("oval+mouth-lips"))
    assert torch.equal(draw_mask("eyes+brows-eyes"), draw_mask("brows-eyes"))


@pytest.mark.parametrize(
    "marked_text",
    [
        "|nose",
        "  |nose  ",
        "face+|nose",
        "lips & |Mouth - eyes",
        "|ears-face",
        "face&upper+ |left eye",
        "face-|0.5+|x",
    ],
)
def test_an_unknown_part_is_shown_where_it_stands(marked_text: str) -> None:
    text, place = marked_text.replace("|", ""), marked_text.index("|") + 1
    message = rf"Region '{re.escape(text)}': expected all or .*oval.* at character {place}, got"
    with pytest.raises(InputError, match=message):
        draw_mask(text)


@pytest.mark.parametrize(
    "text", ["", " ", "+", "face+", "-face", "face++mouth", "lips & - eyes", "--", "face -"]
)
def test_a_region_with_a_part_missing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"Region '{re.escape(text)}': expected .* at character"):
        draw_mask(text)


def test_an_unknown_part_is_refused_before_landmarks_are_missed() -> None:
    with pytest.raises(InputError, match="at character 6"):
        draw_mask("lips+nose", BARE)


# Several faces -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*PARTS, "oval-mouth", "face&upper+lips"])
def test_each_face_has_its_own_region(text: str) -> None:
    masks = draw_mask(text, TRACK)
    assert torch.equal(masks, torch.cat([draw_mask(text, face) for face in TRACK]))
