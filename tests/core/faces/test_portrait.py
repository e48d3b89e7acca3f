"""Pictures cut and sized for the model, and frames put back where they were cut out."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces import Box, Face
from actalker_core.faces.box import box_centre, enlarge_box
from actalker_core.faces.portrait import (
    Crop,
    Portrait,
    crop_and_resize,
    feather_mask,
    paste_back,
    prepare_portrait,
    resize_mask,
)

quickly = settings(max_examples=40, deadline=None)

Corners = tuple[int, int, int, int]

SIDES = st.integers(16, 150)
SHORT_SIDES = st.sampled_from([64, 128])
EXPANDS = st.none() | st.floats(1, 20)
ASPECTS = st.none() | st.sampled_from([1 / 3, 3.0, 1.0]) | st.floats(1 / 3, 3)
SEEDS = st.integers(0, 10_000)


def box_at(width: int, height: int, x: float, y: float, w: float, h: float) -> Box:
    """A box given as shares of a picture, 2 pixels wide and high at least."""
    left, top = x * width, y * height
    return left, top, left + max(w * width, 2), top + max(h * height, 2)


@st.composite
def edges(draw: st.DrawFn) -> tuple[float, float]:
    """Start and length of a side of a box, as shares of a picture's that it reaches into."""
    start = draw(st.floats(-0.3, 0.95))
    return start, draw(st.floats(max(-start, 0) + 0.02, 1.2))


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Tensor, Face]:
    """A picture of noise and a face that lies in it or reaches into it."""
    width, height = draw(SIDES), draw(SIDES)
    (x, w), (y, h) = draw(edges()), draw(edges())
    return noise(draw(SEEDS), 3, height, width), Face(box_at(width, height, x, y, w, h), 1.0)


@st.composite
def fitted(draw: st.DrawFn) -> tuple[Tensor, Face, Portrait]:
    image, face = draw(pictures())
    options = {"expand": draw(EXPANDS), "aspect": draw(ASPECTS)}
    return image, face, prepare_portrait(image, face, draw(SHORT_SIDES), **options)


def noise(seed: int, *shape: int) -> Tensor:
    # Squared, as differences of plain ones are exact in float32 and would hide rounding.
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).square()


def whole(height: int, width: int) -> Face:
    return Face((0.0, 0.0, float(width), float(height)), 1.0)


def size_of(image: Tensor) -> tuple[int, int]:
    return int(image.shape[-2]), int(image.shape[-1])


def is_within(box: Corners, height: int, width: int) -> bool:
    left, top, right, bottom = box
    return 0 <= left < right <= width and 0 <= top < bottom <= height


# Size --------------------------------------------------------------------------------------------


@quickly
@given(pictures(), SHORT_SIDES, EXPANDS, ASPECTS)
def test_the_portrait_has_the_asked_short_side_and_multiples_of_64(
    picture: tuple[Tensor, Face], short: int, expand: float | None, aspect: float | None
) -> None:
    portrait = prepare_portrait(*picture, short, expand=expand, aspect=aspect)
    sides = sorted([portrait.height, portrait.width])
    assert portrait.image.shape == (3, *portrait.crop.shape)
    assert sides[0] == short
    assert sides[1] % 64 == 0
    assert sides[1] <= 3 * short
    assert portrait.image.dtype == torch.float32
    assert ((portrait.image >= 0) & (portrait.image <= 1)).all()


@quickly
@given(pictures(), SHORT_SIDES, EXPANDS, st.floats(1 / 3, 3))
def test_the_long_side_is_as_near_to_the_aspect_as_multiples_of_64_allow(
    picture: tuple[Tensor, Face], short: int, expand: float | None, aspect: float
) -> None:
    portrait = prepare_portrait(*picture, short, expand=expand, aspect=aspect)
    long = short * max(aspect, 1 / aspect)
    assert long - 64 < max(portrait.height, portrait.width) <= long + 1e-3
    if portrait.height != portrait.width:
        assert (portrait.width > portrait.height) == (aspect > 1)


@quickly
@given(fitted())
def test_the_crop_is_whole_pixels_inside_the_picture(
    found: tuple[Tensor, Face, Portrait],
) -> None:
    image, _, portrait = found
    assert all(type(edge) is int for edge in portrait.crop.box)
    assert portrait.crop.source_shape == size_of(image)
    assert is_within(portrait.crop.box, *size_of(image))
    cut = portrait.crop.cut(image[None])[0].clamp(0, 1)
    assert torch.equal(cut, portrait.image)


@quickly
@given(fitted())
def test_the_crop_has_the_aspect_of_the_portrait_within_rounding(
    found: tuple[Tensor, Face, Portrait],
) -> None:
    portrait = found[2]
    left, top, right, bottom = portrait.crop.box
    across, down = (right - left) / portrait.width, (bottom - top) / portrait.height
    assert abs(across - down) <= 0.5 / portrait.width + 0.5 / portrait.height + 1e-9


@quickly
@given(fitted())
def test_the_face_stays_in_the_middle_as_far_as_the_borders_allow(
    found: tuple[Tensor, Face, Portrait],
) -> None:
    image, face, portrait = found
    height, width = size_of(image)
    left, top, right, bottom = portrait.crop.box
    for middle, low, high, end in zip(
        box_centre(face.box), (left, top), (right, bottom), (width, height), strict=True
    ):
        assert low <= middle <= high or not 0 <= middle <= end
        away = (low + high) / 2 - middle
        assert abs(away) <= 0.5 or (low == 0 and away > 0) or (high == end and away < 0)


@quickly
@given(pictures(), SHORT_SIDES, ASPECTS)
def test_without_expanding_the_crop_holds_as_much_of_the_picture_as_it_can(
    picture: tuple[Tensor, Face], short: int, aspect: float | None
) -> None:
    portrait = prepare_portrait(*picture, short, aspect=aspect)
    left, top, right, bottom = portrait.crop.box
    assert right - left == picture[0].shape[2] or bottom - top == picture[0].shape[1]


@quickly
@given(pictures(), SHORT_SIDES, st.floats(1, 20))
def test_expanding_cuts_the_enlarged_face_out_as_a_square(
    picture: tuple[Tensor, Face], short: int, expand: float
) -> None:
    image, face = picture
    portrait = prepare_portrait(image, face, short, expand=expand)
    x0, y0, x1, y1 = enlarge_box(face.box, expand)
    side = min(max(x1 - x0, y1 - y0), *size_of(image))
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
def test_a_picture_of_the_right_size_is_not_touched(height: int, width: int) -> None:
    image = noise(1, 3, height, width)
    portrait = prepare_portrait(image, whole(height, width), min(height, width))
    assert torch.equal(portrait.image, image)
    assert portrait.face == whole(height, width)
    assert portrait.crop == Crop((0, 0, width, height), (height, width), (height, width))


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(16, 16, (64, 64)), (16, 10_000, (64, 192)), (700, 17, (192, 64)), (96, 111, (64, 64))],
)
def test_extreme_pictures_are_cut(height: int, width: int, shape: tuple[int, int]) -> None:
    face = Face(box_at(width, height, 0.8, 0.8, 0.01, 0.01), 1.0)
    portrait = prepare_portrait(noise(1, 3, height, width), face, 64)
    assert portrait.crop.shape == shape
    left, top, right, bottom = portrait.crop.box
    x, y = box_centre(face.box)
    assert left <= x <= right
    assert top <= y <= bottom


def test_a_huge_picture_is_scaled() -> None:
    image = torch.full((1, 1, 1), 128, dtype=torch.uint8).expand(1, 6000, 6000)
    portrait = prepare_portrait(image, Face((1000, 1000, 4000, 5000), 1.0), 64)
    assert portrait.crop.box == (0, 0, 6000, 6000)
    assert (portrait.image - 128 / 255).abs().max() < 1e-5


# Face --------------------------------------------------------------------------------------------


@quickly
@given(fitted(), st.data())
def test_a_square_drawn_in_the_picture_is_where_the_portrait_has_it(
    found: tuple[Tensor, Face, Portrait], data: st.DataObject
) -> None:
    _, _, portrait = found
    left, top, right, bottom = portrait.crop.box
    assume(min(right - left, bottom - top) >= 8)
    x0, y0 = data.draw(st.integers(left, right - 4)), data.draw(st.integers(top, bottom - 4))
    x1, y1 = data.draw(st.integers(x0 + 4, right)), data.draw(st.integers(y0 + 4, bottom))
    image = torch.zeros(1, 3, *portrait.crop.source_shape)
    image[..., y0:y1, x0:x1] = 1
    cut = portrait.crop.cut(image)[0]
    box = portrait.crop.to_portrait(Face((x0, y0, x1, y1), 1.0)).box
    reach = 2 * max(1, portrait.width / (right - left), portrait.height / (bottom - top)) + 1
    inside = pixels(portrait, grown(box, -reach))
    outside = ~pixels(portrait, grown(box, reach))
    assert ((cut[:, inside] - 1).abs() < 1e-4).all()
    assert (cut[:, outside].abs() < 1e-4).all()
    assert cut.mean() == pytest.approx(area_share(box, portrait), abs=0.05)


def grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def pixels(portrait: Portrait, box: Box) -> Tensor:
    """Which pixels of a portrait have their middle in a box."""
    x, y = torch.arange(portrait.width) + 0.5, torch.arange(portrait.height) + 0.5
    rows, columns = (y > box[1]) & (y < box[3]), (x > box[0]) & (x < box[2])
    return rows[:, None] & columns


def area_share(box: Box, portrait: Portrait) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / (portrait.width * portrait.height)


@quickly
@given(fitted())
def test_box_and_landmarks_move_alike(found: tuple[Tensor, Face, Portrait]) -> None:
    _, face, portrait = found
    x0, y0, x1, y1 = face.box
    points = np.array([[x0, y0, -3], [x1, y1, 5]], np.float32)
    moved = portrait.crop.to_portrait(Face(face.box, 0.7, points))
    assert moved.confidence == 0.7
    assert moved.box == portrait.face.box
    assert moved.landmarks[:, :2].flatten() == pytest.approx(moved.box, rel=1e-3, abs=1e-2)
    left, _, right, _ = portrait.crop.box
    scale = portrait.width / (right - left)
    assert moved.landmarks[:, 2] == pytest.approx(np.array([-3, 5]) * scale, rel=1e-4)
    assert points.tolist() == [
        [np.float32(x0), np.float32(y0), -3],
        [np.float32(x1), np.float32(y1), 5],
    ]


@quickly
@given(fitted())
def test_the_corners_of_the_crop_are_those_of_the_portrait(
    found: tuple[Tensor, Face, Portrait],
) -> None:
    crop = found[2].crop
    box = crop.to_portrait(Face(tuple(map(float, crop.box)), 1.0)).box
    assert box == pytest.approx((0, 0, crop.shape[1], crop.shape[0]))


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -64, 1, 32, 63, 65, 100])
def test_a_size_that_64_does_not_divide_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=rf"multiple of 64.*got {size}\b"):
        prepare_portrait(noise(1, 3, 100, 100), whole(100, 100), size)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 10_000), (10_000, 1), (15, 100), (100, 15)]
)
def test_a_picture_that_shows_no_face_is_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match=rf"at least 16 pixels.*{width}x{height}"):
        prepare_portrait(noise(1, 3, height, width), whole(height, width), 64)


@pytest.mark.parametrize("box", [(64, 0, 80, 64), (0, -20, 64, 0), (8, 8, 8, 40), (0, 0, 1e6, 64)])
def test_a_face_outside_the_picture_is_refused(box: Box) -> None:
    with pytest.raises(InputError, match=r"Face box of the portrait.*inside 64x64"):
        prepare_portrait(noise(1, 3, 64, 64), Face(box, 1.0), 64)


@pytest.mark.parametrize("aspect", [0.0, -1.0, 0.33, 3.01, math.nan, math.inf])
def test_an_aspect_that_cannot_be_is_refused(aspect: float) -> None:
    with pytest.raises(InputError, match="Aspect: expected"):
        prepare_portrait(noise(1, 3, 64, 64), whole(64, 64), 64, aspect=aspect)


@pytest.mark.parametrize("expand", [0.0, -1.0, 0.99, 20.1, math.nan, math.inf])
def test_an_expansion_that_cannot_be_is_refused(expand: float) -> None:
    with pytest.raises(InputError, match="Expand: expected"):
        prepare_portrait(noise(1, 3, 64, 64), whole(64, 64), 64, expand=expand)


@pytest.mark.parametrize(
    "shape",
    [(2, 64, 64), (5, 64, 64), (0, 64, 64), (64, 64), (1, 3, 64, 64), (64, 64, 3), (3, 0, 64)],
    ids=str,
)
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"Image: expected .*channels.*Give one image"):
        prepare_portrait(torch.zeros(shape), whole(64, 64), 64)


# Repairs -----------------------------------------------------------------------------------------


def prepared(image: Tensor) -> Tensor:
    return prepare_portrait(image, Face((20, 10, 60, 70), 1.0), 64, aspect=1).image


IMAGE = noise(7, 3, 90, 100)


def test_grey_becomes_three_equal_channels() -> None:
    assert torch.equal(prepared(IMAGE[:1]), prepared(IMAGE[:1].expand(3, -1, -1)))


def test_transparency_is_dropped() -> None:
    rgba = torch.cat([IMAGE, noise(8, 1, 90, 100)])
    assert torch.equal(prepared(rgba), prepared(IMAGE))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_no_number_is_black(channels: int) -> None:
    image = noise(9, channels, 90, 100)
    holes = noise(10, channels, 90, 100) > 0.9
    with_nan = image.masked_fill(holes, math.nan)
    assert prepared(with_nan).isfinite().all()
    assert torch.equal(prepared(with_nan), prepared(image.masked_fill(holes, 0)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bytes_are_brightness(channels: int) -> None:
    coded = (noise(11, channels, 90, 100) * 255).round().byte()
    assert torch.allclose(prepared(coded), prepared(coded.float() / 255), atol=1e-6)


def test_brightness_outside_0_to_1_is_cut_off() -> None:
    wide = 3 * IMAGE - 1
    assert torch.equal(prepared(wide), prepared(wide.clamp(0, 1)))


def test_the_picture_that_is_given_is_left_as_it_is() -> None:
    image = IMAGE.clone()
    image[0, :5] = math.nan
    image[1, :5] = 7
    before = image.clone()
    prepared(image)
    assert torch.equal(image.nan_to_num(-1), before.nan_to_num(-1))


# Masks -------------------------------------------------------------------------------------------


@quickly
@given(fitted(), st.sampled_from([0.0, 1.0]), st.booleans())
def test_masks_of_ones_stay_ones_and_of_zeros_zeros(
    found: tuple[Tensor, Face, Portrait], value: float, over_picture: bool
) -> None:
    crop = found[2].crop
    drawn = torch.full((2, 1, *(crop.source_shape if over_picture else crop.shape)), value)
    mask = resize_mask(drawn, crop)
    assert mask.shape == (2, 1, *crop.shape)
    assert (mask == value).all()


@quickly
@given(fitted(), SEEDS)
def test_masks_over_the_picture_are_cut_like_it(
    found: tuple[Tensor, Face, Portrait], seed: int
) -> None:
    crop = found[2].crop
    assume(crop.shape != crop.source_shape)
    drawn = noise(seed, 2, 1, *crop.source_shape)
    mask = resize_mask(drawn, crop)
    assert (mask - crop.cut(drawn).clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.allclose(mask * 255, (mask * 255).round(), atol=1e-3)


@quickly
@given(fitted(), SEEDS)
def test_masks_over_the_portrait_are_taken_as_they_are(
    found: tuple[Tensor, Face, Portrait], seed: int
) -> None:
    crop = found[2].crop
    drawn = noise(seed, 3, 1, *crop.shape)
    assert torch.equal(resize_mask(drawn, crop), drawn)


PIECE = Crop((10, 20, 74, 148), (200, 120), (128, 64))
HALVED = Crop((10, 20, 74, 84), (200, 120), (128, 128))


@pytest.mark.parametrize("size", [(64, 128), (120, 200), (128, 65), (1, 1), (400, 240), (256, 128)])
def test_masks_of_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"expected 120x200.*64x128.*got {size[1]}x{size[0]}"):
        resize_mask(torch.ones(1, 1, *size), PIECE)
    with pytest.raises(InputError, match=rf"got {size[1]}x{size[0]}"):
        list(
            paste_back(
                iter([frames_of(PIECE)]), original_of(PIECE), PIECE, 4, torch.ones(1, 1, *size)
            )
        )


def test_a_mask_of_both_sizes_means_one_thing() -> None:
    """The portrait may be as large as the picture that it was cut from."""
    crop = Crop((0, 0, 64, 64), (128, 128), (128, 128))
    drawn = torch.zeros(1, 1, 128, 128)
    drawn[..., :64, :64] = 1
    over_portrait = resize_mask(drawn, crop)
    frames, original = torch.ones(1, 3, 128, 128), torch.zeros(3, 128, 128)
    shown = pasted([frames], original, crop, 0, drawn)[0, 0, :64, :64]
    assert shown.mean().item() == pytest.approx(over_portrait.mean().item(), abs=0.02)


# Feather -----------------------------------------------------------------------------------------


@quickly
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 80))
def test_a_feather_falls_from_the_middle_to_each_border(
    height: int, width: int, feather: int
) -> None:
    weight = feather_mask((height, width), feather)
    assert weight.shape == (height, width)
    assert ((weight >= 0) & (weight <= 1)).all()
    assert torch.equal(weight, weight.flip(0))
    assert torch.equal(weight, weight.flip(1))
    half = weight[: (height + 1) // 2, : (width + 1) // 2]
    assert (half.diff(dim=0) >= 0).all()
    assert (half.diff(dim=1) >= 0).all()
    assert (weight[feather : height - feather, feather : width - feather] == 1).all()
    assert (weight == 1).all() == (feather == 0 or (height == width == 1))


@pytest.mark.parametrize("feather", [4, 16])
def test_a_feather_is_as_wide_as_asked(feather: int) -> None:
    row = feather_mask((200, 200), feather)[100, :100]
    assert int((row < 1).sum()) == feather
    assert row[0] < 0.05
    assert row[feather // 2 - 1] < 0.5 < row[feather // 2]


@pytest.mark.parametrize("feather", [-1, -16])
def test_a_negative_feather_is_refused(feather: int) -> None:
    with pytest.raises(InputError, match=f"Feather: expected.*got {feather}"):
        feather_mask((10, 10), feather)
    with pytest.raises(InputError, match="Feather"):
        pasted([frames_of(PIECE)], original_of(PIECE), PIECE, feather)


# Pasting back ------------------------------------------------------------------------------------

FEATHERS = st.sampled_from([0, 1, 5, 16, 40, 500])


def frames_of(crop: Crop, count: int = 2, seed: int = 20) -> Tensor:
    return noise(seed, count, 3, *crop.shape)


def original_of(crop: Crop) -> Tensor:
    return noise(21, 3, *crop.source_shape)


def pasted(
    chunks: list[Tensor],
    original: Tensor,
    crop: Crop,
    feather: int = 16,
    mask: Tensor | None = None,
) -> Tensor:
    return torch.cat(list(paste_back(iter(chunks), original, crop, feather, mask)))


def test_frames_that_are_no_numbers_stay_within_their_mask() -> None:
    crop = Crop((0, 0, 64, 64), (64, 64), (64, 64))
    shown = torch.zeros(1, 1, 64, 64)
    shown[..., :32] = 1
    frames, original = torch.full((1, 3, 64, 64), torch.nan), torch.full((3, 64, 64), 0.5)
    result = pasted([frames], original, crop, 0, shown)
    assert torch.equal(result[..., 32:], torch.full((1, 3, 64, 32), 0.5))
    assert not result[..., :32].any()


def in_crop(crop: Crop) -> Tensor:
    left, top, right, bottom = crop.box
    inside = torch.zeros(crop.source_shape, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    return inside


def cut_out(picture: Tensor, crop: Crop) -> Tensor:
    left, top, right, bottom = crop.box
    return picture[..., top:bottom, left:right]


@st.composite
def same_scale(draw: st.DrawFn) -> Crop:
    """A crop whose pixels are those of the portrait."""
    height, width = draw(st.sampled_from([(64, 64), (64, 128), (128, 64)]))
    left, top, right, bottom = (draw(st.integers(0, 20)) for _ in range(4))
    box = left, top, left + width, top + height
    return Crop(box, (top + height + bottom, left + width + right), (height, width))


@st.composite
def masks_over(draw: st.DrawFn, crop: Crop) -> Tensor | None:
    kind = draw(st.sampled_from(["none", "soft", "hard", "portrait"]))
    if kind == "none":
        return None
    shape = crop.shape if kind == "portrait" else crop.source_shape
    drawn = noise(draw(SEEDS), 1, 1, *shape)
    return (drawn > 0.5).float() if kind == "hard" else drawn


@quickly
@given(fitted(), FEATHERS, st.data())
def test_outside_the_crop_the_picture_stays_bit_by_bit(
    found: tuple[Tensor, Face, Portrait], feather: int, data: st.DataObject
) -> None:
    image, _, portrait = found
    crop = portrait.crop
    before = image.clone()
    result = pasted([frames_of(crop)], image, crop, feather, data.draw(masks_over(crop)))
    outside = ~in_crop(crop)
    assert result.shape == (2, 3, *crop.source_shape)
    assert torch.equal(result[..., outside], image[:, outside].expand(2, -1, -1))
    assert ((result >= 0) & (result <= 1)).all()
    assert torch.equal(image, before)


@quickly
@given(fitted(), FEATHERS, SEEDS)
def test_where_the_mask_is_0_the_picture_stays_bit_by_bit(
    found: tuple[Tensor, Face, Portrait], feather: int, seed: int
) -> None:
    image, _, portrait = found
    drawn = noise(seed, 1, 1, *size_of(image))
    mask = drawn * (drawn > 0.5)
    result = pasted([frames_of(portrait.crop)], image, portrait.crop, feather, mask)
    shut = mask[0, 0] == 0
    assert torch.equal(result[..., shut], image[:, shut].expand(2, -1, -1))


@quickly
@given(fitted(), FEATHERS)
def test_a_mask_over_the_portrait_shuts_and_opens_its_part(
    found: tuple[Tensor, Face, Portrait], feather: int
) -> None:
    image, _, portrait = found
    crop = portrait.crop
    assume(crop.shape != crop.source_shape)
    frames = frames_of(crop)
    shut = pasted([frames], image, crop, feather, torch.zeros(1, 1, *crop.shape))
    opened = pasted([frames], image, crop, feather, torch.ones(1, 1, *crop.shape))
    assert torch.equal(shut, image.expand(2, -1, -1, -1))
    assert torch.allclose(opened, pasted([frames], image, crop, feather), atol=1e-6)


@quickly
@given(fitted())
def test_half_a_mask_over_the_portrait_shuts_that_half(
    found: tuple[Tensor, Face, Portrait],
) -> None:
    image, _, portrait = found
    crop = portrait.crop
    assume(crop.shape != crop.source_shape)
    left, _, right, _ = crop.box
    mask = torch.ones(1, 1, *crop.shape)
    mask[..., : portrait.width // 2] = 0
    frames = 1 - crop.cut(image[None]).round().clamp(0, 1)
    result = pasted([frames], image, crop, 0, mask)[0]
    whole_crop = pasted([frames], image, crop, 0)[0]
    reach = math.ceil((right - left) / portrait.width) + 1
    middle = (left + right) // 2
    before, beyond = slice(0, max(middle - reach, 0)), slice(middle + reach + 1, None)
    assert torch.equal(result[..., before], image[..., before])
    assert torch.allclose(result[..., beyond], whole_crop[..., beyond], atol=1e-6)


@quickly
@given(same_scale())
def test_without_feather_and_mask_frames_are_put_in_exactly(crop: Crop) -> None:
    frames = frames_of(crop)
    result = pasted([frames], original_of(crop), crop, 0)
    assert torch.equal(cut_out(result, crop), frames)


@quickly
@given(same_scale(), FEATHERS, st.data())
def test_the_unchanged_crop_changes_nothing(crop: Crop, feather: int, data: st.DataObject) -> None:
    original = original_of(crop)
    frames = crop.cut(original[None])
    result = pasted([frames], original, crop, feather, data.draw(masks_over(crop)))
    assert (result[0] - original).abs().max() <= 1e-6


@quickly
@given(same_scale(), st.integers(0, 70))
def test_frames_are_whole_beyond_the_feather_and_blend_within_it(crop: Crop, feather: int) -> None:
    frames, original = frames_of(crop, 1), original_of(crop)
    result = cut_out(pasted([frames], original, crop, feather), crop)[0]
    behind, weight = cut_out(original, crop), feather_mask(crop.shape, feather)
    assert torch.allclose(result, behind + weight * (frames[0] - behind), atol=1e-6)
    inner = (slice(None), *(slice(feather, side - feather) for side in crop.shape))
    if 2 * feather < min(crop.shape):
        assert torch.allclose(result[inner], frames[0][inner], atol=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 256, 256), (64, 32, 192, 160), (100, 90, 132, 122)])
def test_a_smooth_picture_survives_the_way_there_and_back(box: Corners) -> None:
    y, x = torch.linspace(0, 1, 256)[:, None], torch.linspace(0, 1, 256)
    image = torch.stack([x.expand(256, -1), y.expand(-1, 256), x * y])
    crop = Crop(box, (256, 256), (128, 128))
    result = pasted([crop.cut(image[None]).clamp(0, 1)], image, crop, 0)
    assert (result[0] - image).abs().max() < 0.01


@pytest.mark.parametrize("crop", [PIECE, HALVED])
def test_how_frames_come_in_chunks_makes_no_difference(crop: Crop) -> None:
    frames, original = frames_of(crop, 7), original_of(crop)
    at_once = pasted([frames], original, crop)
    for size in (1, 3):
        pieces = list(paste_back(iter(frames.split(size)), original, crop))
        assert [len(piece) for piece in pieces] == [len(piece) for piece in frames.split(size)]
        assert torch.allclose(torch.cat(pieces), at_once, atol=1e-6)


def test_chunks_are_pasted_only_when_asked_for() -> None:
    pulled = []

    def chunks() -> Iterator[Tensor]:
        for i in itertools.count():
            pulled.append(i)
            yield frames_of(PIECE, 2, i)

    result = paste_back(chunks(), original_of(PIECE), PIECE)
    assert pulled == []
    for i in range(3):
        assert next(result).shape == (2, 3, *PIECE.source_shape)
        assert pulled == list(range(i + 1))


def test_no_chunks_give_none() -> None:
    assert list(paste_back(iter([]), original_of(PIECE), PIECE)) == []


def test_what_is_yielded_is_not_shared() -> None:
    original = original_of(PIECE)
    before = original.clone()
    first, second = paste_back(iter([frames_of(PIECE)] * 2), original, PIECE)
    want = second.clone()
    first.zero_()
    assert torch.equal(second, want)
    assert torch.equal(original, before)


@pytest.mark.parametrize("size", [(64, 64), (64, 128), (200, 120), (128, 72)])
def test_frames_of_another_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="Paste back: the crop was made from"):
        pasted([torch.rand(1, 3, *size)], original_of(PIECE), PIECE)


@pytest.mark.parametrize("size", [(120, 200), (200, 121), (128, 64), (400, 240), (30, 30)])
def test_a_picture_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="Paste back: the crop was made from"):
        pasted([frames_of(PIECE)], torch.rand(3, *size), PIECE)


def test_a_later_chunk_of_another_size_is_refused_when_it_comes() -> None:
    result = paste_back(iter([frames_of(PIECE), frames_of(HALVED)]), original_of(PIECE), PIECE)
    next(result)
    with pytest.raises(InputError, match="Paste back"):
        next(result)


def test_frames_are_pasted_into_grey_bytes_and_transparency() -> None:
    original = original_of(PIECE)
    coded = (original * 255).round().byte()
    for given_original, want in (
        (coded, coded.float() / 255),
        (original[:1], original[:1].expand(3, -1, -1)),
        (torch.cat([original, original[:1]]), original),
    ):
        result = pasted([frames_of(PIECE, 1)], given_original, PIECE)
        outside = ~in_crop(PIECE)
        assert torch.equal(result[0][:, outside], want[:, outside])


# Crops for the encoders --------------------------------------------------------------------------


@quickly
@given(
    st.integers(-60, 60),
    st.integers(-60, 60),
    st.integers(1, 70),
    st.integers(1, 70),
    st.booleans(),
)
def test_a_crop_is_the_picture_inside_and_black_outside(
    x: int, y: int, width: int, height: int, square: bool
) -> None:
    height = width if square else height
    images = noise(30, 2, 3, 24, 32) + 0.5
    wide = torch.zeros(2, 3, 200, 200)
    wide[..., 70:94, 70:102] = images
    want = wide[..., 70 + y : 70 + y + height, 70 + x : 70 + x + width]
    got = crop_and_resize(images, (x, y, x + width, y + height), width)
    assert got.shape == (2, 3, width, width)
    if square:
        assert torch.allclose(got, want, atol=1e-6)
    assert want.any() or not got.any()


@quickly
@given(st.integers(-300, 40), st.integers(-300, 40), st.integers(1, 500), st.integers(1, 500))
def test_a_crop_is_bilinear(x: int, y: int, width: int, height: int) -> None:
    images = noise(32, 1, 3, 24, 32)
    padded = F.pad(images, (300, 600, 300, 600))
    cut = padded[..., 300 + y : 300 + y + height, 300 + x : 300 + x + width]
    want = F.interpolate(cut, (9, 9), mode="bilinear", align_corners=False)
    got = crop_and_resize(images, (x, y, x + width, y + height), 9)
    assert torch.allclose(got, want, atol=2e-4)  # of positions in float32


def test_a_crop_far_larger_than_the_picture_reads_no_more_of_it() -> None:
    images = noise(33, 1, 3, 16, 16)
    assert not crop_and_resize(images, (-90_000, -90_000, 99_999, 99_999), 8).any()


def test_a_crop_of_fractions_has_whole_pixels_and_one_at_least() -> None:
    images = noise(31, 1, 3, 16, 16)
    whole_pixels = crop_and_resize(images, (2, 2, 6, 7), 4)
    assert torch.equal(crop_and_resize(images, (1.6, 2.4, 6.4, 6.6), 4), whole_pixels)
    point = crop_and_resize(images, (5.1, 6.2, 5.3, 6.3), 3)
    assert torch.allclose(point, images[..., 6:7, 5:6].expand(-1, -1, 3, 3))
