"""The selective scan: one function, several backends, one result.

Letters: b rows, l tokens, d channels, n state, g groups.

    h[0] = 0
    h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] u[t]        h: (d, n)
    y[t] = C[t] h[t] + D u[t]                                 delta = softplus(delta + bias)

A is negative: the state h fades the faster the larger the step delta is, and a step of 0, which is
softplus of −∞, neither fades it nor adds to it.

Source: Gu and Dao, "Mamba", arXiv 2312.00752, algorithm 2.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError, check_choice
from . import chunked, mamba_ssm_cuda, reference, trainable

log = logging.getLogger(__name__)

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, bool], Tensor]
BACKENDS: dict[str, Scan] = {
    "reference": reference.scan_reference,
    "chunked": chunked.scan_chunked,
    "mamba_ssm": mamba_ssm_cuda.scan_mamba_ssm,
}
CHOICES = ("auto", *BACKENDS, "triton")
"""`triton` scans several inputs at once only (`scan_inputs`); here it stands for the default."""


@torch.compiler.disable  # type: ignore[untyped-decorator]  # tracing unrolls all tokens
def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    reverse: bool = False,
    backend: str = "auto",
) -> Tensor:
    """Scan the tokens of each row, in float64 if `u` is float64 and in float32 otherwise.

    Args:
        u: (b, l, d) input.
        delta: (b, l, d) step before softplus; −inf leaves the state as it is at that token.
        A: (d, n). B, C: (b, l, g, n); channel c reads group floor(c g / d).
        D: (d,) skip. delta_bias: (d,) added before softplus.
        reverse: walk from the last token to the first.
        backend: one of `CHOICES`; one that cannot run here gives way to the default, and each
            to `trainable` where gradients are wanted.

    Returns:
        (b, l, d) in the type of `u`.

    Raises:
        InputError: unknown backend, or channels that the groups do not divide.
    """
    _check(u, delta, B, C)
    if not u.numel():
        return torch.empty_like(u)
    # A state is a sum over all tokens before: in half precision it would forget the small ones.
    exact = torch.float64 if u.dtype == torch.float64 else torch.float32
    x, A, B, C = (t.to(exact) for t in (u, A, B, C))
    delta = delta.to(exact) if delta_bias is None else delta.to(exact) + delta_bias.to(exact)
    delta = F.softplus(delta)
    needs_grad = torch.is_grad_enabled() and any(t.requires_grad for t in (x, delta, A, B, C))
    run = BACKENDS[choose_backend(backend, u.device.type, exact)]
    if needs_grad:
        run = trainable.scan_with_gradients
    with _without_autocast(u.device.type):
        y = run(x, delta, A, B, C, reverse)
    return (y if D is None else torch.addcmul(y, x, D.to(exact))).to(u.dtype)


def _without_autocast(device_type: str) -> AbstractContextManager[object]:
    """Keep matrix products from being cast down, which the state of a scan does not bear."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


def choose_backend(name: str, device_type: str, dtype: torch.dtype = torch.float32) -> str:
    """The backend that will run, said once in the log.

    Raises:
        InputError: `name` is not one of `CHOICES`.
    """
    check_choice("Scan backend", name, CHOICES)
    fast = device_type == "cuda" and dtype == torch.float32 and mamba_ssm_cuda.is_installed()
    default = "mamba_ssm" if fast else "chunked"
    can_run = name in BACKENDS and (name != "mamba_ssm" or fast)
    backend = name if can_run else default
    announce(name, backend, device_type)
    return backend


@cache
def announce(name: str, backend: str, device_type: str) -> None:
    """Say in the log which backend runs for a name, the first time it does."""
    why = "" if name in ("auto", backend) else f"; '{name}' is not available here"
    log.info("Selective scan: %s on %s%s", backend, device_type, why)


def _check(u: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> None:
    groups = B.shape[2] if B.ndim == 4 else 0
    if u.shape != delta.shape or B.shape != C.shape or not groups or u.shape[2] % groups:
        raise InputError(
            "Selective scan: expected u and delta (b, l, d), B and C (b, l, g, n) with g dividing "
            f"d, got {tuple(u.shape)}, {tuple(delta.shape)}, {tuple(B.shape)}, {tuple(C.shape)}. "
            "Change their shapes."
        )
