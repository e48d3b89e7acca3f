"""Other ways to lay weights out in memory."""

import torch
from torch import nn


def lay_channels_last(module: nn.Module) -> None:
    """Lay the weights of plane convolutions out with their channels last; their outputs follow."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
