"""The scan in Triton as an operator that torch can trace; other backends where that cannot run.

Triton is imported and the kernel compiled at the first scan only.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from .. import jit
from . import in_turn
from .selective import announce
from .sequences import Sequences

NAME = "selective scan"
DEVICE_TYPES = ("cuda", "meta")
"""Of the tensors that are given to Triton; those without values are asked for their shapes only."""

_FIELDS = tuple(field.name for field in fields(Sequences))


def can_scan(branches: Sequence[Sequences]) -> bool:
    """Whether Triton may be asked: it has not failed yet, and these are tensors that it takes."""
    return jit.is_usable(NAME) and bool(branches) and all(map(_is_taken, branches))


def scan(branches: Sequence[Sequences]) -> list[Tensor]:
    """As `scan_branches`, in one node of a traced graph; not differentiable."""
    values = ([getattr(branch, name) for branch in branches] for name in _FIELDS)
    outputs: list[Tensor] = _scan(*values)
    return outputs


def _is_taken(branch: Sequences) -> bool:
    return (
        branch.x.device.type in DEVICE_TYPES
        and branch.x.dtype != torch.float64
        and not (torch.is_grad_enabled() and any(t.requires_grad for t in branch.differentiable()))
    )


@torch.library.custom_op(
    "actalker::scan_branches",
    mutates_args=(),
    schema="(Tensor[] x, Tensor[] delta, Tensor[] B, Tensor[] C, Tensor[] A, Tensor[] D, "
    "Tensor[] bias, SymInt[] tail, Tensor?[] order, Tensor?[] counts) -> Tensor[]",
)
def _scan(*values: Sequence[Any]) -> list[Tensor]:
    """`values` are the fields of all branches, in the order of `Sequences`."""
    branches = _branches(values)
    return jit.either(NAME, lambda: _fused(branches), lambda: list(in_turn.scan(branches, "auto")))


def _fused(branches: Sequence[Sequences]) -> list[Tensor]:
    from . import triton

    outputs = triton.scan(branches)
    announce("triton", "triton", branches[0].x.device.type)
    return outputs


@_scan.register_fake
def _(*values: Sequence[Any]) -> list[Tensor]:
    return [
        branch.x.new_empty(branch.x.shape[0], branch.image_tokens, branch.x.shape[2])
        for branch in _branches(values)
    ]


def _branches(values: Sequence[Sequence[Any]]) -> list[Sequences]:
    return [Sequences(*branch) for branch in zip(*values, strict=True)]
