"""Small networks of TGDM and what they read."""

import torch
from torch import Tensor

from actalker_core.models.tgdm.config import COEFFICIENTS, VARIANTS
from actalker_core.models.tgdm.network import TGDM, Geometry

TINY = VARIANTS["tiny"]
SIDE = TINY.side_px


def make_noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_geometry(seed: int, frames: int = 2, side: int = SIDE) -> Geometry:
    return Geometry(
        make_noise(seed, frames, 3, side, side),
        make_noise(seed + 1, frames, 3, side, side),
        make_noise(seed + 2, frames, 1, side, side).sigmoid(),
        make_noise(seed + 3, frames, COEFFICIENTS),
    )


def make_network() -> TGDM:
    """One whose every weight says something, also those that begin as zeros."""
    torch.manual_seed(0)
    model = TGDM(TINY).eval().requires_grad_(False)
    for seed, weight in enumerate(model.parameters()):
        weight += 0.1 * make_noise(seed, *weight.shape)
    return model
