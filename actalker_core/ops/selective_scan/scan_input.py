"""What a scan walks, and which of its outputs are wanted."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScanInput:
    """Image tokens and, after them, a context suffix whose own outputs are not wanted.

    A walk only passes on what it has met. A forward one would meet the suffix after the last output
    that is wanted, so that it ends before it; a backward one starts with it, which is how context
    reaches the image tokens. It takes both for a token to see what stands on either side of it.

    Letters: k directions (even ones forwards, odd ones backwards), b rows, m image tokens, t suffix
    tokens, l stored tokens, d channels, n state.

    Attributes:
        x: (b, l, d) tokens of any float type.
        delta: (k, b, l, d) steps before bias and softplus.
        B, C: (k, b, l, n).
        A: (k, d, n) negative.
        D: (k, d) skip. bias: (k, d) of the steps.
        suffix_len: t, the last stored tokens.
        order: (b or 1, m) int64 indices of the image tokens in storage; None when they are the
            first l − t in order.
        seq_lens: (b,) int64 how many of a row's image tokens are walked, the first ones of its
            order; the others are padding, for which 0 is put out. None when all are.
    """

    x: Tensor
    delta: Tensor
    B: Tensor
    C: Tensor
    A: Tensor
    D: Tensor
    bias: Tensor
    suffix_len: int = 0
    order: Tensor | None = None
    seq_lens: Tensor | None = None

    @property
    def image_tokens(self) -> int:
        """How many tokens a row puts out, m."""
        return self.x.shape[1] - self.suffix_len if self.order is None else self.order.shape[1]

    def storage_idx(self) -> Tensor:
        """Indices (b, m + t) in storage of image tokens and suffix; b is 1 where rows share."""
        idx = torch.arange(self.x.shape[1], device=self.x.device)
        if self.order is None:
            return idx[None]
        suffix = idx[len(idx) - self.suffix_len :].expand(len(self.order), -1)
        return torch.cat([self.order, suffix], dim=1)

    def pad_mask(self) -> Tensor | None:
        """(b, m, 1) True at image tokens that are padding; None when none is."""
        if self.seq_lens is None:
            return None
        position = torch.arange(self.image_tokens, device=self.x.device)
        return position[:, None] >= self.seq_lens[:, None, None]

    def in_order(self, x: Tensor) -> Tensor:
        """Stored tokens (b, l, …) as the image tokens and then the suffix: (b, m + t, …)."""
        if self.order is None:
            return x
        rows, length = x.shape[:2]
        first = torch.arange(0, rows * length, length, device=x.device)
        idx = self.storage_idx() + first[:, None]
        tokens: Tensor = x.flatten(0, 1).index_select(0, idx.flatten())
        return tokens.view(*idx.shape, x.shape[2])

    def differentiable(self) -> tuple[Tensor, ...]:
        """All that gradients may be wanted of: x (b, l, d), delta, B, C, A, D, bias."""
        return self.x, self.delta, self.B, self.C, self.A, self.D, self.bias
