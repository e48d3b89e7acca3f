"""A picture of two faces, for tests that import no core."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np

GROUP_SIZE = 760, 420
"""Width and height."""
DARK, LIGHT = 0.5, 1.0
SMALL, LARGE = (120, 75), (530, 140)
"""Places on the two faces, in pixels of the picture."""


def write_group(path: Path) -> Path:
    """Matplotlib's portrait twice: small and dark on the left, large on the right."""
    portrait = cv2.imread(str(Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")))
    group: np.ndarray = np.full((GROUP_SIZE[1], GROUP_SIZE[0], 3), 128, np.uint8)
    for scale, left, light in ((0.35, 40, DARK), (0.65, 380, LIGHT)):
        pixels = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = pixels.shape[:2]
        group[:height, left : left + width] = (pixels * light).round().astype(np.uint8)
    cv2.imwrite(str(path), group)
    return path


def place(x: float, y: float, canvas: object) -> tuple[float, float]:
    """A pixel of the picture as a share of the canvas that it is shown on, with its margins."""
    width, height = canvas.rect["width"], canvas.rect["height"]  # type: ignore[attr-defined]
    scale = min((width - 8) / GROUP_SIZE[0], (height - 8) / GROUP_SIZE[1])
    left, top = (width - scale * GROUP_SIZE[0]) / 2, (height - scale * GROUP_SIZE[1]) / 2
    return (left + x * scale) / width, (top + y * scale) / height
