"""The scans of whole branches: in one launch of Triton, or in turn where that cannot run.

In a graph that torch traces they are one operator either way.
"""

from collections.abc import Sequence

from torch import Tensor

from . import in_turn, operator
from .sequences import ScanInput

__all__ = ["ScanInput", "scan_branches"]


def scan_branches(branches: Sequence[ScanInput], backend: str = "auto") -> list[Tensor]:
    """Scan all branches, in one launch where Triton runs.

    Args:
        branches: each with its own tokens.
        backend: one of `CHOICES`; one that cannot run here gives way to the default. Triton runs
            on CUDA, below float64 and where no gradients are wanted.

    Returns:
        (b, m, d) for each branch: the outputs of its directions added, skip term included, in
        the type of x.

    Raises:
        InputError: unknown backend.
    """
    if operator.can_scan(branches, backend):
        return operator.scan(branches, backend)
    outputs: list[Tensor] = in_turn.scan(branches, backend)
    return outputs
