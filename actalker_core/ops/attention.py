"""Attention over tokens and the feed-forward after it.

Letters: b rows, l query tokens, s context tokens, c channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fused import geglu
from .layers import FUSED_LAYERS
from .protocol import LayerOps


def scaled_dot_product_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (b, l, c) queries over (b, s, c) keys and values."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Queries, keys, values and output projection under diffusers' names."""

    def __init__(
        self, channels: int, context_channels: int, heads: int, ops: LayerOps = FUSED_LAYERS
    ) -> None:
        super().__init__()
        self.heads = heads
        self.attention = getattr(ops, "attend", scaled_dot_product_attention)
        self.to_q = ops.Linear(channels, channels, bias=False)
        self.to_k = ops.Linear(context_channels, channels, bias=False)
        self.to_v = ops.Linear(context_channels, channels, bias=False)
        self.to_out = nn.ModuleList([ops.Linear(channels, channels)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Attend from (b, l, c) to a context (b, s, c'), by default to itself.

        Returns:
            (b, l, c), or (b, 1, c) for a context of one token.
        """
        context = x if context is None else context
        out: Tensor = self.to_out[0](self.attend(x, context, self.to_k, self.to_v))
        return out

    def attend(self, x: Tensor, context: Tensor, to_k: nn.Module, to_v: nn.Module) -> Tensor:
        """What is attended to, before the output projection; (b, 1, c) for a single token."""
        if context.shape[1] == 1:  # its softmax is 1, whatever query and key are
            value: Tensor = to_v(context)
            return value
        keys, values = to_k(context), to_v(context)
        out: Tensor = self.attention(self.to_q(x), keys, values, self.heads)
        return out


TOKENS_AT_ONCE = 65_536
"""A feed-forward is twelve times as wide inside: so many tokens keep a GPU busy and memory low."""


class FeedForward(nn.Module):
    """GEGLU, then a linear layer, under diffusers' names (`net.0.proj`, `net.2`)."""

    def __init__(self, channels: int, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        inner = 4 * channels
        self.net = nn.ModuleList([GEGLU(channels, inner, ops), nn.Identity()])
        self.net.append(ops.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(b, l, c) of the same shape, some rows at a time."""
        rows = max(1, TOKENS_AT_ONCE // x.shape[1])
        if len(x) <= rows:
            return self._feed(x)
        return torch.cat([self._feed(part) for part in x.split(rows)])

    def _feed(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


class GEGLU(nn.Module):
    """One projection into values and their GELU gates. Source: arXiv 2002.05202."""

    def __init__(self, channels: int, inner: int, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.proj = ops.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        """(b, l, c) -> (b, l, inner)."""
        return geglu(self.proj(x))
