"""The selective scan with gradients: what training runs on.

Both directions of the chain rule are the same kind of walk, so that one fused multiply-add per
token serves each; everything else is done for all tokens at once. Keeps every state, which is the
price of gradients. The walked dimension lies outermost in memory. On a GPU a walk is one kernel, or
its many small steps would cost more than all else that training does.
"""

from typing import Any

import torch
from torch import Tensor

from .. import jit


def scan_with_gradients(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool
) -> Tensor:
    """As `scan_reference`, (b, l, d) -> (b, l, d); differentiable once in all tensors."""
    groups = B.shape[2]

    def split_groups(x: Tensor) -> Tensor:
        split: Tensor = x.transpose(0, 1).contiguous().unflatten(2, (groups, 1, -1))
        return split  # b l (g i) -> l b g 1 i

    y = _Scan.apply(  # type: ignore[no-untyped-call]
        split_groups(u),
        split_groups(delta),
        A.T.unflatten(1, (groups, -1)).transpose(0, 1).contiguous(),  # (g i) n -> g n i
        B.transpose(0, 1).contiguous()[..., None],  # b l g n -> l b g n 1
        C.transpose(0, 1).contiguous()[..., None],
        reverse,
    )
    out: Tensor = y.flatten(2).transpose(0, 1)
    return out


class _Scan(torch.autograd.Function):
    """Letters: l tokens, b batch, g groups, n state, i channels of a group."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool
    ) -> Tensor:
        """U, delta (l, b, g, 1, i), A (g, n, i), B and C (l, b, g, n, 1) -> y (l, b, g, 1, i)."""
        decay = torch.exp(delta * A)
        states = delta * u * B
        _walk(decay, states, reverse)
        ctx.save_for_backward(u, delta, A, B, C, decay, states)
        ctx.reverse = reverse
        return C.transpose(3, 4) @ states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Walk the other way; a state receives what its successor passes back.

        h[t] is in y[t] = C[t] h[t] and in h[t + 1] = decay[t + 1] h[t] + …, so that
        dh[t] = C[t] dy[t] + decay[t + 1] dh[t + 1], which is the same recurrence in reverse.
        """
        dy = grads[0].contiguous()
        u, delta, A, B, C, decay, states = ctx.saved_tensors
        reverse: bool = ctx.reverse
        d_states = C * dy
        _walk(_shift_back(decay, reverse), d_states, not reverse)
        step = delta * u
        d_step = (d_states * B).sum(3, keepdim=True)
        d_exponent = d_states * decay * _shift_on(states, reverse)
        return (
            d_step * delta,
            d_step * u + (d_exponent * A).sum(3, keepdim=True),
            (d_exponent * delta).sum((0, 1)),
            d_states @ step.transpose(3, 4),
            states @ dy.transpose(3, 4),
            None,
        )


def _walk(decay: Tensor, states: Tensor, reverse: bool) -> None:
    """states[t] += decay[t] · states[t − 1], in place, along the walk."""

    def run_kernel() -> None:
        from .walk import walk

        walk(decay, states, reverse)

    if states.is_cuda and states.dtype == torch.float32:
        jit.run_or_fall_back(
            "walk of the scan", run_kernel, lambda: _walk_in_torch(decay, states, reverse)
        )
    else:
        _walk_in_torch(decay, states, reverse)


def _walk_in_torch(decay: Tensor, states: Tensor, reverse: bool) -> None:
    steps = list(zip(decay.unbind(), states.unbind(), strict=True))
    if reverse:
        steps.reverse()
    h = steps[0][1]
    for step_decay, state in steps[1:]:
        h = state.addcmul_(step_decay, h)


def _shift_on(x: Tensor, reverse: bool) -> Tensor:
    """(l, …) moved so that each step has what stands one before it in the walk; 0 at its start."""
    edge = torch.zeros_like(x[:1])
    return torch.cat([x[1:], edge] if reverse else [edge, x[:-1]])


def _shift_back(x: Tensor, reverse: bool) -> Tensor:
    """(l, …) moved so that each step has what stands one after it in the walk; 0 at its end."""
    return _shift_on(x, not reverse)
