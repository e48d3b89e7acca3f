"""Attention over tokens, and the cross attention that each signal enters through its own region.

Letters: n rows (batch·frames), l query tokens, s context tokens, c channels.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.fused import geglu
from ..token_regions import TokenRegion
from .tokens import gather_tokens, repeat_per_video, scatter_add_tokens

Ops = Any
"""A namespace of layer classes: `torch.nn`, or one that casts and streams weights.

It may also carry `attend(q, k, v, heads)`, and `weights_of(layer, like)`, which are the weight and
the bias that a layer computes with. Otherwise torch's attention and the plain weights are used.
"""


@dataclass(frozen=True)
class RegionCondition:
    """What one branch adds to a block: its tokens and where they apply.

    Attributes:
        tokens: (n, s, c), or None when the branch is silent.
        region: tokens of the current grid, or None for everywhere.
    """

    tokens: Tensor | None
    region: TokenRegion | None


def scaled_dot_product_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (n, l, c) queries over (n, s, c) keys and values."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def weights_of(layer: Any, like: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a layer as they stand."""
    return layer.weight, layer.bias


class Attention(nn.Module):
    """Queries, keys, values and output projection under diffusers' names."""

    def __init__(self, channels: int, context_channels: int, heads: int, ops: Ops = nn) -> None:
        super().__init__()
        self.heads = heads
        self.attend = getattr(ops, "attend", scaled_dot_product_attention)
        self.to_q = ops.Linear(channels, channels, bias=False)
        self.to_k = ops.Linear(context_channels, channels, bias=False)
        self.to_v = ops.Linear(context_channels, channels, bias=False)
        self.to_out = nn.ModuleList([ops.Linear(channels, channels)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Attend from (n, l, c) to a context (n, s, c'), by default to itself."""
        context = x if context is None else context
        out: Tensor = self.to_out[0](self._weigh(x, context, self.to_k, self.to_v))
        return out

    def _weigh(self, x: Tensor, context: Tensor, to_k: nn.Module, to_v: nn.Module) -> Tensor:
        if context.shape[1] == 1:  # the softmax over one token is 1
            value: Tensor = to_v(context)
            return value
        out: Tensor = self.attend(self.to_q(x), to_k(context), to_v(context), self.heads)
        return out


class ControlledAttention(Attention):
    """Cross attention to the identity, plus one masked term per signal.

    out = attn(identity) + Σ scale · mask · attn(signal), then the output projection. As that is
    linear, each term is projected alone: one of a single token is one vector per row, and one with
    a region is computed at the tokens that its mask reaches.
    """

    def __init__(
        self,
        channels: int,
        context_channels: int,
        heads: int,
        scales: tuple[float, ...],
        ops: Ops = nn,
    ) -> None:
        super().__init__(channels, context_channels, heads, ops)
        self.scales = scales
        self.weights_of = getattr(ops, "weights_of", weights_of)
        if scales:
            self.processor = SignalProjections(channels, context_channels, len(scales), ops)

    def forward(
        self, x: Tensor, context: Tensor | None = None, signals: tuple[RegionCondition, ...] = ()
    ) -> Tensor:
        """Attend from (n, l, c) to the identity (n, s, c') and to every signal that speaks.

        Returns:
            (n, l, c), or (n, 1, c) where all tokens of a row get the same.
        """
        out = super().forward(x, context)
        for i, (signal, scale) in enumerate(zip(signals, self.scales, strict=False)):
            if signal.tokens is not None:
                out = self._add(out, x, i, signal.tokens, scale, signal.region)
        return out

    def _add(
        self,
        out: Tensor,
        x: Tensor,
        which: int,
        tokens: Tensor,
        scale: float,
        region: TokenRegion | None,
    ) -> Tensor:
        """`out` with the term of one signal."""
        places = None if region is None or tokens.shape[1] == 1 else region.reached
        read = x if places is None else gather_tokens(x, places)
        term = scale * self._weigh(read, tokens, *self.processor.pair(which))
        term = F.linear(term, self.weights_of(self.to_out[0], x)[0])
        if region is None:
            return out + term
        weight = repeat_per_video(region.weight, len(x)).to(term)
        if places is None:
            return torch.addcmul(out, term, weight)
        term = term * gather_tokens(weight, places)
        return scatter_add_tokens(out.expand_as(x).clone(), places, term)


class SignalProjections(nn.Module):
    """The extra key and value projections of the signals (0 audio, 1 expression)."""

    def __init__(self, channels: int, context_channels: int, count: int, ops: Ops = nn) -> None:
        super().__init__()
        self.to_k_ip, self.to_v_ip = (
            nn.ModuleList(ops.Linear(context_channels, channels, bias=False) for _ in range(count))
            for _ in "kv"
        )

    def pair(self, index: int) -> tuple[nn.Module, nn.Module]:
        """Key and value projection of one signal."""
        return self.to_k_ip[index], self.to_v_ip[index]


TOKENS_AT_ONCE = 65_536
"""A feed-forward is twelve times as wide inside: so many tokens keep a GPU busy and memory low."""


class FeedForward(nn.Module):
    """GEGLU, then a linear layer, under diffusers' names (`net.0.proj`, `net.2`)."""

    def __init__(self, channels: int, ops: Ops = nn) -> None:
        super().__init__()
        inner = 4 * channels
        self.net = nn.ModuleList([GEGLU(channels, inner, ops), nn.Identity()])
        self.net.append(ops.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, l, c) -> (n, l, c), some rows at a time."""
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

    def __init__(self, channels: int, inner: int, ops: Ops = nn) -> None:
        super().__init__()
        self.proj = ops.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        """(n, l, c) -> (n, l, inner)."""
        return geglu(self.proj(x))
