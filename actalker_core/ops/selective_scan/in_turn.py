"""The scans of whole branches one after the other: on any device and backend, with gradients."""

import math
from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from .selective import selective_scan
from .sequences import ScanInput


@torch.compiler.disable  # type: ignore[untyped-decorator]  # tracing unrolls all tokens
def scan(branches: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """As `scan_branches`, one direction of one branch after the other."""
    return [_scan_branch(branch, backend) for branch in branches]


def _scan_branch(branch: ScanInput, backend: str) -> Tensor:
    padding = branch.padding()
    x = branch.in_order(branch.x)
    outputs = [_scan_direction(branch, k, x, padding, backend) for k in range(branch.A.shape[0])]
    y = reduce(torch.add, outputs)
    return y if padding is None else y.masked_fill(padding, 0)


def _scan_direction(
    branch: ScanInput, k: int, x: Tensor, padding: Tensor | None, backend: str
) -> Tensor:
    backward = k % 2 == 1
    image = branch.image_tokens
    read = slice(None if backward else image)
    delta, B, C = (branch.in_order(of[k])[:, read] for of in (branch.delta, branch.B, branch.C))
    if padding is not None:
        padding = F.pad(padding, (0, 0, 0, delta.shape[1] - image))
        delta = delta.masked_fill(padding, -math.inf)
    y: Tensor = selective_scan(
        x[:, read],
        delta,
        branch.A[k],
        B.unsqueeze(2),  # b s n -> b s g n
        C.unsqueeze(2),
        branch.D[k],
        branch.bias[k],
        reverse=backward,
        backend=backend,
    )
    return y[:, :image]
