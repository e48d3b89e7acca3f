"""Numbers such as a noise level as vectors that a network reads."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import FUSED_LAYERS
from .protocol import LayerOps


def embed_timesteps(t: Tensor, channels: int) -> Tensor:
    """Sinusoids of (b,) numbers, cosines first: (b, c). Source: arXiv 1706.03762, 3.5."""
    half = channels // 2
    exponent = torch.arange(half, device=t.device, dtype=torch.float32) / half
    angles = t.float()[:, None] * torch.exp(-math.log(10000) * exponent)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimestepMLP(nn.Module):
    """Two linear layers that turn sinusoids into an embedding."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        ops: LayerOps = FUSED_LAYERS,
    ) -> None:
        super().__init__()
        self.linear_1 = ops.Linear(in_channels, hidden_channels)
        self.linear_2 = ops.Linear(hidden_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, in_channels) -> (b, out_channels)."""
        out: Tensor = self.linear_2(F.silu(self.linear_1(x)))
        return out
