"""Boxes: their overlap, their parts, and those that show nothing."""

import pytest
from helpers.faces import HEIGHT, WIDTH
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.errors import InputError
from actalker_core.faces import Box
from actalker_core.faces.box import (
    box_area,
    box_centre,
    box_iou,
    box_part,
    check_box,
    enlarge_box,
    image_box,
    square_box,
)

EDGES = st.floats(-1000, 1000)
SIDES = st.floats(0.1, 1000)
BOXES = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), EDGES, EDGES, SIDES, SIDES)


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert box_iou(a, b) == pytest.approx(box_iou(b, a))
    assert 0 <= box_iou(a, b) <= 1


@given(BOXES, st.floats(1, 500))
def test_a_box_overlaps_itself_and_nothing_beside_it(a: Box, gap: float) -> None:
    width = a[2] - a[0] + gap
    assert box_iou(a, a) == pytest.approx(1)
    assert box_iou(a, (a[0] + width, a[1], a[2] + width, a[3])) == 0


@given(BOXES)
def test_a_part_overlaps_by_its_share(a: Box) -> None:
    assert box_iou(a, box_part(a, (0, 0, 0.5, 0.5))) == pytest.approx(0.25)
    assert box_iou(a, box_part(a, (0.2, 0.4, 0.7, 0.6))) == pytest.approx(0.1)
    assert box_part(a, (0, 0, 1, 1)) == pytest.approx(a)


@given(BOXES)
def test_the_square_of_a_box_contains_it(a: Box) -> None:
    x0, y0, x1, y1 = square_box(a)
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert x1 - x0 == pytest.approx(max(a[2] - a[0], a[3] - a[1]))
    assert x0 <= a[0] + 1e-6
    assert y0 <= a[1] + 1e-6
    assert x1 >= a[2] - 1e-6
    assert y1 >= a[3] - 1e-6
    assert box_centre(square_box(a)) == pytest.approx(box_centre(a))


@given(BOXES, st.floats(0.1, 10))
def test_an_enlarged_box_keeps_its_centre_and_shape(a: Box, factor: float) -> None:
    larger = enlarge_box(a, factor)
    assert box_centre(larger) == pytest.approx(box_centre(a))
    assert larger[2] - larger[0] == pytest.approx(factor * (a[2] - a[0]))
    assert box_area(larger) == pytest.approx(factor**2 * box_area(a))
    assert enlarge_box(larger, 1 / factor) == pytest.approx(a, abs=1e-6)


@pytest.mark.parametrize(
    "box", [(0, 0, 80, 60), (-5, -5, 1, 1), (79, 59, 200, 200), (10.5, 10.5, 11.5, 11.5)]
)
def test_boxes_that_touch_the_image_are_taken_as_they_are(box: Box) -> None:
    assert check_box(box, WIDTH, HEIGHT, "portrait") == box
    assert check_box(image_box(WIDTH, HEIGHT), WIDTH, HEIGHT, "portrait") == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 10, 20),
        (20, 10, 10, 30),
        (80, 0, 90, 10),
        (0, 60, 10, 70),
        (-10, 0, 0, 10),
        (float("nan"), 0, 10, 10),
        (0, 0, float("inf"), 10),
        (0, 0, 1e300, 1e300),
        (-1e300, -1e300, 10, 10),
        (0, 0, 1e6, 1e6),
        (0, float("nan"), 10, 10),
    ],
)
def test_boxes_that_show_nothing_are_refused(box: Box) -> None:
    with pytest.raises(InputError, match=r"portrait.*80x60"):
        check_box(box, WIDTH, HEIGHT, "portrait")
