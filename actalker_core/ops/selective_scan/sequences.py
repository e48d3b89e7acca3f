"""What a branch gives the scan to walk."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScanInput:
    """What a branch scans: image tokens and, after them, a tail whose own outputs are not wanted.

    Letters: k directions (even ones forwards, odd ones backwards), b rows, m image tokens, t tail
    tokens, s stored tokens, d channels, n state. A forward direction ends at the last image token;
    a backward one walks the tail first.

    Attributes:
        x: (b, s, d) tokens of any float type.
        delta: (k, b, s, d) steps before bias and softplus.
        B, C: (k, b, s, n).
        A: (k, d, n) negative.
        D: (k, d) skip. bias: (k, d) of the steps.
        tail: t, the last stored tokens.
        order: (b or 1, m) int64 places in storage of the image tokens; None when they are the
            first s − t in order.
        counts: (b,) int64 how many of a row's image tokens are there, the first ones of its
            order; the scan skips the others and puts out 0 for them. None when all are.
    """

    x: Tensor
    delta: Tensor
    B: Tensor
    C: Tensor
    A: Tensor
    D: Tensor
    bias: Tensor
    tail: int = 0
    order: Tensor | None = None
    counts: Tensor | None = None

    @property
    def image_tokens(self) -> int:
        """How many tokens a row puts out, m."""
        return self.x.shape[1] - self.tail if self.order is None else self.order.shape[1]

    def places(self) -> Tensor:
        """(b or 1, m + t) places in storage of the image tokens and then of the tail."""
        stored = torch.arange(self.x.shape[1], device=self.x.device)
        if self.order is None:
            return stored[None]
        tail = stored[stored.shape[0] - self.tail :].expand(self.order.shape[0], -1)
        return torch.cat([self.order, tail], dim=1)

    def padding(self) -> Tensor | None:
        """(b, m, 1) True at image tokens that are not there; None when all are."""
        if self.counts is None:
            return None
        image = torch.arange(self.image_tokens, device=self.x.device)
        return image[:, None] >= self.counts[:, None, None]

    def in_order(self, x: Tensor) -> Tensor:
        """Stored tokens (b, s, ·) as the image tokens and then the tail."""
        if self.order is None:
            return x
        rows, stored = x.shape[:2]
        places = self.places() + torch.arange(0, rows * stored, stored, device=x.device)[:, None]
        ordered: Tensor = x.flatten(0, 1).index_select(0, places.flatten())
        return ordered.view(*places.shape, x.shape[2])

    def differentiable(self) -> tuple[Tensor, ...]:
        """All that gradients may be wanted of."""
        return self.x, self.delta, self.B, self.C, self.A, self.D, self.bias
