"""Faces are chosen among many, and given by hand."""

import numpy as np
import pytest
import torch
from helpers.faces import HEIGHT, WIDTH, Script, face_at, greys
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Face, SearchDepth, choose_face, find_face
from actalker_core.faces.face import (
    advise,
    box_of_mask,
    choose_depth,
    distinct_faces,
    face_in_box,
    find_first_face,
    sort_faces,
)

# Choosing ----------------------------------------------------------------------------------------

THREE = (face_at(52, side=12), face_at(2, side=26), face_at(34, 25, 10))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("0", 1), ("1", 2), ("2", 0), ("largest", 1), ("left", 1), ("right", 0), ("centre", 2)],
)
def test_a_face_is_chosen_by_place_or_size(choice: str, expected: int) -> None:
    assert choose_face(THREE, choice, (HEIGHT, WIDTH), "portrait") is THREE[expected]


def test_the_centre_is_that_of_a_wide_image() -> None:
    tall_centre, wide_centre = face_at(90, 190), face_at(190, 90)
    faces = [tall_centre, wide_centre]
    assert choose_face(faces, "centre", (200, 400), "portrait") is wide_centre
    assert choose_face(faces, "centre", (400, 200), "portrait") is tall_centre


@given(st.permutations(range(6)), st.lists(st.floats(-0.4, 0.4), min_size=6, max_size=6))
def test_faces_are_counted_by_columns(order: list[int], jitter: list[float]) -> None:
    """Three columns of two; a finder tells places to within a small part of a face."""
    grid = [face_at(30 * (i // 2) + jitter[i], 40 * (i % 2) + jitter[-i]) for i in range(6)]
    assert sort_faces(grid[i] for i in order) == grid


def test_a_staircase_is_counted_from_the_left() -> None:
    """No face is in one column with all others, however little each is aside of the next."""
    stairs = [face_at(3 * i, 400 - 40 * i) for i in range(8)]
    assert sort_faces(reversed(stairs)) == stairs


@pytest.mark.parametrize("choice", ["3", "-1", "99"])
def test_an_index_beyond_the_faces_says_how_many_there_are(choice: str) -> None:
    with pytest.raises(FaceError, match=rf"{choice} of the portrait.*0 to 2"):
        choose_face(THREE, choice, (HEIGHT, WIDTH), "portrait")


@pytest.mark.parametrize("choice", ["biggest", "", "1.0", "--1", "²", "1-"])
def test_an_unknown_choice_names_the_known_ones(choice: str) -> None:
    with pytest.raises(InputError, match="largest, left, right, centre"):
        choose_face(THREE, choice, (HEIGHT, WIDTH), "portrait")


def test_the_largest_face_is_found_unless_another_is_chosen() -> None:
    finder = Script({0: [*THREE]})
    assert find_face(finder, greys(1)[0]) is THREE[1]
    assert find_face(finder, greys(1)[0], "right") is THREE[0]
    with pytest.raises(FaceError, match="No face is found in the image of 80x60"):
        find_face(Script({}), greys(1)[0])


def test_no_face_to_choose_from_names_the_image() -> None:
    with pytest.raises(FaceError, match="portrait of 80x60"):
        choose_face([], "largest", (HEIGHT, WIDTH), "portrait")


# A face given by hand ----------------------------------------------------------------------------

HAND_DRAWN = (8.0, 16.0, 32.0, 44.0)


def test_a_boxed_face_keeps_its_box() -> None:
    face = face_at(10)
    result = face_in_box(greys(1)[0], HAND_DRAWN, Script({0: [face_at(50), face]}))
    assert (result.box, result.confidence) == (HAND_DRAWN, 1)
    assert np.array_equal(result.landmarks, face.landmarks)


@pytest.mark.parametrize("finder", [None, Script({}), Script({0: [face_at(50)]})])
def test_a_boxed_face_needs_no_finder_to_see_it(finder: Script | None) -> None:
    result = face_in_box(greys(1)[0], HAND_DRAWN, finder)
    assert result.box == HAND_DRAWN
    assert result.landmarks is None


@settings(deadline=None)
@given(st.integers(0, 79), st.integers(0, 59), st.integers(1, 80), st.integers(1, 60))
def test_a_mask_becomes_the_box_around_its_white(x: int, y: int, width: int, height: int) -> None:
    mask = torch.full((HEIGHT, WIDTH), 0.4)
    mask[y : y + height, x : x + width] = 0.6
    expected = (x, y, min(x + width, WIDTH), min(y + height, HEIGHT))
    assert box_of_mask(mask, (HEIGHT, WIDTH)) == expected


@settings(deadline=None)
@given(st.integers(0, 79), st.integers(0, 59), st.integers(1, 80), st.integers(1, 60))
def test_a_mask_of_another_size_covers_the_image(x: int, y: int, width: int, height: int) -> None:
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[y : y + height, x : x + width] = 1
    x0, y0, x1, y1 = box_of_mask(mask, (HEIGHT, WIDTH))
    assert box_of_mask(mask, (3 * HEIGHT, 2 * WIDTH)) == (2 * x0, 3 * y0, 2 * x1, 3 * y1)


@pytest.mark.parametrize("size", [(60, 80), (64, 64), (0, 0)])
def test_a_mask_of_nothing_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"80x60.*got {size[1]}x{size[0]} without any white"):
        box_of_mask(torch.zeros(size), (HEIGHT, WIDTH))


def test_the_first_face_is_that_of_the_first_frame_with_one() -> None:
    script = Script({2: [face_at(10), face_at(50)], 3: [face_at(30)]})
    assert find_first_face(script, greys(4), "right", "head clip").box == face_at(50).box


def test_a_clip_chooses_among_the_small_faces_of_its_first_frame_too() -> None:
    """The first frame that shows a large one is searched for small ones too."""
    script = Script({2: [face_at(30)]}, {2: [face_at(5, side=4)]})
    assert find_first_face(script, greys(4), "left", "head clip").box == face_at(5, side=4).box
    assert find_first_face(script, greys(4), "largest", "head clip").box == face_at(30).box


@pytest.mark.parametrize("choice", ["largest", "left"])
def test_a_late_face_is_waited_for_with_glances(choice: str) -> None:
    """Deep searches take long: one in so many frames, and one where a face shows."""
    script = Script({60: [face_at(30)]})
    depths: list[SearchDepth] = []

    class Counting(Script):
        def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
            depths.append(depth)
            return script.find(image, depth)

    find_first_face(Counting({}), greys(80), choice, "head clip")
    assert depths.count("whole") == 58
    assert len(depths) - depths.count("whole") == 4


@pytest.mark.parametrize(
    ("choice", "depth"), [("largest", "largest"), ("left", "all"), ("0", "all")]
)
def test_a_choice_says_how_deep_to_search(choice: str, depth: SearchDepth) -> None:
    assert choose_depth(choice) == depth


def test_a_part_of_a_face_is_no_face() -> None:
    """Overlapping, lying on another, and apart."""
    large, offset, mouth = face_at(10, side=40), face_at(18, 24, 40), face_at(25, 40, 8)
    beside = face_at(45, 20, 40)
    assert distinct_faces([mouth, beside, offset, large]) == [large, beside]


def test_the_first_face_may_be_small_and_come_late() -> None:
    small_faces = {i: [face_at(10)] for i in range(1, 60)}
    assert (
        find_first_face(Script({}, small_faces), greys(60), "left", "head clip").box
        == face_at(10).box
    )


@pytest.mark.parametrize("frames", [0, 3])
def test_no_first_face_names_the_clip(frames: int) -> None:
    with pytest.raises(FaceError, match="head clip"):
        find_first_face(Script({}), greys(frames), "left", "head clip")


def test_only_who_has_another_way_tells_of_it() -> None:
    with pytest.raises(FaceError) as refusal:
        find_face(Script({}), greys(1)[0])
    assert "box" not in str(refusal.value)
    with pytest.raises(FaceError) as advice, advise("Or give --face-box."):
        find_face(Script({}), greys(1)[0])
    assert str(advice.value) == f"{refusal.value} Or give --face-box."
