"""Pictures in and out, by OpenCV."""

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
"""A picture may claim 134 million pixels: more than cameras of 100 take, and 2 GB when read."""
MAX_FILE_BYTES = 1 << 30
"""Bytes."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""What `save_image` writes, by the end of the name."""


def load_image(path: Path) -> Tensor:
    """A picture of any kind as (3, H, W) RGB in 0…1; transparency is dropped.

    Raises:
        MediaError: missing, not a picture, or of an absurd size.
    """
    require_file(path, "picture")
    content = _content(path)
    claimed = read_image_size(content)
    if claimed is not None and claimed[0] * claimed[1] > MAX_IMAGE_PIXELS:
        raise MediaError(
            f"{path}: expected a picture of up to {MAX_IMAGE_PIXELS / 1e6:.0f} million pixels, "
            f"got one that claims {claimed[0]} × {claimed[1]}. Scale it down."
        )
    rgb = None if claimed is None else _decoded(path, content)
    if rgb is None:
        raise MediaError(
            f"{path}: expected a picture (PNG, JPEG, WebP …); it cannot be decoded. "
            "Save it anew as PNG."
        )
    if is_truncated(content):
        log.warning("%s: is cut off; the missing part is grey or black. Get the whole file.", path)
    return rgb.float().div_(255)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise MediaError(f"{path}: expected a picture, got a file of over 1 GB.")
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}). Check its rights.") from error


def _decoded(path: Path, content: bytes) -> Tensor | None:
    """(3, H, W) uint8; by FFmpeg what this OpenCV was built without, as GIF or AVIF."""
    # Not cv2.imread, which cannot open non-ASCII paths on Windows.
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is not None:
        return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    try:
        return next(read_frames(path, fps=1, words=FileWarnings(path, quiet=True)))
    except MediaError:
        return None


def check_image_path(path: Path) -> None:
    """Find out whether a picture can be written, before it is made.

    Raises:
        MediaError: its name ends in something else than `SUFFIXES`, or the place cannot be used.
    """
    check_suffix(path, SUFFIXES)
    check_writable(path)


def save_image(path: Path, picture: Tensor) -> None:
    """Write (3, H, W) in 0…1, whole or not at all, in the format of the name (`SUFFIXES`).

    Raises:
        MediaError: it cannot be written, or its name ends in something else.
    """
    check_suffix(path, SUFFIXES)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    content = encode_image(pixels, path.suffix.lower())
    with replace_file(path) as part:
        part.write_bytes(content)


def encode_image(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """The bytes of a picture file of (H, W, 3) RGB.

    Raises:
        MediaError: the format cannot hold it: WebP ends at 16383 pixels a side, JPEG at 65535.
    """
    # Not cv2.imwrite, which cannot write to non-ASCII paths on Windows.
    try:
        done, content = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise MediaError(
            f"Picture: expected a size that {suffix} can hold, got {pixels.shape[1]}x"
            f"{pixels.shape[0]}. Write .png, or a smaller one."
        )
    return content.tobytes()
