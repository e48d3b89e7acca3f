"""Boxes cut out of images for the encoders."""

import torch
import torch.nn.functional as F
from helpers.portraits import noise, quick
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.faces.portrait import crop_and_resize


@quick
@given(
    st.integers(-60, 60),
    st.integers(-60, 60),
    st.integers(1, 70),
    st.integers(1, 70),
    st.booleans(),
)
def test_a_crop_is_the_image_inside_and_black_outside(
    x: int, y: int, width: int, height: int, square: bool
) -> None:
    height = width if square else height
    images = noise(30, 2, 3, 24, 32) + 0.5
    canvas = torch.zeros(2, 3, 200, 200)
    canvas[..., 70:94, 70:102] = images
    expected = canvas[..., 70 + y : 70 + y + height, 70 + x : 70 + x + width]
    result = crop_and_resize(images, (x, y, x + width, y + height), width)
    assert result.shape == (2, 3, width, width)
    if square:
        assert torch.allclose(result, expected, atol=1e-6)
    assert expected.any() or not result.any()


@quick
@given(st.integers(-300, 40), st.integers(-300, 40), st.integers(1, 500), st.integers(1, 500))
def test_a_crop_is_bilinear(x: int, y: int, width: int, height: int) -> None:
    images = noise(32, 1, 3, 24, 32)
    canvas = F.pad(images, (300, 600, 300, 600))
    cut = canvas[..., 300 + y : 300 + y + height, 300 + x : 300 + x + width]
    expected = F.interpolate(cut, (9, 9), mode="bilinear", align_corners=False)
    result = crop_and_resize(images, (x, y, x + width, y + height), 9)
    assert torch.allclose(result, expected, atol=2e-4)  # of positions in float32


def test_a_crop_far_larger_than_the_image_reads_no_more_of_it() -> None:
    images = noise(33, 1, 3, 16, 16)
    assert not crop_and_resize(images, (-90_000, -90_000, 99_999, 99_999), 8).any()


def test_a_crop_of_fractions_has_whole_pixels_and_one_at_least() -> None:
    images = noise(31, 1, 3, 16, 16)
    whole_pixels = crop_and_resize(images, (2, 2, 6, 7), 4)
    assert torch.equal(crop_and_resize(images, (1.6, 2.4, 6.4, 6.6), 4), whole_pixels)
    point = crop_and_resize(images, (5.1, 6.2, 5.3, 6.3), 3)
    assert torch.allclose(point, images[..., 6:7, 5:6].expand(-1, -1, 3, 3))
