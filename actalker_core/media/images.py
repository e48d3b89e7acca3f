"""Pictures in and out, by OpenCV."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MediaError
from ..files import check_suffix, replacing, try_place
from .opening import require

WRITTEN = (".png", ".jpg", ".jpeg", ".webp")
"""What `save_image` writes, by the end of the name."""


def load_image(path: Path) -> Tensor:
    """A picture of any kind as (3, H, W) RGB in 0…1; transparency is dropped.

    Raises:
        MediaError: missing or not a picture.
    """
    require(path, "picture")
    # Not cv2.imread, which cannot open non-ASCII paths on Windows.
    content = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if pixels is None:
        raise MediaError(f"{path}: expected a picture (PNG, JPEG, WebP …); it cannot be decoded.")
    rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


def check_image_place(path: Path) -> None:
    """Find out whether a picture can be written, before it is made.

    Raises:
        MediaError: its name ends in something else than `WRITTEN`, or the place cannot be used.
    """
    check_suffix(path, WRITTEN)
    try_place(path)


def save_image(path: Path, picture: Tensor) -> None:
    """Write (3, H, W) in 0…1, whole or not at all, in the format of the name (`WRITTEN`).

    Raises:
        MediaError: it cannot be written, or its name ends in something else.
    """
    check_suffix(path, WRITTEN)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    content = encode_image(pixels, path.suffix.lower())
    with replacing(path) as part:
        part.write_bytes(content)


def encode_image(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """The bytes of a picture file of (H, W, 3) RGB."""
    # Not cv2.imwrite, which cannot write to non-ASCII paths on Windows.
    _, content = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return content.tobytes()
