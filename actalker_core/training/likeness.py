"""How close pictures are to others: PSNR, SSIM, detail."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Pictures = Sequence[NDArray[np.number]]
"""(h, w, 3) each, in 0…255."""
Masks = NDArray[np.bool_]

WINDOW_PX = 7
PEAK = 255.0


def psnr_db(a: Pictures, b: Pictures, masks: Masks | None = None) -> float:
    """Over pictures (h, w, 3), or their pixels in masks (f, h, w); infinite for equal ones."""
    errors = (np.stack(list(a)).astype(float) - np.stack(list(b))) ** 2
    error = float(np.mean(errors if masks is None else errors[masks]))
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def ssim(a: Pictures, b: Pictures, masks: Masks | None = None) -> float:
    """Mean over windows, colours and pictures (h, w, 3), or windows around pixels of (f, h, w).

    Source: Wang et al., "Image quality assessment", IEEE TIP 13 (2004), with even windows.
    """
    x, y = _to_planes(a), _to_planes(b)
    mean_x, mean_y = _average(x), _average(y)
    spread_x, spread_y = _average(x * x) - mean_x**2, _average(y * y) - mean_y**2
    covariance = _average(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    values = likeness / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))
    if masks is not None:
        rim = WINDOW_PX // 2
        inner = torch.from_numpy(masks[:, rim:-rim, rim:-rim].copy())
        values = values.mean(1)[inner]
    return float(values.mean())


def detail(pictures: Pictures, masks: Masks) -> float:
    """Mean size of the Laplacian of pictures (h, w, 3) over the pixels of masks (f, h, w)."""
    sizes = [np.abs(cv2.Laplacian(np.asarray(p, np.float32), cv2.CV_32F)).mean(2) for p in pictures]
    return float(np.stack(sizes)[masks].mean())


def flicker(pictures: Pictures) -> float:
    """Mean size of the change of change from picture (h, w, 3) to picture: what does not glide."""
    frames = np.stack(list(pictures)).astype(float)
    return float(np.abs(np.diff(frames, n=2, axis=0)).mean())


def _to_planes(pictures: Pictures) -> Tensor:
    return torch.from_numpy(np.stack(list(pictures))).double().permute(0, 3, 1, 2)


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, WINDOW_PX, stride=1)
