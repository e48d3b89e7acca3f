"""Pictures as they come: in other lights, noisy, and out of poor files."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def save_as_jpeg(image: Tensor) -> Tensor:
    """An image (3, H, W) in 0…1 as it is read from a poor file."""
    file = io.BytesIO()
    pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=50)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255


def add_noise(image: Tensor) -> Tensor:
    """An image (3, H, W) in 0…1 with noise of 2 %."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + 0.02 * noise).clamp(0, 1)


LIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda image: image,
    "dark": lambda image: 0.4 * image,
    "bright": lambda image: (1.35 * image).clamp(0, 1),
    "gamma": lambda image: image**0.6,
    "warm": lambda image: (image * torch.tensor([1.15, 1, 0.8])[:, None, None]).clamp(0, 1),
    "from one side": lambda image: image * torch.linspace(1, 0.6, image.shape[2]),
    "noise": add_noise,
    "JPEG": save_as_jpeg,
}
