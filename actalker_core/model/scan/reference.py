"""The selective scan written to be read; the oracle of the faster backends.

Keeps whole (batch, length, channels, state) tensors, so it is slow and large, but it is
differentiable and exact in float64.
"""

import torch
from torch import Tensor


def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool) -> Tensor:
    """Run h = exp(delta A) h + delta u B, y = C h along the tokens.

    Args:
        u, delta: (b, l, d); delta is already positive.
        A: (d, n). B, C: (b, l, g, n); channel c reads group floor(c g / d).
        reverse: start at the last token.

    Returns:
        (b, l, d), without the skip term.
    """
    per_channel = u.shape[2] // B.shape[2]
    B, C = (m.repeat_interleave(per_channel, dim=2) for m in (B, C))  # b l d n
    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, A))
    drive = torch.einsum("bld,bldn->bldn", delta * u, B)
    h = torch.zeros_like(drive[:, 0])
    outputs = [h[..., 0]] * u.shape[1]
    for t in _order(u.shape[1], reverse):
        h = decay[:, t] * h + drive[:, t]
        outputs[t] = torch.einsum("bdn,bdn->bd", h, C[:, t])
    return torch.stack(outputs, dim=1)


def _order(length: int, reverse: bool) -> range:
    return range(length - 1, -1, -1) if reverse else range(length)
