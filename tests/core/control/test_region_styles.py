"""Which regions one signal or two get."""

from collections.abc import Sequence

import pytest
import torch
from helpers.drawn_faces import (
    ANY_FACES,
    BARE,
    BOX,
    BOX_STYLES,
    FACES,
    FULL,
    HEIGHT,
    LIKELY_FACES,
    SIZE,
    TRACK,
    WIDTH,
    draw_both,
    draw_mask,
    is_apart,
    is_inside,
    make_face,
    middle_row,
    quick,
    shift_box,
)
from hypothesis import given
from torch import Tensor

from actalker_core.control import regions
from actalker_core.control.regions import draw_style_masks
from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Face, topology


def face_box(face: Face) -> Tensor:
    """The face box as the release draws it: 1.2 times as large, in whole pixels."""
    x0, y0, x1, y1 = face.box
    x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, 1.2 * (x1 - x0) / 2, 1.2 * (y1 - y0) / 2
    left, top, right, bottom = (round(edge) for edge in (x - dx, y - dy, x + dx, y + dy))
    rows, columns = torch.arange(HEIGHT), torch.arange(WIDTH)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    return inside[None, None].float()


@FACES
def test_as_released_both_signals_get_everything(face: Face) -> None:
    for mask in draw_both("released", face):
        assert torch.equal(mask, torch.ones(1, 1, *SIZE))


@pytest.mark.parametrize("style", BOX_STYLES)
@FACES
def test_one_signal_gets_the_enlarged_face_box(style: str, face: Face) -> None:
    for with_audio in (True, False):
        audio, expression = draw_style_masks(
            style, face, *SIZE, with_audio=with_audio, with_expression=not with_audio
        )
        mask, empty_mask = (audio, expression) if with_audio else (expression, audio)
        assert torch.equal(mask, face_box(face))
        assert torch.equal(empty_mask, torch.zeros(1, 1, *SIZE))


@pytest.mark.parametrize("style", regions.STYLES)
def test_no_signal_gets_nothing(style: str) -> None:
    masks = draw_style_masks(style, FULL, *SIZE, with_audio=False, with_expression=False)
    assert [mask.shape for mask in masks] == [(1, 1, *SIZE)] * 2
    assert not any(mask.any() for mask in masks)


@pytest.mark.parametrize(("with_audio", "with_expression"), [(True, False), (False, True)])
def test_one_signal_gets_the_oval_with_the_style_of_shapes(
    with_audio: bool, with_expression: bool
) -> None:
    audio, expression = draw_style_masks(
        "landmarks", FULL, *SIZE, with_audio=with_audio, with_expression=with_expression
    )
    assert torch.equal(audio, draw_mask("oval") * with_audio)
    assert torch.equal(expression, draw_mask("oval") * with_expression)


@quick
@given(ANY_FACES)
def test_both_signals_may_get_the_face_box(face: Face) -> None:
    for mask in draw_both("face", face):
        assert torch.equal(mask, face_box(face))


@quick
@given(ANY_FACES)
def test_as_in_the_paper_the_mouth_and_the_rest_tile_the_face(face: Face) -> None:
    audio, expression = draw_both("paper", face)
    assert is_apart(audio, expression)
    assert torch.equal(audio + expression, face_box(face))


@quick
@given(ANY_FACES)
def test_halves_tile_the_face(face: Face) -> None:
    audio, expression = draw_both("halves", face)
    assert is_apart(audio, expression)
    assert torch.equal(audio + expression, face_box(face))


@FACES
def test_the_mouth_lies_below_the_rest(face: Face) -> None:
    for style in ("paper", "halves"):
        audio, expression = draw_both(style, face)
        assert middle_row(audio) > middle_row(expression) + 8


def test_halves_meet_at_the_nose() -> None:
    lower, upper = draw_both("halves", FULL)
    tip = round(float(FULL.landmarks[topology.NOSE_TIP, 1]))
    assert not lower[:, :, :tip].any()
    assert not upper[:, :, tip:].any()


def test_the_box_of_the_mouth_holds_the_lips_and_neither_nose_nor_eyes() -> None:
    mouth = draw_mask("mouth")
    assert is_inside(draw_mask("lips"), mouth)
    assert is_apart(mouth, draw_mask("eyes+brows"))
    x, y = (int(v) for v in FULL.landmarks[topology.NOSE_TIP, :2])
    assert mouth[0, 0, y, x] == 0


@quick
@given(LIKELY_FACES)
def test_lips_and_the_rest_of_the_oval_are_apart_and_make_it_whole(face: Face) -> None:
    lips, rest = draw_both("landmarks", face)
    oval = draw_mask("oval", face)
    assert is_inside(draw_mask("lips", face), lips)
    assert is_inside(lips, oval)
    assert is_apart(lips, rest)
    assert torch.equal(lips + rest, oval)


@pytest.mark.parametrize("style", regions.STYLES)
@pytest.mark.parametrize("several", [False, True])
def test_masks_are_0_or_1_in_one_form(style: str, several: bool) -> None:
    faces = [FULL, FULL, make_face(shift_box(BOX, 5, 9))] if several else FULL
    for mask in draw_both(style, faces):
        assert mask.shape == (len(faces) if isinstance(faces, list) else 1, 1, *SIZE)
        assert mask.dtype == torch.float32
        assert set(mask.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("style", ["half", "", "Paper", "released "])
def test_an_unknown_style_is_refused(style: str) -> None:
    names = " or ".join(regions.STYLES)
    with pytest.raises(InputError, match=f"expected {names}, got '{style}'"):
        draw_both(style, FULL)


@pytest.mark.parametrize(
    ("audio", "expression"), [(True, True), (True, False), (False, True)], ids=str
)
def test_the_style_of_shapes_without_landmarks_names_the_file_that_is_missing(
    audio: bool, expression: bool
) -> None:
    with pytest.raises(FaceError, match=r"face_landmarker\.task"):
        draw_style_masks("landmarks", BARE, *SIZE, with_audio=audio, with_expression=expression)


# Several faces -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", regions.STYLES)
@pytest.mark.parametrize("signals", [(True, True), (True, False), (False, True)], ids=str)
def test_each_face_has_its_own_masks(style: str, signals: tuple[bool, bool]) -> None:
    def draw(faces: Face | Sequence[Face]) -> tuple[Tensor, Tensor]:
        return draw_style_masks(
            style, faces, *SIZE, with_audio=signals[0], with_expression=signals[1]
        )

    for i, mask in enumerate(draw(TRACK)):
        assert torch.equal(mask, torch.cat([draw(face)[i] for face in TRACK]))


@pytest.mark.parametrize("style", regions.STYLES)
def test_a_still_face_has_one_mask_repeated(style: str) -> None:
    for clip, single in zip(draw_both(style, [FULL] * 5), draw_both(style, FULL), strict=True):
        assert torch.equal(clip, single.expand(5, -1, -1, -1))


def test_lips_reach_further_on_the_face_of_their_own_frame() -> None:
    near, far = make_face((0, 0, 80, 96)), make_face((30, 30, 50, 55))
    for i in range(2):
        masks = draw_both("landmarks", [near, far])[i]
        assert torch.equal(masks[1:], draw_both("landmarks", far)[i])
