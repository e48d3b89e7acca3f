"""Namespaces of layers, and other ways to keep weights: in fewer bits, or with channels last."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import norms
from .protocol import Weights, WeightsOf, has_forward_of, stored_weights


@dataclass(frozen=True)
class Layers:
    """A `LayerOps`: torch's layers, and norms of few kernels."""

    Linear: type[nn.Linear] = nn.Linear
    Conv1d: type[nn.Conv1d] = nn.Conv1d
    Conv2d: type[nn.Conv2d] = nn.Conv2d
    Conv3d: type[nn.Conv3d] = nn.Conv3d
    Embedding: type[nn.Embedding] = nn.Embedding
    GroupNorm: type[nn.GroupNorm] = norms.GroupNorm
    LayerNorm: type[nn.LayerNorm] = norms.LayerNorm
    weights_of: WeightsOf = stored_weights


FUSED_LAYERS = Layers()
"""The layers that networks are built of where nothing else is said."""


def cast_weights(layer: Any, like: Tensor) -> Weights:
    """Weight and bias (c,) of a layer in the type of its input (b, …)."""
    return layer.weight.to(like.dtype), None if layer.bias is None else layer.bias.to(like.dtype)


class CastingLinear(nn.Linear):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, c) -> (…, c')."""
        return F.linear(input, *cast_weights(self, input))


class CastingConv2d(nn.Conv2d):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h', w')."""
        out: Tensor = self._conv_forward(input, *cast_weights(self, input))
        return out


class CastingConv3d(nn.Conv3d):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, f, h, w) -> (b, c', f', h', w')."""
        out: Tensor = self._conv_forward(input, *cast_weights(self, input))
        return out


class CastingGroupNorm(norms.GroupNorm):
    """Computes in the type of its input."""

    def weights_for(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and offset, each (c,), in the type of the input."""
        return self.weight.to(input.dtype), self.bias.to(input.dtype)


class CastingLayerNorm(norms.LayerNorm):
    """Computes in the type of its input."""

    def weights_for(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and offset, each (c,), in the type of the input."""
        return self.weight.to(input.dtype), self.bias.to(input.dtype)


def _weights_of(layer: nn.Module, like: Tensor) -> Weights | None:
    casts = has_forward_of(layer, CastingLinear, CastingConv2d, CastingConv3d)
    return cast_weights(layer, like) if casts else None


CASTING_LAYERS = Layers(
    Linear=CastingLinear,
    Conv2d=CastingConv2d,
    Conv3d=CastingConv3d,
    GroupNorm=CastingGroupNorm,
    LayerNorm=CastingLayerNorm,
    weights_of=_weights_of,
)
"""Layers whose weights may have fewer bits than what they compute in."""


def lay_channels_last(module: nn.Module) -> None:
    """Lay the weights of 2-d convolutions out with their channels last; their outputs follow."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
