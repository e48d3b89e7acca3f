"""What stands between the products of matrices, each in as few passes over memory as can be.

On a GPU, half of a forward goes into norms, gates and sums if each of their steps reads and writes
memory anew. Triton does them in one or two, in half precision, where no gradients are wanted; plain
torch does everywhere else. Pictures come out of Triton with their channels last, which is how
tensor cores want them and how tokens lie, so that hardly anything is ever transposed.

Letters: n rows, c channels, … any sizes.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import jit

__all__ = ["add_with_bias", "geglu", "group_norm", "layer_norm"]

WeightsOf = Callable[[Any, Tensor], tuple[Tensor, Tensor | None]]
TYPES = (torch.float16, torch.bfloat16)


def group_norm(
    layer: Any,
    x: Tensor,
    weights_of: WeightsOf,
    shift: Tensor | None = None,
    *,
    activated: bool = False,
) -> Tensor:
    """What a GroupNorm makes of x (n, c, …) + shift (n, c), through SiLU if `activated`."""
    weights = weights_of(layer, x)
    sizes = layer.num_groups, layer.eps
    return _run("group_norm", _group_norm, x, *weights, *sizes, shift, activated)


def layer_norm(layer: Any, x: Tensor, weights_of: WeightsOf) -> Tensor:
    """What a LayerNorm makes of x (…, c)."""
    return _run("layer_norm", _layer_norm, x, *weights_of(layer, x), layer.eps)


def geglu(x: Tensor) -> Tensor:
    """Values and then their gates (…, 2c) -> values · GELU(gates) (…, c)."""
    return _run("geglu", _geglu, x)


def add_with_bias(x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
    """X + y (n, c, …) + bias (c,)."""
    return _run("add_with_bias", _added, x, y, bias)


def _run(name: str, plain: Callable[..., Tensor], *given: object) -> Tensor:
    def fused() -> Tensor:
        from . import triton

        found: Tensor = getattr(triton, name)(*given)
        return found

    return (
        jit.run_or_fall_back(name, fused, lambda: plain(*given))
        if _is_taken(given)
        else plain(*given)
    )


def _is_taken(given: tuple[object, ...]) -> bool:
    """Whether Triton may be asked; a compiler of whole graphs joins such steps by itself."""
    tensors = [x for x in given if isinstance(x, Tensor)]
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
    activated: bool,
) -> Tensor:
    if shift is not None:
        x = x + shift.view(*shift.shape, *[1] * (x.ndim - 2))
    normed = F.group_norm(x, groups, weight, bias, eps)
    return F.silu(normed) if activated else normed


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def _geglu(x: Tensor) -> Tensor:
    value, gate = x.chunk(2, dim=-1)
    return value * F.gelu(gate)


def _added(x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
    return x + (y if bias is None else y + bias.view(-1, *[1] * (y.ndim - 2)))
