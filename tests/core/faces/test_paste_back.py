"""Frames put back into the image that their portrait was cut from."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from helpers.portraits import (
    SEEDS,
    SQUARE,
    TALL,
    PortraitCase,
    image_size,
    make_frames,
    make_original,
    noise,
    paste,
    portraits,
    quick,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces.portrait import Crop, feather_mask, paste_back

FEATHERS = st.sampled_from([0, 1, 5, 16, 40, 500])


def test_frames_that_are_no_numbers_stay_within_their_mask() -> None:
    crop = Crop((0, 0, 64, 64), (64, 64), (64, 64))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    frames, original = torch.full((1, 3, 64, 64), torch.nan), torch.full((3, 64, 64), 0.5)
    result = paste([frames], original, crop, 0, mask)
    assert torch.equal(result[..., 32:], torch.full((1, 3, 64, 32), 0.5))
    assert not result[..., :32].any()


def crop_area(crop: Crop) -> Tensor:
    left, top, right, bottom = crop.box
    inside = torch.zeros(crop.source_shape, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    return inside


def cut_crop(image: Tensor, crop: Crop) -> Tensor:
    left, top, right, bottom = crop.box
    return image[..., top:bottom, left:right]


@st.composite
def same_scale(draw: st.DrawFn) -> Crop:
    """A crop whose pixels are those of the portrait."""
    height, width = draw(st.sampled_from([(64, 64), (64, 128), (128, 64)]))
    left, top, right, bottom = (draw(st.integers(0, 20)) for _ in range(4))
    box = left, top, left + width, top + height
    return Crop(box, (top + height + bottom, left + width + right), (height, width))


@st.composite
def masks(draw: st.DrawFn, crop: Crop) -> Tensor | None:
    kind = draw(st.sampled_from(["none", "soft", "hard", "portrait"]))
    if kind == "none":
        return None
    shape = crop.shape if kind == "portrait" else crop.source_shape
    mask = noise(draw(SEEDS), 1, 1, *shape)
    return (mask > 0.5).float() if kind == "hard" else mask


@quick
@given(portraits(), FEATHERS, st.data())
def test_outside_the_crop_the_image_stays_bit_by_bit(
    case: PortraitCase, feather: int, data: st.DataObject
) -> None:
    image, _, portrait = case
    crop = portrait.crop
    before = image.clone()
    result = paste([make_frames(crop)], image, crop, feather, data.draw(masks(crop)))
    outside = ~crop_area(crop)
    assert result.shape == (2, 3, *crop.source_shape)
    assert torch.equal(result[..., outside], image[:, outside].expand(2, -1, -1))
    assert ((result >= 0) & (result <= 1)).all()
    assert torch.equal(image, before)


@quick
@given(portraits(), FEATHERS, SEEDS)
def test_where_the_mask_is_0_the_image_stays_bit_by_bit(
    case: PortraitCase, feather: int, seed: int
) -> None:
    image, _, portrait = case
    mask = noise(seed, 1, 1, *image_size(image))
    mask = mask * (mask > 0.5)
    result = paste([make_frames(portrait.crop)], image, portrait.crop, feather, mask)
    is_shut = mask[0, 0] == 0
    assert torch.equal(result[..., is_shut], image[:, is_shut].expand(2, -1, -1))


@quick
@given(portraits(), FEATHERS)
def test_a_mask_over_the_portrait_shuts_and_opens_its_part(
    case: PortraitCase, feather: int
) -> None:
    image, _, portrait = case
    crop = portrait.crop
    assume(crop.shape != crop.source_shape)
    frames = make_frames(crop)
    without_frames = paste([frames], image, crop, feather, torch.zeros(1, 1, *crop.shape))
    with_frames = paste([frames], image, crop, feather, torch.ones(1, 1, *crop.shape))
    assert torch.equal(without_frames, image.expand(2, -1, -1, -1))
    assert torch.allclose(with_frames, paste([frames], image, crop, feather), atol=1e-6)


@quick
@given(portraits())
def test_half_a_mask_over_the_portrait_shuts_that_half(
    case: PortraitCase,
) -> None:
    image, _, portrait = case
    crop = portrait.crop
    assume(crop.shape != crop.source_shape)
    left, _, right, _ = crop.box
    mask = torch.ones(1, 1, *crop.shape)
    mask[..., : portrait.width // 2] = 0
    frames = 1 - crop.cut(image[None]).round().clamp(0, 1)
    result = paste([frames], image, crop, 0, mask)[0]
    whole_crop = paste([frames], image, crop, 0)[0]
    reach = math.ceil((right - left) / portrait.width) + 1
    middle = (left + right) // 2
    before, beyond = slice(0, max(middle - reach, 0)), slice(middle + reach + 1, None)
    assert torch.equal(result[..., before], image[..., before])
    assert torch.allclose(result[..., beyond], whole_crop[..., beyond], atol=1e-6)


@quick
@given(same_scale())
def test_without_feather_and_mask_frames_are_put_in_exactly(crop: Crop) -> None:
    frames = make_frames(crop)
    result = paste([frames], make_original(crop), crop, 0)
    assert torch.equal(cut_crop(result, crop), frames)


@quick
@given(same_scale(), FEATHERS, st.data())
def test_the_unchanged_crop_changes_nothing(crop: Crop, feather: int, data: st.DataObject) -> None:
    original = make_original(crop)
    frames = crop.cut(original[None])
    result = paste([frames], original, crop, feather, data.draw(masks(crop)))
    assert (result[0] - original).abs().max() <= 1e-6


@quick
@given(same_scale(), st.integers(0, 70))
def test_frames_are_whole_beyond_the_feather_and_blend_within_it(crop: Crop, feather: int) -> None:
    frames, original = make_frames(crop, 1), make_original(crop)
    result = cut_crop(paste([frames], original, crop, feather), crop)[0]
    background, weight = cut_crop(original, crop), feather_mask(crop.shape, feather)
    assert torch.allclose(result, background + weight * (frames[0] - background), atol=1e-6)
    inner = (slice(None), *(slice(feather, side - feather) for side in crop.shape))
    if 2 * feather < min(crop.shape):
        assert torch.allclose(result[inner], frames[0][inner], atol=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 256, 256), (64, 32, 192, 160), (100, 90, 132, 122)])
def test_a_smooth_image_survives_the_way_there_and_back(box: tuple[int, int, int, int]) -> None:
    y, x = torch.linspace(0, 1, 256)[:, None], torch.linspace(0, 1, 256)
    image = torch.stack([x.expand(256, -1), y.expand(-1, 256), x * y])
    crop = Crop(box, (256, 256), (128, 128))
    result = paste([crop.cut(image[None]).clamp(0, 1)], image, crop, 0)
    assert (result[0] - image).abs().max() < 0.01


@pytest.mark.parametrize("crop", [TALL, SQUARE])
def test_how_frames_come_in_chunks_makes_no_difference(crop: Crop) -> None:
    frames, original = make_frames(crop, 7), make_original(crop)
    at_once = paste([frames], original, crop)
    for size in (1, 3):
        pieces = list(paste_back(iter(frames.split(size)), original, crop))
        assert [len(piece) for piece in pieces] == [len(piece) for piece in frames.split(size)]
        assert torch.allclose(torch.cat(pieces), at_once, atol=1e-6)


def test_chunks_are_pasted_only_when_asked_for() -> None:
    indices = []

    def chunks() -> Iterator[Tensor]:
        for i in itertools.count():
            indices.append(i)
            yield make_frames(TALL, 2, i)

    result = paste_back(chunks(), make_original(TALL), TALL)
    assert indices == []
    for i in range(3):
        assert next(result).shape == (2, 3, *TALL.source_shape)
        assert indices == list(range(i + 1))


def test_no_chunks_give_none() -> None:
    assert list(paste_back(iter([]), make_original(TALL), TALL)) == []


def test_what_is_yielded_is_not_shared() -> None:
    original = make_original(TALL)
    before = original.clone()
    first, second = paste_back(iter([make_frames(TALL)] * 2), original, TALL)
    expected = second.clone()
    first.zero_()
    assert torch.equal(second, expected)
    assert torch.equal(original, before)


@pytest.mark.parametrize("size", [(64, 64), (64, 128), (200, 120), (128, 72)])
def test_frames_of_another_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="Paste back: the crop was made from"):
        paste([torch.rand(1, 3, *size)], make_original(TALL), TALL)


@pytest.mark.parametrize("size", [(120, 200), (200, 121), (128, 64), (400, 240), (30, 30)])
def test_an_image_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="Paste back: the crop was made from"):
        paste([make_frames(TALL)], torch.rand(3, *size), TALL)


def test_a_later_chunk_of_another_size_is_refused_when_it_comes() -> None:
    result = paste_back(iter([make_frames(TALL), make_frames(SQUARE)]), make_original(TALL), TALL)
    next(result)
    with pytest.raises(InputError, match="Paste back"):
        next(result)


def test_frames_are_pasted_into_grey_bytes_and_transparency() -> None:
    original = make_original(TALL)
    byte_image = (original * 255).round().byte()
    for given_original, expected in (
        (byte_image, byte_image.float() / 255),
        (original[:1], original[:1].expand(3, -1, -1)),
        (torch.cat([original, original[:1]]), original),
    ):
        result = paste([make_frames(TALL, 1)], given_original, TALL)
        outside = ~crop_area(TALL)
        assert torch.equal(result[0][:, outside], expected[:, outside])
