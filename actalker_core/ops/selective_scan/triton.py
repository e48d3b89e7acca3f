"""Several scans in one Triton kernel: every direction, row and input at once.

A program has some channels of one row in one direction. It walks the tokens one after the other
with the states and A in registers, all states of a channel in one thread, and asks for tokens two
or three steps before it needs them. Tokens are read where they are stored; image tokens are
written, for each direction apart.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain, groupby
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .scan_input import ScanInput

CHANNELS = 64
"""Of a program: they share what is read of B and C, and their states still fit the registers."""

OPTIONS = {"num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}
"""A second warp would make both wait for each other at every token. The kernel reads ahead by
itself. Fused multiply-adds are Triton's default up to 3.9 only."""

Launch = Sequence[tuple[ScanInput, Tensor]]
"""One or two inputs, each with the outputs (k, b, m, d) that its directions write."""


def scan_triton(inputs: Sequence[ScanInput]) -> list[Tensor]:
    """As `scan_inputs`, (b, m, d) for each, where Triton runs; not differentiable."""
    pairs = [(scan, _allocate(scan)) for scan in inputs]
    with torch.cuda.device_of(inputs[0].x):
        for launch in _launches([pair for pair in pairs if pair[1].numel()]):
            _launch(launch)
    return [reduce(torch.add, outputs.unbind()) for _, outputs in pairs]


def _allocate(scan: ScanInput) -> Tensor:
    """Outputs (k, b, m, d); 0 where there is padding, which no program writes."""
    rows, _, channels = scan.x.shape
    shape = (scan.A.shape[0], rows, scan.image_tokens, channels)
    return scan.x.new_empty(shape) if scan.seq_lens is None else scan.x.new_zeros(shape)


def _launches(pairs: Launch) -> Iterator[Launch]:
    """Two inputs at a time, where they differ in nothing but their tokens."""
    for _, group in groupby(pairs, key=lambda pair: _layout(pair[0])):
        members = list(group)
        for start in range(0, len(members), 2):
            yield members[start : start + 2]


def _layout(scan: ScanInput) -> tuple[Any, ...]:
    return scan.A.shape, scan.x.shape[0], *(x.dtype for x in scan.differentiable())


def _launch(pairs: Launch) -> None:
    directions, channels, state = pairs[0][0].A.shape
    rows = pairs[0][0].x.shape[0]
    grid = (triton.cdiv(channels, CHANNELS), rows, directions * len(pairs))
    has_order = any(scan.order is not None for scan, _ in pairs)
    arguments = zip(
        _arguments(*pairs[0], has_order), _arguments(*pairs[-1], has_order), strict=True
    )
    _scan_kernel[grid](
        *chain.from_iterable(arguments),
        channels,
        state,
        directions,
        CHANNELS,
        triton.next_power_of_2(state),
        has_order,
        **OPTIONS,
    )


def _arguments(scan: ScanInput, outputs: Tensor, has_order: bool) -> tuple[Tensor | int, ...]:
    """What the kernel reads of an input, in the kernel's order."""
    rows, row_tokens, _ = scan.x.shape
    seq_lens = scan.seq_lens
    if seq_lens is None:
        seq_lens = torch.full((rows,), scan.image_tokens, device=scan.x.device)
    idx = scan.storage_idx() if has_order else seq_lens  # else never read
    return (
        *(tensor.contiguous() for tensor in (*scan.differentiable(), idx, seq_lens)),
        outputs,
        idx.shape[1] if has_order and idx.shape[0] > 1 else 0,
        row_tokens,
        scan.image_tokens,
        scan.suffix_len,
    )


_LENGTHS = [f"{name}{i}" for name in ("idx_step", "row_tokens", "image", "suffix") for i in (0, 1)]


@triton.jit(do_not_specialize=_LENGTHS)  # type: ignore[untyped-decorator]
def _scan_kernel(  # type: ignore[no-untyped-def]
    x0, x1, delta0, delta1, B0, B1, C0, C1, A0, A1, D0, D1, bias0, bias1,
    idx0, idx1, seq_lens0, seq_lens1, out0, out1,
    idx_step0, idx_step1, row_tokens0, row_tokens1, image0, image1, suffix0, suffix1,
    d: tl.constexpr, n: tl.constexpr,
    DIRECTIONS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr, HAS_ORDER: tl.constexpr,
):  # fmt: skip
    """Scan 64 channels of a row in a direction of the first (…0) or the second (…1) input."""
    second = tl.program_id(2) >= DIRECTIONS
    image = image1 if second else image0
    row_tokens = row_tokens1 if second else row_tokens0
    suffix = suffix1 if second else suffix0
    row = tl.program_id(1).to(tl.int64)
    direction = tl.program_id(2) % DIRECTIONS
    line = direction * tl.num_programs(1) + row
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    state = tl.arange(0, STATES)
    is_channel, is_state = channel < d, state < n

    x = (x1 if second else x0) + row * row_tokens * d + channel
    delta = (delta1 if second else delta0) + line * row_tokens * d + channel
    B = (B1 if second else B0) + line * row_tokens * n + state
    C = (C1 if second else C0) + line * row_tokens * n + state
    out = (out1 if second else out0) + line * image * d + channel
    idx = (idx1 if second else idx0) + row * (idx_step1 if second else idx_step0)
    seq_lens = seq_lens1 if second else seq_lens0
    parameter = direction * d + channel
    skip = tl.load((D1 if second else D0) + parameter, is_channel, 0.0).to(tl.float32)
    bias = tl.load((bias1 if second else bias0) + parameter, is_channel, 0.0).to(tl.float32)
    A = _columns((A1 if second else A0) + parameter * n, is_channel, n, 0, 1, STATES, _columns)
    A = tl.reshape(A, (CHANNELS, STATES)) * 1.4426950408889634  # log2(e): a GPU has only 2^x

    length = tl.load(seq_lens + row).to(tl.int32)
    backward = direction % 2
    steps = length + backward * suffix
    if steps == 0:
        return
    h = tl.zeros_like(A)
    slot = _slot(idx, 0, steps, backward, length, image, HAS_ORDER)
    token_x, token_B, token_C = _read(x, B, C, slot, d, n, is_channel, is_state)
    dt = _softplus(tl.load(delta + slot * d, is_channel, 0.0), bias)
    slot = _slot(idx, 1, steps, backward, length, image, HAS_ORDER)
    next_x, next_B, next_C = _read(x, B, C, slot, d, n, is_channel, is_state)
    next_delta = tl.load(delta + slot * d, is_channel, 0.0)
    slot = _slot(idx, 2, steps, backward, length, image, HAS_ORDER)
    later_delta = tl.load(delta + slot * d, is_channel, 0.0)
    later_slot = _slot(idx, 3, steps, backward, length, image, HAS_ORDER)
    for pair in range(0, steps, 2):
        for half in tl.static_range(2):  # two at a time, so that what moves on need not be moved
            step = pair + half
            later_x, later_B, later_C = _read(x, B, C, slot, d, n, is_channel, is_state)
            last_delta = tl.load(delta + later_slot * d, is_channel, 0.0)
            slot = later_slot
            later_slot = _slot(idx, step + 4, steps, backward, length, image, HAS_ORDER)
            next_dt = _softplus(next_delta, bias)
            u = token_x.to(tl.float32)
            drive = token_B.to(tl.float32)[None, :] * (dt * u)[:, None]
            h = tl.exp2(A * dt[:, None]) * h + drive
            y = tl.sum(h * token_C.to(tl.float32)[None, :], axis=1) + skip * u
            position = _position(step, steps, backward, length, image)
            if (position < image) & (step < steps):
                tl.store(out + position * d, y, is_channel)
            token_x, dt, token_B, token_C = next_x, next_dt, next_B, next_C
            next_x, next_delta, next_B, next_C = later_x, later_delta, later_B, later_C
            later_delta = last_delta


@triton.jit  # type: ignore[untyped-decorator]
def _columns(  # type: ignore[no-untyped-def]
    first, is_channel, n: tl.constexpr,
    at: tl.constexpr, step: tl.constexpr, end: tl.constexpr, columns: tl.constexpr,
):  # fmt: skip
    """All states of a channel in one thread: its sums then need no other thread.

    `columns` is this function, which Triton below 3.5 bears to be given but not to be called.
    """
    if at + step >= end:
        return tl.load(first + at, is_channel & (at < n), 0.0).to(tl.float32)
    else:
        even = columns(first, is_channel, n, at, 2 * step, end, columns)
        odd = columns(first, is_channel, n, at + step, 2 * step, end, columns)
        return tl.join(even, odd)


@triton.jit  # type: ignore[untyped-decorator]
def _slot(  # type: ignore[no-untyped-def]
    idx, step, steps, backward, length, image, HAS_ORDER: tl.constexpr
):  # fmt: skip
    """Where the token of a step is stored."""
    position = _position(step, steps, backward, length, image)
    if HAS_ORDER:
        position = tl.load(idx + position).to(tl.int32)
    return position


@triton.jit  # type: ignore[untyped-decorator]
def _read(  # type: ignore[no-untyped-def]
    x, B, C, slot, d: tl.constexpr, n: tl.constexpr, is_channel, is_state
):  # fmt: skip
    """What is stored of a token, but for its step."""
    return (
        tl.load(x + slot * d, is_channel, 0.0),
        tl.load(B + slot * n, is_state, 0.0),
        tl.load(C + slot * n, is_state, 0.0),
    )


@triton.jit
def _position(step, steps, backward, length, image):  # type: ignore[no-untyped-def]
    """Where a step stands among image and suffix; past the end, the last step; padding left out."""
    step = tl.minimum(step, steps - 1)
    position = (steps - 1 - step) if backward else step
    return tl.where(position < length, position, position + image - length)


@triton.jit
def _softplus(x, bias):  # type: ignore[no-untyped-def]
    """Of x + bias: log(1 + eˣ) = max(x, 0) + 2 artanh(e / (2 + e)) with e = e^−|x|.

    The series of artanh keeps small e exact; its next term is below float32.
    """
    x = x.to(tl.float32) + bias
    e = tl.exp(-tl.abs(x))
    s = e / (2 + e)
    q = s * s
    series = 1 / 13 * q + 1 / 11
    series = series * q + 1 / 9
    series = series * q + 1 / 7
    series = series * q + 1 / 5
    series = series * q + 1 / 3
    series = series * q + 1
    return tl.maximum(x, 0.0) + 2 * s * series
