"""From encoder features to the tokens that the UNet reads."""

import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import AudioProjectionConfig, ExpressionProjectionConfig, IdentityProjectionConfig


class AudioProjection(nn.Module):
    """The Whisper states around one frame become its audio tokens."""

    def __init__(self, config: AudioProjectionConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        features = config.seq_len * config.blocks * config.channels
        self.tokens = config.context_tokens
        self.proj1 = ops.Linear(features, config.intermediate_dim)
        self.proj2 = ops.Linear(config.intermediate_dim, config.intermediate_dim)
        self.proj3 = ops.Linear(config.intermediate_dim, self.tokens * config.output_dim)
        self.norm = ops.LayerNorm(config.output_dim)

    def forward(self, windows: Tensor) -> Tensor:
        """States (…, l, layers, c) -> tokens (…, s, c')."""
        x = F.relu(self.proj1(windows.flatten(-3)))
        x = self.proj3(F.relu(self.proj2(x)))
        out: Tensor = self.norm(x.unflatten(-1, (self.tokens, -1)))
        return out


class IdentityProjection(nn.Module):
    """The ArcFace features become one identity token."""

    def __init__(self, config: IdentityProjectionConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.proj1 = ops.Linear(config.input_dim, config.intermediate_dim)
        self.proj2 = ops.Linear(config.intermediate_dim, config.intermediate_dim)
        self.proj3 = ops.Linear(config.intermediate_dim, config.output_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(…, features) -> (…, c)."""
        x = F.relu(self.proj2(F.relu(self.proj1(features))))
        out: Tensor = self.proj3(x)
        return out


class ExpressionProjection(nn.Module):
    """The expression features become the expression token's first part."""

    def __init__(self, config: ExpressionProjectionConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.proj1 = ops.Linear(config.input_dim, config.output_dim)
        self.norm = ops.LayerNorm(config.output_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(…, features) -> (…, c − 6)."""
        out: Tensor = self.norm(self.proj1(features))
        return out
