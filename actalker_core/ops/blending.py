"""How much a result across time counts beside the one of each frame: one learned number."""

import torch
from torch import Tensor, nn


class AlphaBlender(nn.Module):
    """A learned mix of a spatial and a temporal result."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([0.5]))

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """sigmoid(mix)·spatial + (1 − sigmoid(mix))·temporal, each (b, …)."""
        alpha = torch.sigmoid(self.mix_factor.to(spatial))
        return torch.lerp(temporal, spatial, alpha)


class TemporalShare(nn.Module):
    """The share of the temporal result in the mix of an `AlphaBlender` with the same number."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([0.5]))

    def forward(self, like: Tensor) -> Tensor:
        """1 − sigmoid(mix), (1,) on the device and in the type of a tensor."""
        return torch.sigmoid(-self.mix_factor.to(like))
