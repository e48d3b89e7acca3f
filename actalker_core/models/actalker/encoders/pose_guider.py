"""Pose image -> a map on the latent grid."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import PoseGuiderConfig


class PoseGuider(nn.Module):
    """Convolutions that shrink an image eight times, SiLU between them."""

    def __init__(self, config: PoseGuiderConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        channels = config.block_out_channels
        self.conv_in = ops.Conv2d(config.conditioning_channels, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for a, b in pairwise(channels):
            self.blocks.append(ops.Conv2d(a, a, 3, padding=1))
            self.blocks.append(ops.Conv2d(a, b, 3, padding=1, stride=2))
        self.conv_out = ops.Conv2d(
            channels[-1], config.conditioning_embedding_channels, 3, padding=1
        )

    def forward(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) in 0…1 -> (b, c, H/8, W/8)."""
        x = F.silu(self.conv_in(image))
        for block in self.blocks:
            x = F.silu(block(x))
        out: Tensor = self.conv_out(x)
        return out
