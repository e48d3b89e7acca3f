"""What stands between the products of matrices, each in as few passes over memory as can be.

On a GPU, half of a forward goes into norms, gates and sums if each of their steps reads and writes
memory anew. Triton does them in one or two, in half precision, where no gradients are wanted; plain
torch does everywhere else. Feature maps come out of Triton with their channels last, which is how
tensor cores want them and how tokens lie, so that hardly anything is ever transposed.

Letters: b rows, c channels, … any sizes.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import jit

__all__ = ["add_with_bias", "geglu", "group_norm", "layer_norm"]

TYPES = (torch.float16, torch.bfloat16)


def group_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    groups: int,
    eps: float,
    shift: Tensor | None = None,
    with_silu: bool = False,
) -> Tensor:
    """Normalise x (b, c, …) + shift (b, c) in groups of channels; SiLU after it if `with_silu`."""
    return _run("group_norm", _group_norm, x, weight, bias, groups, eps, shift, with_silu)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise x (…, c) over its channels."""
    return _run("layer_norm", _layer_norm, x, weight, bias, eps)


def geglu(x: Tensor) -> Tensor:
    """Values and then their gates (…, 2c) -> values · GELU(gates) (…, c)."""
    return _run("geglu", _geglu, x)


def add_with_bias(x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
    """X + y (b, c, …) + bias (c,)."""
    return _run("add_with_bias", _add_with_bias, x, y, bias)


def _run(name: str, plain: Callable[..., Tensor], *arguments: object) -> Tensor:
    def run_kernel() -> Tensor:
        from . import triton

        out: Tensor = getattr(triton, name)(*arguments)
        return out

    if not _can_fuse(arguments):
        return plain(*arguments)
    return jit.run_or_fall_back(name, run_kernel, lambda: plain(*arguments))


def _can_fuse(arguments: tuple[object, ...]) -> bool:
    """Whether Triton may run; a compiler of whole graphs joins such steps by itself."""
    tensors = [x for x in arguments if isinstance(x, Tensor)]
    return (
        all(x.is_cuda and x.dtype in TYPES and x.numel() for x in tensors)
        and not (torch.is_grad_enabled() and any(x.requires_grad for x in tensors))
        and not torch.compiler.is_compiling()
    )


# In plain torch ----------------------------------------------------------------------------------


def _group_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    groups: int,
    eps: float,
    shift: Tensor | None,
    with_silu: bool,
) -> Tensor:
    if shift is not None:
        x = x + shift.view(*shift.shape, *[1] * (x.ndim - 2))
    y = F.group_norm(x, groups, weight, bias, eps)
    return F.silu(y) if with_silu else y


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def _geglu(x: Tensor) -> Tensor:
    value, gate = x.chunk(2, dim=-1)
    return value * F.gelu(gate)


def _add_with_bias(x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
    return x + (y if bias is None else y + bias.view(-1, *[1] * (y.ndim - 2)))
