"""The scans of whole branches in one Triton kernel: every direction, row and branch at once.

A program owns some channels of one row in one direction. It walks the tokens one after the other
with the states and A in registers, all states of a channel in one thread, and asks for tokens two
or three steps before it needs them. Tokens are read where they are stored; image tokens are
written, each direction to a plane of its own.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain, groupby
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .sequences import ScanInput

CHANNELS = 64
"""Of a program: they share what is read of B and C, and their states still fit the registers."""

OPTIONS = {"num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}
"""A second warp would make both wait for each other at every token. The kernel reads ahead by
itself. Fused multiply-adds are Triton's default up to 3.9 only."""

Part = tuple[ScanInput, Tensor]
"""A branch and the planes (k, b, m, d) that its directions write."""


def scan(branches: Sequence[ScanInput]) -> list[Tensor]:
    """As `scan_branches`, on a device that Triton knows; not differentiable."""
    parts = [(branch, _planes(branch)) for branch in branches]
    with torch.cuda.device_of(branches[0].x):
        for launch in _launches([part for part in parts if part[1].numel()]):
            _launch(launch)
    return [reduce(torch.add, planes.unbind()) for _, planes in parts]


def _planes(branch: ScanInput) -> Tensor:
    rows, _, channels = branch.x.shape
    shape = (branch.A.shape[0], rows, branch.image_tokens, channels)
    return branch.x.new_empty(shape) if branch.counts is None else branch.x.new_zeros(shape)


def _launches(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Two branches at a time, where they differ in nothing but their tokens."""
    for _, group in groupby(parts, key=_kind):
        alike = list(group)
        for start in range(0, len(alike), 2):
            yield alike[start : start + 2]


def _kind(part: Part) -> tuple[Any, ...]:
    branch, _ = part
    return branch.A.shape, branch.x.shape[0], *(x.dtype for x in branch.differentiable())


def _launch(parts: Sequence[Part]) -> None:
    directions, channels, state = parts[0][0].A.shape
    rows = parts[0][0].x.shape[0]
    grid = (triton.cdiv(channels, CHANNELS), rows, directions * len(parts))
    ordered = any(branch.order is not None for branch, _ in parts)
    of_both = zip(_arguments(*parts[0], ordered), _arguments(*parts[-1], ordered), strict=True)
    _scan_kernel[grid](
        *chain.from_iterable(of_both),
        channels,
        state,
        directions,
        CHANNELS,
        triton.next_power_of_2(state),
        ordered,
        **OPTIONS,
    )


def _arguments(branch: ScanInput, planes: Tensor, ordered: bool) -> tuple[Tensor | int, ...]:
    """What the kernel reads of a branch, in the kernel's order."""
    rows, stored, _ = branch.x.shape
    counts = branch.counts
    if counts is None:
        counts = torch.full((rows,), branch.image_tokens, device=branch.x.device)
    places = branch.places() if ordered else counts  # else never read
    return (
        *(tensor.contiguous() for tensor in (*branch.differentiable(), places, counts)),
        planes,
        places.shape[1] if ordered and places.shape[0] > 1 else 0,
        stored,
        branch.image_tokens,
        branch.tail,
    )


_LENGTHS = [f"{name}{i}" for name in ("places_step", "stored", "image", "tail") for i in (0, 1)]


@triton.jit(do_not_specialize=_LENGTHS)  # type: ignore[untyped-decorator]
def _scan_kernel(  # type: ignore[no-untyped-def]
    x0, x1, delta0, delta1, B0, B1, C0, C1, A0, A1, D0, D1, bias0, bias1,
    places0, places1, counts0, counts1, planes0, planes1,
    places_step0, places_step1, stored0, stored1, image0, image1, tail0, tail1,
    d: tl.constexpr, n: tl.constexpr,
    DIRECTIONS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr, ORDERED: tl.constexpr,
):  # fmt: skip
    """Scan 64 channels of a row in a direction of the first (…0) or the second (…1) branch."""
    second = tl.program_id(2) >= DIRECTIONS
    image = image1 if second else image0
    stored = stored1 if second else stored0
    tail = tail1 if second else tail0
    row = tl.program_id(1).to(tl.int64)
    direction = tl.program_id(2) % DIRECTIONS
    line = direction * tl.num_programs(1) + row
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    state = tl.arange(0, STATES)
    is_channel, is_state = channel < d, state < n

    x = (x1 if second else x0) + row * stored * d + channel
    delta = (delta1 if second else delta0) + line * stored * d + channel
    B = (B1 if second else B0) + line * stored * n + state
    C = (C1 if second else C0) + line * stored * n + state
    plane = (planes1 if second else planes0) + line * image * d + channel
    places = (places1 if second else places0) + row * (places_step1 if second else places_step0)
    counts = counts1 if second else counts0
    own = direction * d + channel
    skip = tl.load((D1 if second else D0) + own, is_channel, 0.0).to(tl.float32)
    bias = tl.load((bias1 if second else bias0) + own, is_channel, 0.0).to(tl.float32)
    A = _columns((A1 if second else A0) + own * n, is_channel, n, 0, 1, STATES, _columns)
    A = tl.reshape(A, (CHANNELS, STATES)) * 1.4426950408889634  # log2(e): a GPU has only 2^x

    count = tl.load(counts + row).to(tl.int32)
    backward = direction % 2
    steps = count + backward * tail
    if steps == 0:
        return
    h = tl.zeros_like(A)
    place = _place(places, 0, steps, backward, count, image, ORDERED)
    token_x, token_B, token_C = _read(x, B, C, place, d, n, is_channel, is_state)
    dt = _softplus(tl.load(delta + place * d, is_channel, 0.0), bias)
    place = _place(places, 1, steps, backward, count, image, ORDERED)
    next_x, next_B, next_C = _read(x, B, C, place, d, n, is_channel, is_state)
    next_delta = tl.load(delta + place * d, is_channel, 0.0)
    place = _place(places, 2, steps, backward, count, image, ORDERED)
    later_delta = tl.load(delta + place * d, is_channel, 0.0)
    last = _place(places, 3, steps, backward, count, image, ORDERED)
    for pair in range(0, steps, 2):
        for half in tl.static_range(2):  # two at a time, so that what moves on need not be moved
            step = pair + half
            later_x, later_B, later_C = _read(x, B, C, place, d, n, is_channel, is_state)
            last_delta = tl.load(delta + last * d, is_channel, 0.0)
            place = last
            last = _place(places, step + 4, steps, backward, count, image, ORDERED)
            next_dt = _softplus(next_delta, bias)
            u = token_x.to(tl.float32)
            drive = token_B.to(tl.float32)[None, :] * (dt * u)[:, None]
            h = tl.exp2(A * dt[:, None]) * h + drive
            y = tl.sum(h * token_C.to(tl.float32)[None, :], axis=1) + skip * u
            position = _position(step, steps, backward, count, image)
            if (position < image) & (step < steps):
                tl.store(plane + position * d, y, is_channel)
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
def _place(  # type: ignore[no-untyped-def]
    places, step, steps, backward, count, image, ORDERED: tl.constexpr
):  # fmt: skip
    """Where the token of a step is stored."""
    position = _position(step, steps, backward, count, image)
    if ORDERED:
        position = tl.load(places + position).to(tl.int32)
    return position


@triton.jit  # type: ignore[untyped-decorator]
def _read(  # type: ignore[no-untyped-def]
    x, B, C, place, d: tl.constexpr, n: tl.constexpr, is_channel, is_state
):  # fmt: skip
    """What is stored of a token, but for its step."""
    return (
        tl.load(x + place * d, is_channel, 0.0),
        tl.load(B + place * n, is_state, 0.0),
        tl.load(C + place * n, is_state, 0.0),
    )


@triton.jit
def _position(step, steps, backward, count, image):  # type: ignore[no-untyped-def]
    """Where a step stands among image and tail; past the end, the last step; padding left out."""
    step = tl.minimum(step, steps - 1)
    position = (steps - 1 - step) if backward else step
    return tl.where(position < count, position, position + image - count)


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
