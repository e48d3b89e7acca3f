"""Pictures cut and sized for the model."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces import Box

SIDE_MULTIPLE_PX = 64
"""The UNet halves the latent three times, and the latent is an eighth of the picture."""


@dataclass(frozen=True)
class Portrait:
    """A picture that the model can animate.

    Attributes:
        image: (3, H, W) in 0…1; both sides multiples of 64.
        face: box of the face in it.
        source_shape: height and width of the picture that it was made from.
    """

    image: Tensor
    face: Box
    source_shape: tuple[int, int]

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.image.shape[1])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.image.shape[2])


def fit(image: Tensor, face: Box, short_side_px: int) -> Portrait:
    """Scale a picture to a short side and cut the long one, centred, to a multiple of 64.

    Args:
        image: (3, H, W) in 0…1.
        face: box of the face in it; it moves along.
        short_side_px: a multiple of 64.
    """
    if short_side_px < SIDE_MULTIPLE_PX or short_side_px % SIDE_MULTIPLE_PX:
        raise InputError(
            f"Size: expected a multiple of {SIDE_MULTIPLE_PX} pixels, got {short_side_px}."
        )
    height, width = image.shape[1:]
    wanted = short_side_px / min(height, width)
    target_h, target_w = _multiple(height * wanted), _multiple(width * wanted)
    scale = max(target_h / height, target_w / width)
    scaled_h = max(round(height * scale), target_h)
    scaled_w = max(round(width * scale), target_w)
    top, left = (scaled_h - target_h) // 2, (scaled_w - target_w) // 2
    sized = F.interpolate(
        image[None], (scaled_h, scaled_w), mode="bicubic", antialias=True, align_corners=False
    )
    cut = sized[0, :, top : top + target_h, left : left + target_w].clamp(0, 1)
    x0, y0, x1, y1 = (edge * scale for edge in face)
    return Portrait(cut, (x0 - left, y0 - top, x1 - left, y1 - top), (height, width))


def fit_mask(mask: Tensor, portrait: Portrait) -> Tensor:
    """Size a mask drawn over the original picture as the picture was sized.

    Args:
        mask: (1, 1, H, W) in 0…1, of the original picture's shape.

    Returns:
        (1, 1, H', W') of the portrait's size, in steps of 1/255 so that ones stay ones.

    Raises:
        InputError: the mask has another shape than the picture.
    """
    height, width = portrait.source_shape
    if mask.shape[2:] != (height, width):
        raise InputError(
            f"A mask must have the size of the portrait: expected {width}x{height}, got "
            f"{mask.shape[3]}x{mask.shape[2]}. Draw it over the portrait itself."
        )
    sized = fit(mask[0], (0, 0, 1, 1), min(portrait.height, portrait.width)).image[None]
    return (sized * 255).round() / 255


def _multiple(side: float) -> int:
    """The largest multiple of 64 that fits, and at least one."""
    return max(math.floor(side / SIDE_MULTIPLE_PX + 1e-6), 1) * SIDE_MULTIPLE_PX


def crop_resized(images: Tensor, box: Box, side_px: int) -> Tensor:
    """Cut a box out of pictures, black where it leaves them, bilinear to a square.

    Args:
        images: (n, 3, H, W). box: in their pixels; rounded to whole ones.

    Returns:
        (n, 3, side_px, side_px).
    """
    height, width = images.shape[2:]
    x0, y0, x1, y1 = (round(edge) for edge in box)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    padded = F.pad(images, (max(-x0, 0), max(x1 - width, 0), max(-y0, 0), max(y1 - height, 0)))
    left, top = max(x0, 0), max(y0, 0)
    cut = padded[:, :, top : top + y1 - y0, left : left + x1 - x0]
    return F.interpolate(cut, (side_px, side_px), mode="bilinear", align_corners=False)
