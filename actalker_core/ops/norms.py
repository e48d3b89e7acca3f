"""Norms that run as few kernels as can be; see `fused`."""

import torch.nn.functional as F
from torch import Tensor, nn

from . import fused
from .protocol import has_forward_of, runs_its_class


class GroupNorm(nn.GroupNorm):
    """torch's, which can also add a shift before it and apply SiLU after it."""

    def weights_for(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and offset, each (c,), that an input is normalised with."""
        return self.weight, self.bias

    def forward(
        self, input: Tensor, shift: Tensor | None = None, *, with_silu: bool = False
    ) -> Tensor:
        """(b, c, …) + shift (b, c), normalised, and through SiLU where that is wanted."""
        weights = self.weights_for(input)
        return fused.group_norm(input, *weights, self.num_groups, self.eps, shift, with_silu)


class LayerNorm(nn.LayerNorm):
    """torch's, over the last dimension."""

    def weights_for(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and offset, each (c,), that an input is normalised with."""
        return self.weight, self.bias

    def forward(self, input: Tensor) -> Tensor:
        """(…, c) of the same shape."""
        return fused.layer_norm(input, *self.weights_for(input), self.eps)


def norm_silu(norm: nn.Module, x: Tensor, shift: Tensor | None = None) -> Tensor:
    """SiLU of a group norm of x (b, c, …) + shift (b, c): in one call where the norm can do that.

    A norm of another class, or one with hooks, which are to see what it alone puts out, is called
    between the other two steps.
    """
    if has_forward_of(norm, GroupNorm) and runs_its_class(norm):
        out: Tensor = norm(x, shift, with_silu=True)
        return out
    if shift is not None:
        x = x + shift.view(*shift.shape, *[1] * (x.ndim - 2))
    return F.silu(norm(x))
