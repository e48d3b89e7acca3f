"""What a weight may be: an ordinary tensor of finite numbers that its type can hold."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ....errors import CheckpointError, quote

FLOAT_DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
"""What weights may be stored in."""
NAMED = 4
"""So many names stand in a message."""


def abbreviate(names: list[str]) -> str:
    """The first few of many names."""
    return ", ".join(map(quote, names[:NAMED])) + (", …" if len(names) > NAMED else "")


def describe_unreadable(tensor: Tensor) -> str | None:
    """What keeps a tensor from being read as an ordinary one, or None."""
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
    """Why a tensor cannot be kept in a type, or None. Reads it once, which takes no memory."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if not dtype.is_floating_point:
        return None if _counts(tensor) else f"has {kind} instead of whole numbers"
    if tensor.dtype not in FLOAT_DTYPES:
        return f"has {kind} instead of float numbers"
    if not tensor.numel():
        return None
    tensor = tensor.float() if tensor.element_size() == 1 else tensor
    least, greatest = (float(edge) for edge in torch.aminmax(tensor.detach()))
    if not abs(least) + abs(greatest) < torch.inf:
        return "has NaN or infinite numbers"
    wanted = str(dtype).removeprefix("torch.")
    most, peak = torch.finfo(dtype).max, max(-least, greatest)
    return f"has {peak:.3g}, beyond the {most:.3g} of {wanted}" if peak > most else None


def _counts(tensor: Tensor) -> bool:
    return tensor.dtype in FLOAT_DTYPES or not (tensor.is_complex() or tensor.dtype == torch.bool)


def refuse_tensors(misfits: Mapping[str, str], path: Path) -> None:
    """Complain of tensors that do not fit.

    Args:
        misfits: what is wrong, by name.

    Raises:
        CheckpointError: there are some.
    """
    if not misfits:
        return
    name, what = next(iter(misfits.items()))
    others = list(misfits)[1:]
    more = f" {len(others)} more do not fit either: {abbreviate(others)}." if others else ""
    raise CheckpointError(
        f"{path}: expected ordinary tensors of finite numbers that their type can hold, but "
        f"{quote(name)} {what}.{more} Choose fp32 or bf16 if the type is too narrow; else get "
        "the file again from its source."
    )
