"""Masks at the size of a portrait, and those that blend it into its image."""

import pytest
import torch
import torch.nn.functional as F
from helpers.portraits import (
    SEEDS,
    TALL,
    PortraitCase,
    make_frames,
    make_original,
    noise,
    paste,
    portraits,
    quick,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from actalker_core.errors import InputError
from actalker_core.faces.portrait import Crop, feather_mask, resize_mask

# Masks -------------------------------------------------------------------------------------------


@quick
@given(portraits(), st.sampled_from([0.0, 1.0]), st.booleans())
def test_masks_of_ones_stay_ones_and_of_zeros_zeros(
    case: PortraitCase, value: float, over_image: bool
) -> None:
    crop = case[2].crop
    source = torch.full((2, 1, *(crop.source_shape if over_image else crop.shape)), value)
    mask = resize_mask(source, crop)
    assert mask.shape == (2, 1, *crop.shape)
    assert (mask == value).all()


@quick
@given(portraits(), SEEDS)
def test_masks_over_the_image_are_cut_like_it(case: PortraitCase, seed: int) -> None:
    crop = case[2].crop
    assume(crop.shape != crop.source_shape)
    source = noise(seed, 2, 1, *crop.source_shape)
    mask = resize_mask(source, crop)
    assert (mask - crop.cut(source).clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.allclose(mask * 255, (mask * 255).round(), atol=1e-3)


@quick
@given(portraits(), SEEDS)
def test_masks_over_the_portrait_are_taken_as_they_are(case: PortraitCase, seed: int) -> None:
    crop = case[2].crop
    assume(crop.shape != crop.source_shape)  # else it is drawn over the image
    source = noise(seed, 3, 1, *crop.shape)
    assert torch.equal(resize_mask(source, crop), source)


@quick
@given(portraits(), SEEDS, st.integers(1, 200), st.integers(1, 200))
def test_masks_of_other_sizes_are_scaled_as_those_of_comfyui(
    case: PortraitCase, seed: int, height: int, width: int
) -> None:
    """Over the image, unless they have the portrait's aspect alone."""
    crop = case[2].crop
    assume((height, width) != crop.shape)
    source = noise(seed, 2, 1, height, width)
    aspects = [h / w for h, w in ((height, width), crop.shape, crop.source_shape)]
    is_portrait, is_image = (abs(aspects[0] / aspect - 1) <= 0.01 for aspect in aspects[1:])
    if is_portrait and not is_image:
        expected = F.interpolate(source, crop.shape, mode="bilinear")
    else:
        expected = crop.cut(F.interpolate(source, crop.source_shape, mode="bilinear")).clamp(0, 1)
    assert (resize_mask(source, crop) - expected).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("scale", [0.5, 3])
def test_a_scaled_mask_lies_where_it_was_drawn(scale: float) -> None:
    over_image, over_portrait = torch.zeros(1, 1, 200, 120), torch.zeros(1, 1, 128, 64)
    over_image[..., 20:84, 10:42] = 1  # a quarter of the crop of TALL
    over_portrait[..., :64, :32] = 1
    for source in (over_image, over_portrait):
        larger = F.interpolate(source, scale_factor=scale, mode="nearest")
        difference = (resize_mask(larger, TALL) - over_portrait).abs()
        assert difference.mean() < 0.02


@pytest.mark.parametrize("size", [(64, 64), (128, 65), (1, 1), (400, 240)])
def test_an_empty_mask_of_another_size_is_refused(size: tuple[int, int]) -> None:
    """Load Image gives 64x64 where nothing was drawn."""
    message = rf"over the image of 120x200.*64x128.*got {size[1]}x{size[0]} without any"
    with pytest.raises(InputError, match=message):
        resize_mask(torch.zeros(1, 1, *size), TALL)
    with pytest.raises(InputError, match=message):
        paste([make_frames(TALL)], make_original(TALL), TALL, 4, torch.zeros(1, 1, *size))


@pytest.mark.parametrize("size", [(200, 120), (128, 64)])
def test_an_empty_mask_of_the_right_size_shuts_a_region(size: tuple[int, int]) -> None:
    assert not resize_mask(torch.zeros(1, 1, *size), TALL).any()


def test_a_mask_of_both_sizes_means_one_thing() -> None:
    """The portrait may be as large as the image that it was cut from."""
    crop = Crop((0, 0, 64, 64), (128, 128), (128, 128))
    source = torch.zeros(1, 1, 128, 128)
    source[..., :64, :64] = 1
    over_portrait = resize_mask(source, crop)
    frames, original = torch.ones(1, 3, 128, 128), torch.zeros(3, 128, 128)
    result = paste([frames], original, crop, 0, source)[0, 0, :64, :64]
    assert result.mean().item() == pytest.approx(over_portrait.mean().item(), abs=0.02)


# Feather -----------------------------------------------------------------------------------------


@quick
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
        paste([make_frames(TALL)], make_original(TALL), TALL, feather)
