"""The scan in Triton as an operator that torch can trace, and its giving way where it fails.

Triton is imported and the kernel compiled at the first scan only. What can go wrong there, such as
a missing compiler, lies in the machine and not in the scan: other backends take over for good.
"""

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from . import in_turn
from .selective import announce
from .sequences import Sequences

log = logging.getLogger(__name__)

DEVICE_TYPES = ("cuda", "meta")
"""Of the tensors that are given to Triton; those without values are asked for their shapes only."""

_is_usable = importlib.util.find_spec("triton") is not None
_FIELDS = tuple(field.name for field in fields(Sequences))


def can_scan(branches: Sequence[Sequences]) -> bool:
    """Whether Triton may be asked: it has not failed yet, and these are tensors that it takes."""
    return _is_usable and bool(branches) and all(map(_is_taken, branches))


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
    try:
        from . import triton

        outputs = triton.scan(branches)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:
        _give_way(error)
        return list(in_turn.scan(branches, "auto"))
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


def _give_way(error: Exception) -> None:
    global _is_usable
    _is_usable = False
    reason = next(iter(str(error).splitlines()), "")
    log.warning(
        "Selective scan: Triton cannot run here (%s: %s); other backends take over",
        type(error).__name__,
        reason,
    )
