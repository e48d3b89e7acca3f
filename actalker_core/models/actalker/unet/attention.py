"""The cross attention that the identity enters through, and each signal through its own region.

Letters: b rows (videos·frames), f frames, l query tokens, s context tokens, m those that a mask
reaches, c channels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.attention import Attention
from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps, weights_reader
from ..token_regions import TokenRegion
from .tokens import gather_tokens, repeat_per_video, scatter_add_tokens


@dataclass(frozen=True)
class RegionCondition:
    """One signal as a block reads it: its tokens and where they apply.

    Attributes:
        tokens: (b, s, c), or None where the signal's gate is shut.
        region: tokens of the current grid, or None for everywhere.
    """

    tokens: Tensor | None
    region: TokenRegion | None


class ControlledAttention(Attention):
    """Cross attention to the identity, plus one masked term per signal.

    out = project(attn(identity) + Σ scale · mask · attn(signal))

    Where the output projection is linear, each term is projected alone: one of a single token is
    one vector per row, and one with a region is computed at the tokens that its mask reaches.
    """

    def __init__(
        self,
        channels: int,
        context_channels: int,
        heads: int,
        scales: tuple[float, ...],
        ops: LayerOps = FUSED_LAYERS,
    ) -> None:
        super().__init__(channels, context_channels, heads, ops)
        self.scales = scales
        self.weights_of = weights_reader(ops)
        if scales:
            self.processor = SignalProjections(channels, context_channels, len(scales), ops)

    def forward(
        self, x: Tensor, context: Tensor | None = None, signals: tuple[RegionCondition, ...] = ()
    ) -> Tensor:
        """Attend from (b, l, c) to the identity (b, s, c') and to every signal with tokens.

        Returns:
            (b, l, c), or (b, 1, c) where all tokens of a row get the same.
        """
        terms = [
            (tokens, signal.region, scale, *self.processor.layers_of(i))
            for i, (signal, scale) in enumerate(zip(signals, self.scales, strict=False))
            if (tokens := signal.tokens) is not None
        ]
        if not terms:
            return super().forward(x, context)
        project = self.to_out[0]
        weights = self.weights_of(project, x)
        out = self.attend(x, x if context is None else context, self.to_k, self.to_v)
        if weights is not None:
            out = project(out)  # with its bias, which must be added once only
        for term in terms:
            out = self._add(out, x, *term, None if weights is None else weights[0])
        return out if weights is not None else project(out)

    def _add(
        self,
        out: Tensor,
        x: Tensor,
        tokens: Tensor,
        region: TokenRegion | None,
        scale: float,
        to_k: nn.Module,
        to_v: nn.Module,
        matrix: Tensor | None,
    ) -> Tensor:
        """`out` with the term of one signal, projected by a matrix (c, c) if there is one."""
        # A single token's term is one vector per row: gathering queries would only cost.
        idx = None if region is None or tokens.shape[1] == 1 else region.support_idx
        queries = x if idx is None else gather_tokens(x, idx)
        term = scale * self.attend(queries, tokens, to_k, to_v)
        if matrix is not None:
            term = F.linear(term, matrix)
        if region is None:
            return out + term
        weight = repeat_per_video(region.weight, len(x)).to(term)
        if idx is None:
            return torch.addcmul(out, term, weight)
        term = term * gather_tokens(weight, idx)
        return scatter_add_tokens(out.expand_as(x).clone(), idx, term)


class SignalProjections(nn.Module):
    """The extra key and value projections of the signals (0 audio, 1 expression)."""

    def __init__(
        self, channels: int, context_channels: int, count: int, ops: LayerOps = FUSED_LAYERS
    ) -> None:
        super().__init__()
        self.to_k_ip, self.to_v_ip = (
            nn.ModuleList(ops.Linear(context_channels, channels, bias=False) for _ in range(count))
            for _ in "kv"
        )

    def layers_of(self, index: int) -> tuple[nn.Module, nn.Module]:
        """Key and value projection of one signal."""
        return self.to_k_ip[index], self.to_v_ip[index]
