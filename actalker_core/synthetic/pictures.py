"""Drawn pictures as the networks take them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .world import Picture


def as_frames(pictures: Sequence[Picture]) -> Tensor:
    """Some (H, W, 3) of bytes -> (n, 3, H, W) in 0…1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
