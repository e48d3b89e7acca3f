"""Other ways to keep the weights of layers: in a type of fewer bits, or with channels last."""

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def weights_of(layer: Any, like: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a layer in the type of its input."""
    return layer.weight.to(like.dtype), None if layer.bias is None else layer.bias.to(like.dtype)


class Linear(nn.Linear):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """See `torch.nn.Linear`."""
        return F.linear(input, *weights_of(self, input))


class Conv2d(nn.Conv2d):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """See `torch.nn.Conv2d`."""
        out: Tensor = self._conv_forward(input, *weights_of(self, input))
        return out


class Conv3d(nn.Conv3d):
    """Computes in the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """See `torch.nn.Conv3d`."""
        out: Tensor = self._conv_forward(input, *weights_of(self, input))
        return out


CASTING = SimpleNamespace(
    **vars(nn) | {"Linear": Linear, "Conv2d": Conv2d, "Conv3d": Conv3d, "weights_of": weights_of}
)
"""Layers whose weights may have fewer bits than what they compute in; see `attention.Ops`."""


def lay_channels_last(module: nn.Module) -> None:
    """Lay the weights of plane convolutions out with their channels last; their outputs follow."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
