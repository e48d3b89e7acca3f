"""Gates: how strongly a branch acts in each frame.

0 and 1 are the trained states; what lies between is experimental.
"""

import math

import numpy as np
import torch
from torch import Tensor

from actalker_core.errors import InputError


def constant(value: float, frames: int) -> Tensor:
    """The same strength in every frame: (frames,)."""
    return torch.full((frames,), value)


def keyframes(keys: dict[float, float], frames: int, fps: float) -> Tensor:
    """A curve through (seconds: strength) keys, linear between and held outside: (frames,)."""
    times = sorted(keys)
    at = np.arange(frames) / fps
    return torch.from_numpy(np.interp(at, times, [keys[t] for t in times])).float()


def parse(text: str, frames: int, fps: float) -> Tensor:
    """A curve from `1`, or from keys in seconds such as `0:1, 2.5:0`: (frames,).

    Raises:
        InputError: says which part cannot be read, or that a strength is outside 0…1.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and ":" not in text:
        return constant(_strength(text), frames)
    keys: dict[float, float] = {}
    for part in parts:
        time, colon, value = part.partition(":")
        if not colon:
            raise InputError(f"Gate '{text}': expected seconds:strength, got '{part}'.")
        keys[_number(time)] = _strength(value)
    return keyframes(keys, frames, fps)


def _strength(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise InputError(f"Gate: expected a strength from 0 (off) to 1 (full), got {value:g}.")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"Gate: expected a number, got '{text.strip()}'.")
    return value
