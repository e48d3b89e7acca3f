"""A frame of a video as RGB: right colours, right shape, upright, all of one size."""

import struct
from typing import Any

import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from torch import Tensor

from .container import FileWarnings

BT709, BT2020, UNSPECIFIED = 1, (9, 10), 2
HDR_CURVES = {16: "PQ", 18: "HLG"}
FULL_RANGE = 2
SD_WIDTH, SD_HEIGHT = 1280, 576
"""What is as wide or higher and names no colours is taken for BT.709, as players do."""
QUARTERS = {1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}
"""Display matrices of turns against the clock."""
WIDEST_PIXEL = 5.0
"""Pixels that claim to be wider or higher than this are a mistake."""


class RGBConverter:
    """Shows the frames of one film; all get the size of the first."""

    def __init__(self, stream: Any, words: FileWarnings) -> None:
        self.words = words
        self._pixel_aspect = _pixel_aspect(stream)
        self._size: tuple[int, int] | None = None
        self._matrix: tuple[int, ...] | None = None
        curve = HDR_CURVES.get(getattr(stream.codec_context, "color_trc", None) or 0)
        if curve is not None:
            words.warn(
                f"is HDR ({curve}), whose colours look pale here; convert it to SDR (BT.709) for "
                "true ones."
            )

    def show(self, frame: Any) -> Tensor:
        """(3, H, W) uint8."""
        if self._size is None:
            self._size = _shown_size(frame.width, frame.height, self._pixel_aspect)
            self._coded = (frame.width, frame.height)
            self._matrix = _display_matrix(frame)
        if (frame.width, frame.height) != self._coded:
            self.words.warn(
                f"its frames change from {self._coded[0]} × {self._coded[1]} to {frame.width} × "
                f"{frame.height}; all are shown in the first size."
            )
        return torch.from_numpy(_turned(_rgb(frame, *self._size), self._matrix)).permute(2, 0, 1)


def _rgb(frame: Any, width: int, height: int) -> NDArray[np.uint8]:
    """(h, w, 3) by the frame's own colour matrix and range."""
    conversion: dict[str, Any] = {}
    if not frame.format.is_rgb and len(frame.format.components) > 2:
        space = _colorspace(frame)
        # Spelled out, and unlike for both sides: where source and target seem alike, older PyAV
        # takes everything for BT.601 of limited range.
        other = Colorspace.ITU709 if space == Colorspace.ITU601 else Colorspace.ITU601
        full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
        conversion = {
            "src_colorspace": space,
            "dst_colorspace": other,
            "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
            "dst_color_range": ColorRange.JPEG,
        }
    shown = frame.reformat(width=width, height=height, format="rgb24", **conversion)
    pixels: NDArray[np.uint8] = shown.to_ndarray()
    return pixels


def _colorspace(frame: Any) -> int:
    given = frame.colorspace
    if given in BT2020:
        return BT2020[0]
    high = frame.width >= SD_WIDTH or frame.height > SD_HEIGHT
    if given == BT709 or (given == UNSPECIFIED and high):
        return Colorspace.ITU709
    return Colorspace.ITU601


def _pixel_aspect(stream: Any) -> float:
    """How much wider than high a pixel is shown."""
    given = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    aspect = float(given) if given else 1.0
    return aspect if 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL else 1.0


def _shown_size(width: int, height: int, pixel_aspect: float) -> tuple[int, int]:
    """With square pixels; nothing shrinks."""
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    """(a, b, c, d): x' = a·x + c·y, y' = b·x + d·y takes a frame's pixels onto the screen."""
    try:
        side_data = list(frame.side_data)
    except ValueError:  # PyAV knows not all kinds, and then gives none
        return QUARTERS.get(round(frame.rotation / 90) % 4)
    for data in side_data:
        if data.type.name == "DISPLAYMATRIX" and len(bytes(data)) >= 36:
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
            return a, b, c, d
    return None


def _turned(pixels: NDArray[np.uint8], matrix: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """By the nearest quarter, and mirrored if asked."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    sideways = abs(b) + abs(c) > abs(a) + abs(d)
    down, right = (b, c) if sideways else (d, a)
    if sideways:
        pixels = pixels.swapaxes(0, 1)
    pixels = pixels[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(pixels)
