"""Several scans one after the other: on any device and backend, with gradients."""

import math
from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from .scan_input import ScanInput
from .selective import selective_scan


@torch.compiler.disable  # type: ignore[untyped-decorator]  # tracing unrolls all tokens
def scan_sequentially(inputs: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """As `scan_inputs`, one direction of one input after the other: (b, m, d) for each."""
    return [_scan_directions(scan, backend) for scan in inputs]


def _scan_directions(scan: ScanInput, backend: str) -> Tensor:
    pad_mask = scan.pad_mask()
    x = scan.in_order(scan.x)
    outputs = [_scan_direction(scan, k, x, pad_mask, backend) for k in range(scan.A.shape[0])]
    y = reduce(torch.add, outputs)
    return y if pad_mask is None else y.masked_fill(pad_mask, 0)


def _scan_direction(
    scan: ScanInput, k: int, x: Tensor, pad_mask: Tensor | None, backend: str
) -> Tensor:
    is_backward = k % 2 == 1
    image_tokens = scan.image_tokens
    span = slice(
        None if is_backward else image_tokens
    )  # forwards, the suffix would change no output
    delta, B, C = (scan.in_order(x[k])[:, span] for x in (scan.delta, scan.B, scan.C))
    if pad_mask is not None:
        # softplus(−∞) = 0: h = exp(0 A) h + 0 · B u, so that padding leaves the state as it was.
        pad_mask = F.pad(pad_mask, (0, 0, 0, delta.shape[1] - image_tokens))
        delta = delta.masked_fill(pad_mask, -math.inf)
    y: Tensor = selective_scan(
        x[:, span],
        delta,
        scan.A[k],
        B.unsqueeze(2),  # b l n -> b l g n
        C.unsqueeze(2),
        scan.D[k],
        scan.bias[k],
        reverse=is_backward,
        backend=backend,
    )
    return y[:, :image_tokens]
