"""Pictures in and out, by OpenCV."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import MediaError
from ..files import make_folder
from .opening import require


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


def save_image(path: Path, picture: Tensor) -> None:
    """Write (3, H, W) in 0…1 as PNG.

    Raises:
        MediaError: it cannot be written.
    """
    make_folder(path)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    # Not cv2.imwrite, which cannot write to non-ASCII paths on Windows.
    _, content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    try:
        content.tofile(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error}). Choose another folder.") from error
