"""Images cut and sized for the model, and frames put back where they were cut out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, quote
from ..limits import ASPECT, EXPAND, FEATHER_PX, LONGEST_TO_SHORTEST, SHORT_SIDE_PX
from .box import Box, box_centre, check_box, enlarge_box
from .face import Face
from .track import Track

SIDE_MULTIPLE_PX = 64
"""The UNet halves the latent three times, and the latent is an eighth of the image."""
MIN_SIDE_PX = 16
"""Smaller images show no face."""
DEFAULT_FEATHER_PX = 16
ASPECT_TOLERANCE = 0.01
"""By so much may the ratios of sides differ that are meant to be one."""


@dataclass(frozen=True)
class Crop:
    """Where a portrait was cut out of its image, so that frames can be pasted back.

    Attributes:
        box: in whole pixels of the image; inside it.
        source_shape: height and width of the image.
        shape: height and width of the portrait.
    """

    box: tuple[int, int, int, int]
    source_shape: tuple[int, int]
    shape: tuple[int, int]

    def to_portrait(self, face: Face) -> Face:
        """A face of the image in the portrait's pixels.

        Depth has no edge to count from: it is scaled as x is, and not moved.
        """
        (left, top, right, bottom), (height, width) = self.box, self.shape
        sx, sy = width / (right - left), height / (bottom - top)
        x0, y0, x1, y1 = face.box
        box = (x0 - left) * sx, (y0 - top) * sy, (x1 - left) * sx, (y1 - top) * sy
        if face.landmarks is None:
            return replace(face, box=box)
        shift, scale = np.array([(left, top, 0), (sx, sy, sx)], np.float32)
        return replace(face, box=box, landmarks=(face.landmarks - shift) * scale)

    def place(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2), shares of the image's width and height, in the portrait's pixels."""
        (left, top, right, bottom), (height, width) = self.box, self.shape
        source = np.array(self.source_shape[::-1])
        scale = np.array([width / (right - left), height / (bottom - top)])
        return np.asarray((shares * source - (left, top)) * scale, np.float64)

    def unplace(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The shares (n, 2) of the image that `place` puts at points (n, 2) of the portrait."""
        (left, top, right, bottom), (height, width) = self.box, self.shape
        source = np.array(self.source_shape[::-1])
        scale = np.array([(right - left) / width, (bottom - top) / height])
        return np.asarray((points * scale + (left, top)) / source, np.float64)

    def cut(self, images: Tensor) -> Tensor:
        """The portrait's part of (b, c, H, W) of the image's size, at the portrait's size."""
        left, top, right, bottom = self.box
        return _resize(images[..., top:bottom, left:right], self.shape)


@dataclass(frozen=True)
class Portrait:
    """An image that the model can animate.

    Attributes:
        image: (3, H, W) in 0…1; both sides multiples of 64.
        face: the face in it.
        crop: where it was cut out.
    """

    image: Tensor
    face: Face
    crop: Crop

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.image.shape[1])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.image.shape[2])


def prepare_portrait(
    image: Tensor,
    face: Face,
    short_side_px: int,
    *,
    expand: float | None = None,
    aspect: float | None = None,
) -> Portrait:
    """Cut an image and scale it to a short side; both sides become multiples of 64.

    Args:
        image: (3, H, W) in 0…1; (1, H, W) is taken as grey, a fourth channel is dropped.
        face: the face in it; it moves along.
        short_side_px, expand, aspect: see `plan_crop`.

    Raises:
        InputError: values that cannot be met, or a face outside the image.
    """
    image = to_rgb(image)
    size = int(image.shape[1]), int(image.shape[2])
    crop = plan_crop(face, size, short_side_px, expand=expand, aspect=aspect)
    return Portrait(crop.cut(image[None])[0].clamp(0, 1), crop.to_portrait(face), crop)


def plan_crop(
    face: Face,
    size: tuple[int, int],
    short_side_px: int,
    *,
    expand: float | None = None,
    aspect: float | None = None,
) -> Crop:
    """Where a portrait is cut out of an image, and its size; both sides are multiples of 64.

    Args:
        face: in the image. size: height and width of the image.
        short_side_px: a multiple of 64.
        expand: cut the face box enlarged so many times; None keeps the whole image.
        aspect: width to height; None takes that of the image, or 1 where the face is cut out.
            The part that has it and holds most of the image is used, as near to the face as
            the image's borders allow.

    Raises:
        InputError: values that cannot be met, or a face outside the image.
    """
    _check_options(short_side_px, expand, aspect)
    height, width = size
    check_box(face.box, width, height, "portrait")
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"Portrait: expected at least {MIN_SIDE_PX} pixels on each side, got "
            f"{width}x{height}. Choose a larger image."
        )
    max_size = float(width), float(height)
    if expand is not None:
        x0, y0, x1, y1 = enlarge_box(face.box, expand)
        ratio = aspect or 1.0
        # The smallest size of this aspect that holds the enlarged box.
        max_size = max(x1 - x0, (y1 - y0) * ratio), max(y1 - y0, (x1 - x0) / ratio)
    shape = _portrait_shape(aspect or max_size[0] / max_size[1], short_side_px)
    return Crop(_crop_box(face, max_size, shape, size), size, shape)


def to_rgb(image: Tensor) -> Tensor:
    """An image (c, H, W) of 1, 3 or 4 channels as (3, H, W) in 0…1; what is no number is black.

    Raises:
        InputError: another shape.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4) or not image.numel():
        raise InputError(
            "Image: expected (3, height, width), or 1 or 4 channels, got "
            f"{tuple(image.shape)}. Give one image, channels first."
        )
    if not image.is_floating_point():
        image = image.float() / 255
    return image[:3].expand(3, -1, -1).nan_to_num(0.0).clamp(0, 1)


def check_short_side(pixels: int) -> None:
    """Refuse a short side that no portrait can have.

    Raises:
        InputError: no multiple of 64, or outside its limits.
    """
    if not SHORT_SIDE_PX.contains(pixels) or pixels % SIDE_MULTIPLE_PX:
        raise InputError(
            f"Size: expected a multiple of {SIDE_MULTIPLE_PX} pixels from "
            f"{SHORT_SIDE_PX.minimum} to {SHORT_SIDE_PX.maximum}, got {quote(pixels)}. "
            "Choose one."
        )


def _check_options(short_side_px: int, expand: float | None, aspect: float | None) -> None:
    check_short_side(short_side_px)
    if expand is not None:
        EXPAND.check(expand)
    if aspect is not None:
        ASPECT.check(aspect)


def _portrait_shape(aspect: float, short_px: int) -> tuple[int, int]:
    """Height and width of the portrait: the long side is cut to a multiple of 64."""
    long_px = short_px * min(max(aspect, 1 / aspect), LONGEST_TO_SHORTEST)
    # 1e-6 more, so that rounding does not cost 64 pixels where the aspect is met exactly.
    long_px = max(math.floor(long_px / SIDE_MULTIPLE_PX + 1e-6) * SIDE_MULTIPLE_PX, short_px)
    return (short_px, int(long_px)) if aspect >= 1 else (int(long_px), short_px)


def _crop_box(
    face: Face, max_size: tuple[float, float], shape: tuple[int, int], source: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The largest box of the portrait's aspect within a width and height and within the image."""
    (height, width), (source_h, source_w) = shape, source
    scale = min(max_size[0] / width, max_size[1] / height, source_w / width, source_h / height)
    crop_h, crop_w = max(round(height * scale), 1), max(round(width * scale), 1)
    x, y = box_centre(face.box)
    left = min(max(round(x - crop_w / 2), 0), source_w - crop_w)
    top = min(max(round(y - crop_h / 2), 0), source_h - crop_h)
    return left, top, left + crop_w, top + crop_h


def _resize(images: Tensor, shape: tuple[int, int]) -> Tensor:
    """(b, c, H, W) -> (b, c, *shape), bicubic and free of aliases."""
    if tuple(images.shape[2:]) == shape:
        return images
    return F.interpolate(images, shape, mode="bicubic", antialias=True, align_corners=False)


def faces_in_portrait(track: Track, portrait: Portrait) -> Sequence[Face]:
    """The faces of a clip in the portrait's pixels.

    Raises:
        InputError: the clip has neither the size of the image nor that of the portrait.
    """
    crop = portrait.crop
    if track.size == crop.shape:
        return track.faces
    if track.size == crop.source_shape:
        return [crop.to_portrait(face) for face in track.faces]
    raise InputError(
        f"The clip whose face the regions follow has frames of {track.size} (height, width); "
        f"expected {crop.shape} as the result or {crop.source_shape} as the portrait. Give a clip "
        "of one of these sizes."
    )


def resize_mask(mask: Tensor, crop: Crop) -> Tensor:
    """Masks drawn over the image or over the portrait, at the portrait's size.

    Args:
        mask: (f, 1, H, W) in 0…1. Of another size than both, it is scaled bilinearly, as ComfyUI's
            own nodes do: over the portrait where it has its aspect and not the image's, else over
            the image.

    Returns:
        (f, 1, H', W') in steps of 1/255, so that ones stay ones.

    Raises:
        InputError: a mask of another size without any white, which is what loaders give where
            nothing was drawn.
    """
    shape = (int(mask.shape[2]), int(mask.shape[3]))
    if shape == crop.shape != crop.source_shape:
        return mask
    if shape != crop.source_shape and not bool(mask.any()):
        (height, width), (portrait_h, portrait_w) = crop.source_shape, crop.shape
        raise InputError(
            f"Mask: expected white somewhere over the image of {width}x{height} (or over the "
            f"portrait of {portrait_w}x{portrait_h}), got {shape[1]}x{shape[0]} without any. Draw "
            "where it acts, or disconnect it."
        )
    if _has_aspect(shape, crop.shape) and not _has_aspect(shape, crop.source_shape):
        return _round_mask(_scale_mask(mask.float(), crop.shape))
    frames = [crop.cut(_scale_mask(frame, crop.source_shape)) for frame in mask.float().split(1)]
    return _round_mask(torch.cat(frames))


def _has_aspect(shape: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether two heights and widths have one ratio, as nearly as whole pixels allow."""
    return abs(shape[0] * target[1] / (shape[1] * target[0]) - 1) <= ASPECT_TOLERANCE


def _scale_mask(mask: Tensor, shape: tuple[int, int]) -> Tensor:
    if tuple(mask.shape[2:]) == shape:
        return mask
    return F.interpolate(mask, shape, mode="bilinear", align_corners=False)


def _round_mask(mask: Tensor) -> Tensor:
    return (mask.clamp(0, 1) * 255).round() / 255


def feather_mask(shape: tuple[int, int], feather_px: int) -> Tensor:
    """A mask (H, W) that is 1 inside and falls to 0 towards the borders.

    Args:
        feather_px: width of the fall; 0 is ones everywhere.

    Raises:
        InputError: a width outside `limits.FEATHER_PX`.
    """
    FEATHER_PX.check(feather_px)
    height, width = (_ramp(length, feather_px) for length in shape)
    return height[:, None] * width[None]


def _ramp(length: int, feather_px: int) -> Tensor:
    """(length,) weights along one axis."""
    if not feather_px:
        return torch.ones(length)
    # From the middle of a pixel to the nearer border. The fall ends in the middle at the latest.
    border_px = torch.arange(length).minimum(torch.arange(length - 1, -1, -1)) + 0.5
    x = (border_px / min(feather_px, length / 2)).clamp(0, 1)
    # Smoothstep is flat at both ends, so that neither the border nor the inside shows an edge.
    return x * x * (3 - 2 * x)


def paste_back(
    chunks: Iterator[Tensor],
    original: Tensor,
    crop: Crop,
    feather_px: int = DEFAULT_FEATHER_PX,
    mask: Tensor | None = None,
) -> Iterator[Tensor]:
    """Put frames back into the image that their portrait was cut from.

    Args:
        chunks: (f, 3, h, w) in 0…1, of the portrait's size; what is no number is black.
        original: (3, H, W) in 0…1. Outside the crop, and where the mask is 0, it stays as it is.
        feather_px: how softly the crop's border blends in, in pixels of the image.
        mask: (1, 1, H, W) or (1, 1, h, w), where frames may show; None for all of the crop.

    Yields:
        (f, 3, H, W) in 0…1.

    Raises:
        InputError: sizes that do not belong together.
    """
    original = to_rgb(original)
    left, top, right, bottom = crop.box
    weight = feather_mask((bottom - top, right - left), feather_px)
    if mask is not None:
        weight = weight * _cut_mask(mask, crop)
    for frames in chunks:
        _check_sizes(frames, original, crop)
        result = original.expand(len(frames), -1, -1, -1).clone()
        background = result[..., top:bottom, left:right]
        frames = frames.to(original).nan_to_num()
        frames = _resize(frames, (bottom - top, right - left)).clamp(0, 1)
        result[..., top:bottom, left:right] = torch.lerp(
            background, frames, weight.expand_as(frames)
        )
        yield result


def _cut_mask(mask: Tensor, crop: Crop) -> Tensor:
    """A mask (1, 1, H, W) over the image or the portrait -> (h, w) of the crop's box."""
    left, top, right, bottom = crop.box
    if tuple(mask.shape[2:]) == crop.source_shape:
        return mask[0, 0, top:bottom, left:right].clamp(0, 1)
    mask = resize_mask(mask, crop)
    return F.interpolate(mask, (bottom - top, right - left), mode="bilinear")[0, 0].clamp(0, 1)


def _check_sizes(frames: Tensor, original: Tensor, crop: Crop) -> None:
    if tuple(frames.shape[2:]) != crop.shape or tuple(original.shape[1:]) != crop.source_shape:
        raise InputError(
            f"Paste back: the crop was made from {crop.source_shape} to {crop.shape} (height, "
            f"width); got an image of {tuple(original.shape[1:])} and frames of "
            f"{tuple(frames.shape[2:])}. Give the image and the frames of this crop."
        )


def crop_and_resize(images: Tensor, box: Box, side_px: int) -> Tensor:
    """Cut a box out of images, black where it leaves them, bilinear to a square.

    Args:
        images: (f, 3, H, W). box: in their pixels; rounded to whole ones.

    Returns:
        (f, 3, side_px, side_px).
    """
    x0, y0, x1, y1 = (round(edge) for edge in box)
    rows = _resample_axis(images, 2, y0, max(y1 - y0, 1), side_px)
    return _resample_axis(rows, 3, x0, max(x1 - x0, 1), side_px)


def _resample_axis(images: Tensor, dim: int, start: int, length: int, count: int) -> Tensor:
    """Pixels start … start + length of one axis, bilinear to so many; black outside.

    Only what the result shows is read: a box may be far larger than the image.
    """
    size = images.shape[dim]
    # As torch's interpolate with align_corners=False, whose positions are float32 too.
    steps = torch.arange(count, device=images.device, dtype=torch.float32)
    positions = ((steps + 0.5) * (length / count) - 0.5).clamp(0, length - 1)
    before = positions.floor().long()
    after = (before + 1).clamp(max=length - 1)
    shape = [-1 if d == dim else 1 for d in range(images.ndim)]
    share = (positions - before).to(images).view(shape)

    def read(index: Tensor) -> Tensor:
        index = index + start
        is_inside = ((index >= 0) & (index < size)).view(shape)
        return images.index_select(dim, index.clamp(0, size - 1)) * is_inside

    return torch.lerp(read(before), read(after), share)
