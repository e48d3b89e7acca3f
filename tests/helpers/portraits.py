"""Portraits at random, and the frames that are pasted back into their images."""

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.faces import Box, Face
from actalker_core.faces.portrait import Crop, Portrait, paste_back, prepare_portrait

quick = settings(max_examples=40, deadline=None)

PortraitCase = tuple[Tensor, Face, Portrait]
"""An image, a face in it, and the portrait cut out of it."""

SIDES = st.integers(16, 150)
SHORT_SIDES = st.sampled_from([64, 128])
EXPANDS = st.none() | st.floats(1, 20)
ASPECTS = st.none() | st.sampled_from([1 / 3, 3.0, 1.0]) | st.floats(1 / 3, 3)
SEEDS = st.integers(0, 10_000)


def box_at(width: int, height: int, x: float, y: float, w: float, h: float) -> Box:
    """A box given as shares of an image, 2 pixels wide and high at least."""
    left, top = x * width, y * height
    return left, top, left + max(w * width, 2), top + max(h * height, 2)


@st.composite
def edges(draw: st.DrawFn) -> tuple[float, float]:
    """Start and length of a side of a box, as shares of an image's that it reaches into."""
    start = draw(st.floats(-0.3, 0.95))
    return start, draw(st.floats(max(-start, 0) + 0.02, 1.2))


@st.composite
def images(draw: st.DrawFn) -> tuple[Tensor, Face]:
    """An image of noise and a face that lies in it or reaches into it."""
    width, height = draw(SIDES), draw(SIDES)
    (x, w), (y, h) = draw(edges()), draw(edges())
    return noise(draw(SEEDS), 3, height, width), Face(box_at(width, height, x, y, w, h), 1.0)


@st.composite
def portraits(draw: st.DrawFn) -> PortraitCase:
    image, face = draw(images())
    options = {"expand": draw(EXPANDS), "aspect": draw(ASPECTS)}
    return image, face, prepare_portrait(image, face, draw(SHORT_SIDES), **options)


def noise(seed: int, *shape: int) -> Tensor:
    # Squared, as differences of plain ones are exact in float32 and would hide rounding.
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).square()


def full_face(height: int, width: int) -> Face:
    """A face as large as its image."""
    return Face((0.0, 0.0, float(width), float(height)), 1.0)


def image_size(image: Tensor) -> tuple[int, int]:
    """Height and width."""
    return int(image.shape[-2]), int(image.shape[-1])


# Pasting back ------------------------------------------------------------------------------------

TALL = Crop((10, 20, 74, 148), (200, 120), (128, 64))
SQUARE = Crop((10, 20, 74, 84), (200, 120), (128, 128))


def make_frames(crop: Crop, count: int = 2, seed: int = 20) -> Tensor:
    return noise(seed, count, 3, *crop.shape)


def make_original(crop: Crop) -> Tensor:
    return noise(21, 3, *crop.source_shape)


def paste(
    chunks: list[Tensor],
    original: Tensor,
    crop: Crop,
    feather: int = 16,
    mask: Tensor | None = None,
) -> Tensor:
    return torch.cat(list(paste_back(iter(chunks), original, crop, feather, mask)))
