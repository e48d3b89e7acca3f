"""Images with damage, and such that claim another size."""

import random
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from actalker_core.media import load_image, save_image
from fuzz.mutations import damage

SUFFIXES = (".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm")


@cache
def images() -> dict[str, bytes]:
    """The same in each format, and grey, transparent and of 16 bits."""
    rng = np.random.default_rng(0)
    colours = cv2.resize(rng.integers(0, 255, (4, 5, 3), np.uint8), (40, 32))
    contents = {suffix: cv2.imencode(suffix, colours)[1].tobytes() for suffix in SUFFIXES}
    more = {
        "grey.png": colours[..., 0],
        "alpha.png": np.dstack([colours, colours[..., 0]]),
        "deep.png": colours.astype(np.uint16) * 257,
    }
    return contents | {name: cv2.imencode(".png", p)[1].tobytes() for name, p in more.items()}


def prepare() -> None:
    """Make what is damaged."""
    images()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Load it, and save it as another."""
    name = rng.choice(list(images()))
    path = inside / f"picture{Path(f'x{name}').suffix if name[0] == '.' else '.png'}"
    path.write_bytes(damage(rng, images()[name]))
    image = load_image(path)
    assert image.ndim == 3
    assert image.shape[0] == 3
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    again = outside / f"again{rng.choice(('.png', '.jpg', '.webp'))}"
    save_image(again, image)
    assert load_image(again).shape == image.shape
