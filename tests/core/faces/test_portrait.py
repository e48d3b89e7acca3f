"""Images cut and sized for the model, with the face in them."""

import math

import numpy as np
import pytest
import torch
from helpers.portraits import (
    ASPECTS,
    EXPANDS,
    SHORT_SIDES,
    PortraitCase,
    box_at,
    full_face,
    image_size,
    images,
    noise,
    portraits,
    quick,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces import Box, Face
from actalker_core.faces.box import box_centre, enlarge_box
from actalker_core.faces.portrait import Crop, Portrait, prepare_portrait


def is_within(box: tuple[int, int, int, int], height: int, width: int) -> bool:
    left, top, right, bottom = box
    return 0 <= left < right <= width and 0 <= top < bottom <= height


# Size --------------------------------------------------------------------------------------------


@quick
@given(images(), SHORT_SIDES, EXPANDS, ASPECTS)
def test_the_portrait_has_the_asked_short_side_and_multiples_of_64(
    case: tuple[Tensor, Face], short: int, expand: float | None, aspect: float | None
) -> None:
    portrait = prepare_portrait(*case, short, expand=expand, aspect=aspect)
    sides = sorted([portrait.height, portrait.width])
    assert portrait.image.shape == (3, *portrait.crop.shape)
    assert sides[0] == short
    assert sides[1] % 64 == 0
    assert sides[1] <= 3 * short
    assert portrait.image.dtype == torch.float32
    assert ((portrait.image >= 0) & (portrait.image <= 1)).all()


@quick
@given(images(), SHORT_SIDES, EXPANDS, st.floats(1 / 3, 3))
def test_the_long_side_is_as_near_to_the_aspect_as_multiples_of_64_allow(
    case: tuple[Tensor, Face], short: int, expand: float | None, aspect: float
) -> None:
    portrait = prepare_portrait(*case, short, expand=expand, aspect=aspect)
    long = short * max(aspect, 1 / aspect)
    assert long - 64 < max(portrait.height, portrait.width) <= long + 1e-3
    if portrait.height != portrait.width:
        assert (portrait.width > portrait.height) == (aspect > 1)


@quick
@given(portraits())
def test_the_crop_is_whole_pixels_inside_the_image(
    case: PortraitCase,
) -> None:
    image, _, portrait = case
    assert all(type(edge) is int for edge in portrait.crop.box)
    assert portrait.crop.source_shape == image_size(image)
    assert is_within(portrait.crop.box, *image_size(image))
    cut = portrait.crop.cut(image[None])[0].clamp(0, 1)
    assert torch.equal(cut, portrait.image)


@quick
@given(portraits())
def test_the_crop_has_the_aspect_of_the_portrait_within_rounding(
    case: PortraitCase,
) -> None:
    portrait = case[2]
    left, top, right, bottom = portrait.crop.box
    across, down = (right - left) / portrait.width, (bottom - top) / portrait.height
    assert abs(across - down) <= 0.5 / portrait.width + 0.5 / portrait.height + 1e-9


@quick
@given(portraits())
def test_the_face_stays_in_the_middle_as_far_as_the_borders_allow(
    case: PortraitCase,
) -> None:
    image, face, portrait = case
    height, width = image_size(image)
    left, top, right, bottom = portrait.crop.box
    for middle, low, high, end in zip(
        box_centre(face.box), (left, top), (right, bottom), (width, height), strict=True
    ):
        assert low <= middle <= high or not 0 <= middle <= end
        offset = (low + high) / 2 - middle
        assert abs(offset) <= 0.5 or (low == 0 and offset > 0) or (high == end and offset < 0)


@quick
@given(images(), SHORT_SIDES, ASPECTS)
def test_without_expanding_the_crop_holds_as_much_of_the_image_as_it_can(
    case: tuple[Tensor, Face], short: int, aspect: float | None
) -> None:
    portrait = prepare_portrait(*case, short, aspect=aspect)
    left, top, right, bottom = portrait.crop.box
    assert right - left == case[0].shape[2] or bottom - top == case[0].shape[1]


@quick
@given(images(), SHORT_SIDES, st.floats(1, 20))
def test_expanding_cuts_the_enlarged_face_out_as_a_square(
    case: tuple[Tensor, Face], short: int, expand: float
) -> None:
    image, face = case
    portrait = prepare_portrait(image, face, short, expand=expand)
    x0, y0, x1, y1 = enlarge_box(face.box, expand)
    side = min(max(x1 - x0, y1 - y0), *image_size(image))
    left, top, right, bottom = portrait.crop.box
    assert right - left == bottom - top == pytest.approx(side, abs=0.5 + 1e-6)
    assert portrait.crop.shape == (short, short)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.0, 3.0])
def test_an_expanded_face_is_held_at_an_aspect_that_64_divides(aspect: float) -> None:
    image, face = noise(1, 3, 300, 300), Face((130, 140, 160, 170), 1.0)
    left, top, right, bottom = prepare_portrait(image, face, 64, expand=1.5, aspect=aspect).crop.box
    x0, y0, x1, y1 = enlarge_box(face.box, 1.5)
    slack = 0.5 + 1e-6
    assert left - slack <= x0
    assert top - slack <= y0
    assert right + slack >= x1
    assert bottom + slack >= y1
    assert min(right - left, bottom - top) == pytest.approx(45, abs=0.5)


@pytest.mark.parametrize(("height", "width"), [(128, 192), (64, 64), (192, 64)])
def test_an_image_of_the_right_size_is_not_touched(height: int, width: int) -> None:
    image = noise(1, 3, height, width)
    portrait = prepare_portrait(image, full_face(height, width), min(height, width))
    assert torch.equal(portrait.image, image)
    assert portrait.face == full_face(height, width)
    assert portrait.crop == Crop((0, 0, width, height), (height, width), (height, width))


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(16, 16, (64, 64)), (16, 10_000, (64, 192)), (700, 17, (192, 64)), (96, 111, (64, 64))],
)
def test_extreme_images_are_cut(height: int, width: int, shape: tuple[int, int]) -> None:
    face = Face(box_at(width, height, 0.8, 0.8, 0.01, 0.01), 1.0)
    portrait = prepare_portrait(noise(1, 3, height, width), face, 64)
    assert portrait.crop.shape == shape
    left, top, right, bottom = portrait.crop.box
    x, y = box_centre(face.box)
    assert left <= x <= right
    assert top <= y <= bottom


def test_a_huge_image_is_scaled() -> None:
    image = torch.full((1, 1, 1), 128, dtype=torch.uint8).expand(1, 6000, 6000)
    portrait = prepare_portrait(image, Face((1000, 1000, 4000, 5000), 1.0), 64)
    assert portrait.crop.box == (0, 0, 6000, 6000)
    assert (portrait.image - 128 / 255).abs().max() < 1e-5


# Face --------------------------------------------------------------------------------------------


@quick
@given(portraits(), st.data())
def test_a_square_drawn_in_the_image_is_where_the_portrait_has_it(
    case: PortraitCase, data: st.DataObject
) -> None:
    _, _, portrait = case
    left, top, right, bottom = portrait.crop.box
    assume(min(right - left, bottom - top) >= 8)
    x0, y0 = data.draw(st.integers(left, right - 4)), data.draw(st.integers(top, bottom - 4))
    x1, y1 = data.draw(st.integers(x0 + 4, right)), data.draw(st.integers(y0 + 4, bottom))
    image = torch.zeros(1, 3, *portrait.crop.source_shape)
    image[..., y0:y1, x0:x1] = 1
    cut = portrait.crop.cut(image)[0]
    box = portrait.crop.to_portrait(Face((x0, y0, x1, y1), 1.0)).box
    reach = 2 * max(1, portrait.width / (right - left), portrait.height / (bottom - top)) + 1
    inside = pixels(portrait, widen(box, -reach))
    outside = ~pixels(portrait, widen(box, reach))
    assert ((cut[:, inside] - 1).abs() < 1e-4).all()
    assert (cut[:, outside].abs() < 1e-4).all()
    assert cut.mean() == pytest.approx(area_share(box, portrait), abs=0.05)


def widen(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def pixels(portrait: Portrait, box: Box) -> Tensor:
    """Which pixels of a portrait have their middle in a box."""
    x, y = torch.arange(portrait.width) + 0.5, torch.arange(portrait.height) + 0.5
    rows, columns = (y > box[1]) & (y < box[3]), (x > box[0]) & (x < box[2])
    return rows[:, None] & columns


def area_share(box: Box, portrait: Portrait) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / (portrait.width * portrait.height)


@quick
@given(portraits())
def test_box_and_landmarks_move_alike(case: PortraitCase) -> None:
    _, face, portrait = case
    x0, y0, x1, y1 = face.box
    points = np.array([[x0, y0, -3], [x1, y1, 5]], np.float32)
    result = portrait.crop.to_portrait(Face(face.box, 0.7, points))
    assert result.confidence == 0.7
    assert result.box == portrait.face.box
    assert result.landmarks[:, :2].flatten() == pytest.approx(result.box, rel=1e-3, abs=1e-2)
    left, _, right, _ = portrait.crop.box
    scale = portrait.width / (right - left)
    assert result.landmarks[:, 2] == pytest.approx(np.array([-3, 5]) * scale, rel=1e-4)
    assert points.tolist() == [
        [np.float32(x0), np.float32(y0), -3],
        [np.float32(x1), np.float32(y1), 5],
    ]


@quick
@given(portraits())
def test_the_corners_of_the_crop_are_those_of_the_portrait(
    case: PortraitCase,
) -> None:
    crop = case[2].crop
    box = crop.to_portrait(Face(tuple(map(float, crop.box)), 1.0)).box
    assert box == pytest.approx((0, 0, crop.shape[1], crop.shape[0]))


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -64, 1, 32, 63, 65, 100])
def test_a_size_that_64_does_not_divide_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=rf"multiple of 64.*got {size}\b"):
        prepare_portrait(noise(1, 3, 100, 100), full_face(100, 100), size)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 10_000), (10_000, 1), (15, 100), (100, 15)]
)
def test_an_image_that_shows_no_face_is_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match=rf"at least 16 pixels.*{width}x{height}"):
        prepare_portrait(noise(1, 3, height, width), full_face(height, width), 64)


@pytest.mark.parametrize("box", [(64, 0, 80, 64), (0, -20, 64, 0), (8, 8, 8, 40), (0, 0, 1e6, 64)])
def test_a_face_outside_the_image_is_refused(box: Box) -> None:
    with pytest.raises(InputError, match=r"Face box of the portrait.*inside 64x64"):
        prepare_portrait(noise(1, 3, 64, 64), Face(box, 1.0), 64)


@pytest.mark.parametrize("aspect", [0.0, -1.0, 0.33, 3.01, math.nan, math.inf])
def test_an_aspect_that_cannot_be_is_refused(aspect: float) -> None:
    with pytest.raises(InputError, match="Aspect: expected"):
        prepare_portrait(noise(1, 3, 64, 64), full_face(64, 64), 64, aspect=aspect)


@pytest.mark.parametrize("expand", [0.0, -1.0, 0.99, 20.1, math.nan, math.inf])
def test_an_expansion_that_cannot_be_is_refused(expand: float) -> None:
    with pytest.raises(InputError, match="Expand: expected"):
        prepare_portrait(noise(1, 3, 64, 64), full_face(64, 64), 64, expand=expand)


@pytest.mark.parametrize(
    "shape",
    [(2, 64, 64), (5, 64, 64), (0, 64, 64), (64, 64), (1, 3, 64, 64), (64, 64, 3), (3, 0, 64)],
    ids=str,
)
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"Image: expected .*channels.*Give one image"):
        prepare_portrait(torch.zeros(shape), full_face(64, 64), 64)


# Repairs -----------------------------------------------------------------------------------------


def prepare(image: Tensor) -> Tensor:
    return prepare_portrait(image, Face((20, 10, 60, 70), 1.0), 64, aspect=1).image


IMAGE = noise(7, 3, 90, 100)


def test_grey_becomes_three_equal_channels() -> None:
    assert torch.equal(prepare(IMAGE[:1]), prepare(IMAGE[:1].expand(3, -1, -1)))


def test_transparency_is_dropped() -> None:
    rgba = torch.cat([IMAGE, noise(8, 1, 90, 100)])
    assert torch.equal(prepare(rgba), prepare(IMAGE))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_no_number_is_black(channels: int) -> None:
    image = noise(9, channels, 90, 100)
    holes = noise(10, channels, 90, 100) > 0.9
    with_nan = image.masked_fill(holes, math.nan)
    assert prepare(with_nan).isfinite().all()
    assert torch.equal(prepare(with_nan), prepare(image.masked_fill(holes, 0)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bytes_are_brightness(channels: int) -> None:
    byte_image = (noise(11, channels, 90, 100) * 255).round().byte()
    assert torch.allclose(prepare(byte_image), prepare(byte_image.float() / 255), atol=1e-6)


def test_brightness_outside_0_to_1_is_cut_off() -> None:
    wide = 3 * IMAGE - 1
    assert torch.equal(prepare(wide), prepare(wide.clamp(0, 1)))


def test_the_given_image_is_left_as_it_is() -> None:
    image = IMAGE.clone()
    image[0, :5] = math.nan
    image[1, :5] = 7
    before = image.clone()
    prepare(image)
    assert torch.equal(image.nan_to_num(-1), before.nan_to_num(-1))
