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
from . import in_turn
from .selective import announce
from .sequences import ScanInput

NAME = "selective scan"
DEVICE_TYPES = ("cuda", "meta")
"""Of the tensors that are given to Triton; those without values are asked for their shapes only."""

_FIELDS = tuple(field.name for field in fields(ScanInput))


def can_scan(branches: Sequence[ScanInput], backend: str) -> bool:
    """Whether the operator serves: where Triton runs, and in a traced graph, to keep it whole."""
    if not branches or any(map(_wants_gradients, branches)):
        return False
    return torch.compiler.is_compiling() or _is_for_triton(branches, backend)


def scan(branches: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """As `scan_branches`, in one node of a traced graph; not differentiable."""
    values = ([getattr(branch, name) for branch in branches] for name in _FIELDS)
    outputs: list[Tensor] = _scan(*values, backend)
    return outputs


def _wants_gradients(branch: ScanInput) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in branch.differentiable())


def _is_for_triton(branches: Sequence[ScanInput], backend: str) -> bool:
    """Whether Triton is wanted, has not failed yet, and takes these tensors."""
    return (
        backend in ("auto", "triton")
        and jit.is_usable(NAME)
        and all(b.x.device.type in DEVICE_TYPES and b.x.dtype != torch.float64 for b in branches)
    )


@torch.library.custom_op(
    "actalker::scan_branches",
    mutates_args=(),
    schema="(Tensor[] x, Tensor[] delta, Tensor[] B, Tensor[] C, Tensor[] A, Tensor[] D, "
    "Tensor[] bias, SymInt[] tail, Tensor?[] order, Tensor?[] counts, str backend) -> Tensor[]",
)
def _scan(*values: Any) -> list[Tensor]:
    """The fields of all branches, in the order of `ScanInput`, and the backend."""
    *given, backend = values
    branches = _branches(given)
    one_by_one = partial(_in_turn, branches, backend)
    if _is_for_triton(branches, backend):
        return jit.run_or_fall_back(NAME, lambda: _fused(branches), one_by_one)
    return one_by_one()


def _in_turn(branches: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """Laid out as a traced graph was told, whatever the backend makes."""
    return [y.contiguous() for y in in_turn.scan(branches, backend)]


def _fused(branches: Sequence[ScanInput]) -> list[Tensor]:
    from . import triton

    outputs = triton.scan(branches)
    announce("triton", "triton", branches[0].x.device.type)
    return outputs


@_scan.register_fake
def _(*values: Any) -> list[Tensor]:
    return [
        branch.x.new_empty(branch.x.shape[0], branch.image_tokens, branch.x.shape[2])
        for branch in _branches(values[:-1])
    ]


def _branches(values: Sequence[Sequence[Any]]) -> list[ScanInput]:
    return [ScanInput(*branch) for branch in zip(*values, strict=True)]
