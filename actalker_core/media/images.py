"""Images in and out, by OpenCV."""

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MediaError
from ..files.writing import check_suffix, check_writable, replace_file
from .container import FileWarnings, require_file
from .image_headers import is_truncated, read_image_size
from .video_reader import read_frames

log = logging.getLogger(__name__)

MAX_IMAGE_PIXELS = 1 << 27
"""134 million: more than cameras of 100 take, and 2 GB when read."""
MAX_FILE_BYTES = 1 << 30

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""What `save_image` writes, by the end of the name."""


def load_image(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> Tensor:
    """An image of any kind as (3, h, w) float32 RGB in 0…1; transparency is dropped.

    Raises:
        MediaError: missing, not an image, or of more pixels.
    """
    require_file(path, "image")
    content = _read_content(path)
    # Before anything is decoded: a file of a few bytes may claim pixels for any memory.
    size = read_image_size(content)
    if size is not None and size[0] * size[1] > max_pixels:
        raise MediaError(
            f"{path}: expected an image of up to {max_pixels / 1e6:.0f} million pixels, "
            f"got one that claims {size[0]} × {size[1]}. Scale it down."
        )
    rgb = None if size is None else _decode(path, content)
    if rgb is None:
        raise MediaError(
            f"{path}: expected an image (PNG, JPEG, WebP …); it cannot be decoded. "
            "Save it anew as PNG."
        )
    if is_truncated(content):
        log.warning("%s: is cut off; the missing part is grey or black. Get the whole file.", path)
    return rgb.float().div_(255)


def _read_content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise MediaError(f"{path}: expected an image, got a file of over 1 GB. Scale it down.")
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}). Check its rights.") from error


def _decode(path: Path, content: bytes) -> Tensor | None:
    """(3, h, w) uint8 RGB; by FFmpeg what this OpenCV was built without, as GIF or AVIF."""
    # Not cv2.imread, which cannot open non-ASCII paths on Windows.
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is not None:
        return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    try:
        return next(read_frames(path, fps=1, warnings=FileWarnings(path, quiet=True)))
    except MediaError:
        return None


def check_image_path(path: Path) -> None:
    """Find out whether an image can be written, before it is made.

    Raises:
        MediaError: its name ends in something else than `SUFFIXES`, or the place cannot be used.
    """
    check_suffix(path, SUFFIXES)
    check_writable(path)


def save_image(path: Path, image: Tensor) -> None:
    """Write (3, h, w) RGB in 0…1, whole or not at all, in the format of the name (`SUFFIXES`).

    Raises:
        MediaError: it cannot be written, or its name ends in something else.
    """
    check_suffix(path, SUFFIXES)
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    content = encode_image(pixels, path.suffix.lower())
    with replace_file(path) as part:
        part.write_bytes(content)


def encode_image(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """The content of an image file.

    Args:
        pixels: (h, w, 3) RGB.
        suffix: of the format: ".png".

    Raises:
        MediaError: the format cannot hold it: WebP ends at 16383 pixels a side, JPEG at 65535.
    """
    # Not cv2.imwrite, which cannot write to non-ASCII paths on Windows.
    try:
        is_encoded, content = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        raise MediaError(
            f"Image: expected a size that {suffix} can hold, got {pixels.shape[1]}x"
            f"{pixels.shape[0]}. Write .png, or a smaller one."
        )
    return content.tobytes()
