"""Pictures that a node's editor shows once the node has run."""

from typing import Any

import torch.nn.functional as F
from comfy_api.latest import io, ui
from torch import Tensor

from . import convert

SIDE_PX = 512
"""Of the longer side: nodes show pictures small."""


def save_preview(image: Tensor) -> dict[str, Any]:
    """Save an image (3, H, W) small in the temporary folder; its name, as ComfyUI's /view takes it.

    Unlike a picture among a node's ui images, it is drawn by the pack's own editor alone.
    """
    scale = SIDE_PX / max(image.shape[1:])
    if scale < 1:
        size = [max(round(side * scale), 1) for side in image.shape[1:]]
        image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)
    pixels = convert.to_image(image[None])
    [preview] = ui.ImageSaveHelper.save_images(
        pixels, "actalker_preview", io.FolderType.temp, None, compress_level=1
    )
    return dict(preview)
