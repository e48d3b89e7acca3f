"""Several scans at once: in one launch of Triton, or one after the other where that cannot run.

In a graph that torch traces they are one operator either way.
"""

from collections.abc import Sequence

from torch import Tensor

from .operator import can_scan_as_operator, scan_as_operator
from .scan_input import ScanInput
from .sequential import scan_sequentially


def scan_inputs(inputs: Sequence[ScanInput], backend: str = "auto") -> list[Tensor]:
    """Scan all inputs, in one launch where Triton runs.

    Args:
        inputs: each with its own tokens.
        backend: one of `CHOICES`; one that cannot run here gives way to the default. Triton runs
            on CUDA, below float64 and where no gradients are wanted.

    Returns:
        (b, m, d) for each input: the outputs of its directions added, skip term included, in
        the type of x.

    Raises:
        InputError: unknown backend.
    """
    if can_scan_as_operator(inputs, backend):
        return scan_as_operator(inputs, backend)
    outputs: list[Tensor] = scan_sequentially(inputs, backend)
    return outputs
