"""The selective scan through mamba-ssm's CUDA kernel, where that package is installed."""

import importlib.util

from torch import Tensor


def is_installed() -> bool:
    """Whether `mamba_ssm` can be found; nothing is imported."""
    return importlib.util.find_spec("mamba_ssm") is not None


def scan_mamba_ssm(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool
) -> Tensor:
    """As `scan_reference`, (b, l, d) -> (b, l, d).

    The kernel only walks forwards, so that `reverse` costs a flip before it and one after it.
    """
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    if reverse:
        u, delta, B, C = (x.flip(1) for x in (u, delta, B, C))
    y: Tensor = selective_scan_fn(
        u.transpose(1, 2).contiguous(),  # b l d -> b d l
        delta.transpose(1, 2).contiguous(),
        A.contiguous(),
        B.permute(0, 2, 3, 1).contiguous(),  # b l g n -> b g n l
        C.permute(0, 2, 3, 1).contiguous(),
    ).transpose(1, 2)
    return y.flip(1) if reverse else y
