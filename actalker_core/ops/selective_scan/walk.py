"""The walk of the scan with gradients in one Triton kernel; see `trainable`."""

import torch
import triton
import triton.language as tl
from torch import Tensor

NUMBERS = 128
"""Of a step that a program walks: each is a chain of its own."""
OPTIONS = {"num_warps": 1, "enable_fp_fusion": True}
"""Fused multiply-adds are Triton's default up to 3.9 only."""


def walk(decay: Tensor, states: Tensor, reverse: bool) -> None:
    """states[t] += decay[t] · states[t − 1], in place, along the first dimension of both (l, …)."""
    out, decay = states.contiguous(), decay.contiguous()
    steps, numbers = len(out), out[0].numel()
    first, to_next = ((steps - 1) * numbers, -numbers) if reverse else (0, numbers)
    with torch.cuda.device_of(states):
        _walk_kernel[(triton.cdiv(numbers, NUMBERS),)](
            decay, out, steps, numbers, first, to_next, NUMBERS, **OPTIONS
        )
    if out is not states:
        states.copy_(out)


@triton.jit  # type: ignore[untyped-decorator]
def _walk_kernel(  # type: ignore[no-untyped-def]
    decay, states, steps, numbers, first, to_next, NUMBERS: tl.constexpr
):  # fmt: skip
    number = tl.program_id(0) * NUMBERS + tl.arange(0, NUMBERS)
    is_number = number < numbers
    offset = number.to(tl.int64) + first
    h = tl.zeros((NUMBERS,), tl.float32)
    for _ in range(steps):
        h = tl.load(states + offset, is_number, 0.0) + h * tl.load(decay + offset, is_number, 0.0)
        tl.store(states + offset, h, is_number)
        offset += to_next
