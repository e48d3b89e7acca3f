"""The selective scan written to be read; the oracle of the faster backends.

It keeps the axis order and the steps of the published reference ((b, d, l, n): discretise every
token, then walk), so that the two can be held against each other. Slow and large, but
differentiable, and exact in float64.
"""

import torch
from torch import Tensor


def scan_reference(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool
) -> Tensor:
    """Run h = exp(delta A) h + delta u B, y = C h along the tokens.

    Args:
        u, delta: (b, l, d); delta is already positive.
        A: (d, n). B, C: (b, l, g, n); channel c reads group floor(c g / d).
        reverse: start at the last token.

    Returns:
        (b, l, d), without the skip term.
    """
    length, per_group = u.shape[1], u.shape[2] // B.shape[2]
    u, delta = u.transpose(1, 2), delta.transpose(1, 2)  # b l d -> b d l
    B, C = (m.permute(0, 2, 1, 3).repeat_interleave(per_group, dim=1) for m in (B, C))  # b d l n
    decay = torch.exp(torch.einsum("bdl,dn->bdln", delta, A))
    drive = torch.einsum("bdl,bdln->bdln", delta * u, B)
    h = torch.zeros_like(drive[:, :, 0])
    outputs = {}
    for t in reversed(range(length)) if reverse else range(length):
        h = decay[:, :, t] * h + drive[:, :, t]
        outputs[t] = torch.einsum("bdn,bdn->bd", h, C[:, :, t])
    return torch.stack([outputs[t] for t in range(length)], dim=1)
