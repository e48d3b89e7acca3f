"""How close pictures are to others: PSNR and SSIM."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW_PX = 7
PEAK = 255.0


def psnr_db(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Of 8-bit pictures, over all of them; infinite for equal ones."""
    error = float(np.mean((np.stack(a).astype(float) - np.stack(b)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def ssim(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Of 8-bit pictures (h, w, 3), mean over windows, colours and pictures.

    Source: Wang et al., "Image quality assessment", IEEE TIP 13 (2004), with even windows.
    """
    x, y = _planes(a), _planes(b)
    mean_x, mean_y = _mean(x), _mean(y)
    spread_x, spread_y = _mean(x * x) - mean_x**2, _mean(y * y) - mean_y**2
    covariance = _mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((likeness / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))).mean())


def _planes(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).double().permute(0, 3, 1, 2)


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, WINDOW_PX, stride=1)
