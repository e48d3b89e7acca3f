"""A frame of a video as RGB: right colours, right shape, upright, all of one size."""

import struct
from typing import Any

import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from torch import Tensor

from .container import FileWarnings

BT709, BT2020, NO_MATRIX = 1, (9, 10), 2
"""Matrix coefficients by their numbers in ITU-T H.273."""
HDR_CURVES = {16: "PQ", 18: "HLG"}
"""Transfer characteristics, as above."""
FULL_RANGE = 2
SD_WIDTH, SD_HEIGHT = 1280, 576
"""What is as wide or higher and names no matrix is taken for BT.709, as players do."""
QUARTER_TURNS = {1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}
"""Display matrices of turns against the clock, by their number."""
MAX_PIXEL_ASPECT = 5.0
"""Pixels that claim to be wider or higher than this are a mistake."""


class RGBConverter:
    """Turns the frames of one video into RGB; all get the size and rotation of the first."""

    def __init__(self, stream: Any, warnings: FileWarnings) -> None:
        self.warnings = warnings
        self._pixel_aspect = _pixel_aspect(stream)
        self._size: tuple[int, int] | None = None
        self._matrix: tuple[int, ...] | None = None
        curve = HDR_CURVES.get(getattr(stream.codec_context, "color_trc", None) or 0)
        if curve is not None:
            warnings.warn(
                f"is HDR ({curve}), whose colours look pale here; convert it to SDR (BT.709) for "
                "true ones."
            )

    def convert(self, frame: Any) -> Tensor:
        """A frame of PyAV as (3, h, w) uint8, upright and with square pixels."""
        if self._size is None:
            self._size = _square_pixel_size(frame.width, frame.height, self._pixel_aspect)
            self._coded_size = (frame.width, frame.height)
            self._matrix = _display_matrix(frame)
        if (frame.width, frame.height) != self._coded_size:
            self.warnings.warn(
                f"its frames change from {self._coded_size[0]} × {self._coded_size[1]} to "
                f"{frame.width} × {frame.height}; all are shown in the first size."
            )
        rgb = _rotate(_to_rgb(frame, *self._size), self._matrix)
        return torch.from_numpy(rgb).permute(2, 0, 1)


def _to_rgb(frame: Any, width: int, height: int) -> NDArray[np.uint8]:
    """(h, w, 3) by the frame's own colour matrix and range."""
    conversion: dict[str, Any] = {}
    if not frame.format.is_rgb and len(frame.format.components) > 2:
        space = _source_matrix(frame)
        # Spelled out, and unlike for both sides: where source and target seem alike, older PyAV
        # takes everything for BT.601 of limited range.
        other_space = Colorspace.ITU709 if space == Colorspace.ITU601 else Colorspace.ITU601
        is_full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
        conversion = {
            "src_colorspace": space,
            "dst_colorspace": other_space,
            "src_color_range": ColorRange.JPEG if is_full else ColorRange.MPEG,
            "dst_color_range": ColorRange.JPEG,
        }
    rgb: NDArray[np.uint8] = frame.reformat(
        width=width, height=height, format="rgb24", **conversion
    ).to_ndarray()
    return rgb


def _source_matrix(frame: Any) -> int:
    """The frame's YUV matrix, or what players take for it, by its number in `Colorspace`."""
    matrix = frame.colorspace
    if matrix in BT2020:
        return BT2020[0]
    is_hd = frame.width >= SD_WIDTH or frame.height > SD_HEIGHT
    if matrix == BT709 or (matrix == NO_MATRIX and is_hd):
        return Colorspace.ITU709
    return Colorspace.ITU601


def _pixel_aspect(stream: Any) -> float:
    """How much wider than high a pixel is shown."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    aspect = float(ratio) if ratio else 1.0
    return aspect if 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT else 1.0


def _square_pixel_size(width: int, height: int, pixel_aspect: float) -> tuple[int, int]:
    """Width and height with square pixels; nothing shrinks, so that no detail is lost."""
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    """(a, b, c, d): x' = a·x + c·y, y' = b·x + d·y takes a frame's pixels onto the screen."""
    try:
        side_data = list(frame.side_data)
    except ValueError:  # PyAV knows not all kinds, and then gives none
        return QUARTER_TURNS.get(round(frame.rotation / 90) % 4)
    for data in side_data:
        if data.type.name == "DISPLAYMATRIX" and len(bytes(data)) >= 36:
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
            return a, b, c, d
    return None


def _rotate(pixels: NDArray[np.uint8], matrix: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """(h, w, c) turned to the nearest quarter and mirrored, as a display matrix says."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    sideways = abs(b) + abs(c) > abs(a) + abs(d)
    down, right = (b, c) if sideways else (d, a)
    if sideways:
        pixels = pixels.swapaxes(0, 1)
    pixels = pixels[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(pixels)
