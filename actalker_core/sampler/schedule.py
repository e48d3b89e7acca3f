"""Noise levels of the sampling steps."""

import math

from ..config import SamplingConfig
from ..errors import check_choice

SCHEDULES = ("karras", "align-your-steps")

ALIGNED = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002)
"""Ten steps of Stable Video Diffusion as Align Your Steps found them."""


def sigmas_of(schedule: str, steps: int, sampling: SamplingConfig) -> list[float]:
    """Falling noise levels of a model, and a final 0.

    Args:
        schedule: one of `SCHEDULES`. `align-your-steps` is made for few steps, about ten.
    """
    check_choice("schedule", schedule, SCHEDULES)
    low, high = sampling.sigma_min, sampling.sigma_max
    if schedule == "karras":
        return karras_sigmas(steps, low, high, sampling.rho)
    return aligned_sigmas(steps, low, high)


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> list[float]:
    """Falling noise levels, evenly spaced in sigma^(1/rho), and a final 0.

    Source: Karras et al., arXiv 2206.00364, equation 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    last = max(steps - 1, 1)
    return [(high + i / last * (low - high)) ** rho for i in range(steps)] + [0.0]


def aligned_sigmas(steps: int, sigma_min: float, sigma_max: float) -> list[float]:
    """The levels of `ALIGNED`, for another number of steps by interpolation of their logarithms.

    The logarithms are stretched so that the table's ends, 700 and 0.002 as in the released model,
    come to lie on the model's own; the last level is then 0.

    Source: Sabour et al., arXiv 2404.14507.
    """
    logs = [math.log(sigma / ALIGNED[-1]) for sigma in ALIGNED]
    stretch = math.log(sigma_max / sigma_min) / logs[0]
    between = (_interpolated(logs, i / steps) for i in range(steps))
    return [sigma_min * math.exp(stretch * log) for log in between] + [0.0]


def _interpolated(values: list[float], along: float) -> float:
    """The value at a place from 0, the first, to 1, the last."""
    place = along * (len(values) - 1)
    left = min(int(place), len(values) - 2)
    return values[left] + (place - left) * (values[left + 1] - values[left])
