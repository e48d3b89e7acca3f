"""Noise levels of the sampling steps."""

import math
from collections.abc import Callable

import numpy as np

ALIGNED_FOR_SVD = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002)
"""Levels that were optimised for Stable Video Diffusion: arXiv 2404.14507."""


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float) -> list[float]:
    """Falling noise levels, evenly spaced in sigma^(1/rho), and a final 0.

    Args:
        rho: how much of the steps small noise levels get; 7 is recommended for images.

    Source: Karras et al., arXiv 2206.00364, equation 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    last = max(steps - 1, 1)
    return [(high + i / last * (low - high)) ** rho for i in range(steps)] + [0.0]


def aligned_sigmas(steps: int, sigma_min: float, sigma_max: float) -> list[float]:
    """The levels of Align Your Steps, with 0 for the last: a good few of them instead of many.

    Ten steps are the published ones; for others the ten intervals are divided evenly in log sigma.
    For a model with other ends than SVD's, log sigma is stretched to reach from one to the other.

    Source: Sabour et al., arXiv 2404.14507.
    """
    logs = np.log(ALIGNED_FOR_SVD)
    shares = (logs - logs[-1]) / (logs[0] - logs[-1])
    places = np.linspace(0, len(shares) - 1, steps + 1)[:-1]
    along = np.interp(places, np.arange(len(shares)), shares)
    low, high = math.log(sigma_min), math.log(sigma_max)
    return [*np.exp(low + along * (high - low)).tolist(), 0.0]


DEFAULT_SCHEDULE = "karras"
"""What the model was trained for; ComfyUI calls it the same."""
SCHEDULES: dict[str, Callable[[int, float, float, float], list[float]]] = {
    DEFAULT_SCHEDULE: karras_sigmas,
    "align-your-steps": lambda steps, low, high, rho: aligned_sigmas(steps, low, high),
}
"""From steps, sigma_min, sigma_max and rho of a model."""
