"""What a weight may be: an ordinary tensor of finite numbers that its type can hold."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, quote

FLOAT_DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
"""What weights may be stored in."""
MAX_NAMES = 4
"""So many names stand in a message."""


def abbreviate(names: list[str]) -> str:
    """The first few of many names."""
    return ", ".join(map(quote, names[:MAX_NAMES])) + (", …" if len(names) > MAX_NAMES else "")


def describe_unreadable(tensor: Tensor) -> str | None:
    """What keeps a tensor (…) from being read as an ordinary one, or None."""
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.is_nested:
        return "is of a special kind"
    if tensor.is_quantized:
        return "is quantised"
    if tensor.layout != torch.strided:
        return f"is {str(tensor.layout).removeprefix('torch.')}"
    if tensor.device.type != "cpu":
        return "has no numbers"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "claims more numbers than the file holds"
    return None


def describe_misfit(tensor: Tensor, dtype: torch.dtype) -> str | None:
    """Why a tensor (…) cannot be kept in a type, or None.

    One pass for both extremes, as a mask of finite numbers would need memory.
    """
    kind = str(tensor.dtype).removeprefix("torch.")
    if not dtype.is_floating_point:
        return None if _holds_numbers(tensor) else f"has {kind} instead of whole numbers"
    if tensor.dtype not in FLOAT_DTYPES:
        return f"has {kind} instead of float numbers"
    if not tensor.numel():
        return None
    tensor = tensor.float() if tensor.element_size() == 1 else tensor
    least, greatest = (float(edge) for edge in torch.aminmax(tensor.detach()))
    if not abs(least) + abs(greatest) < torch.inf:
        return "has NaN or infinite numbers"
    type_name = str(dtype).removeprefix("torch.")
    limit, peak = torch.finfo(dtype).max, max(-least, greatest)
    return f"has {peak:.3g}, beyond the {limit:.3g} of {type_name}" if peak > limit else None


def _holds_numbers(tensor: Tensor) -> bool:
    return tensor.dtype in FLOAT_DTYPES or not (tensor.is_complex() or tensor.dtype == torch.bool)


def refuse_tensors(faults: Mapping[str, str], path: Path) -> None:
    """Complain of tensors that do not fit.

    Args:
        faults: name of a tensor -> what is wrong with it.

    Raises:
        CheckpointError: there are some.
    """
    if not faults:
        return
    name, fault = next(iter(faults.items()))
    rest = list(faults)[1:]
    more = f" {len(rest)} more do not fit either: {abbreviate(rest)}." if rest else ""
    raise CheckpointError(
        f"{path}: expected ordinary tensors of finite numbers that their type can hold, but "
        f"{quote(name)} {fault}.{more} Choose fp32 or bf16 if the type is too narrow; else get "
        "the file again from its source."
    )
