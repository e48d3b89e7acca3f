"""The scans as one operator that torch can trace: in Triton, or by other backends.

Triton is imported and the kernel compiled at the first scan only.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import jit
from .scan_input import ScanInput
from .selective import announce
from .sequential import scan_sequentially

NAME = "selective scan"
DEVICE_TYPES = ("cuda", "meta")
"""Of the tensors that Triton takes; those without values are asked for their shapes only."""

_FIELDS = tuple(field.name for field in fields(ScanInput))


def can_scan_as_operator(inputs: Sequence[ScanInput], backend: str) -> bool:
    """Whether the operator runs: where Triton does, and in a traced graph, to keep that whole."""
    if not inputs or any(map(_wants_gradients, inputs)):
        return False
    return torch.compiler.is_compiling() or _is_for_triton(inputs, backend)


def scan_as_operator(inputs: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """As `scan_inputs`, in one node of a traced graph; not differentiable.

    An operator takes tensors and lists of them, so that the inputs are handed over field by field.
    """
    values = ([getattr(scan, name) for scan in inputs] for name in _FIELDS)
    outputs: list[Tensor] = _scan(*values, backend)
    return outputs


def _wants_gradients(scan: ScanInput) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in scan.differentiable())


def _is_for_triton(inputs: Sequence[ScanInput], backend: str) -> bool:
    """Whether Triton is wanted, has not failed yet, and takes these tensors."""
    return (
        backend in ("auto", "triton")
        and jit.is_usable(NAME)
        and all(
            scan.x.device.type in DEVICE_TYPES and scan.x.dtype != torch.float64 for scan in inputs
        )
    )


@torch.library.custom_op(
    "actalker::scan_inputs",
    mutates_args=(),
    schema="(Tensor[] x, Tensor[] delta, Tensor[] B, Tensor[] C, Tensor[] A, Tensor[] D, "
    "Tensor[] bias, SymInt[] suffix_len, Tensor?[] order, Tensor?[] seq_lens, str backend) "
    "-> Tensor[]",
)
def _scan(*values: Any) -> list[Tensor]:
    """The fields of all inputs, each as one list in the order of `ScanInput`, and the backend."""
    *lists, backend = values
    inputs = _inputs(lists)
    fallback = partial(_scan_contiguous, inputs, backend)
    if _is_for_triton(inputs, backend):
        return jit.run_or_fall_back(NAME, lambda: _scan_with_triton(inputs), fallback)
    return fallback()


def _scan_contiguous(inputs: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """Laid out as `_scan`'s fake says to a traced graph, whatever the backend makes."""
    return [y.contiguous() for y in scan_sequentially(inputs, backend)]


def _scan_with_triton(inputs: Sequence[ScanInput]) -> list[Tensor]:
    from . import triton

    outputs = triton.scan_triton(inputs)
    announce("triton", "triton", inputs[0].x.device.type)
    return outputs


@_scan.register_fake
def _(*values: Any) -> list[Tensor]:
    return [
        scan.x.new_empty(scan.x.shape[0], scan.image_tokens, scan.x.shape[2])
        for scan in _inputs(values[:-1])
    ]


def _inputs(lists: Sequence[Sequence[Any]]) -> list[ScanInput]:
    return [ScanInput(*fields) for fields in zip(*lists, strict=True)]
