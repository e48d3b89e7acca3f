"""The scans of whole branches in one Triton kernel: every direction, row and branch at once.

A program owns some channels of one row in one direction. It walks the tokens one after the other
with the states and A in registers, and asks for the next token while it works on this one. Tokens
are read where they are stored; image tokens are written, each direction to a plane of its own.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .sequences import Sequences

CHANNELS = 64
"""Of a program: they share what is read of B and C, and their states still fit the registers."""

OPTIONS = {"num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}
"""A second warp would make both wait for each other at every token. The kernel reads ahead by
itself. Fused multiply-adds are Triton's default up to 3.9 only."""

Part = tuple[Sequences, Tensor]
"""A branch and the planes (k, b, m, d) that its directions write."""


def scan(branches: Sequence[Sequences]) -> list[Tensor]:
    """As `scan_branches`, on a device that Triton knows; not differentiable."""
    parts = [(branch, _planes(branch)) for branch in branches]
    with torch.cuda.device_of(branches[0].x):
        for launch in _launches([part for part in parts if part[1].numel()]):
            _launch(launch)
    return [planes.sum(0) for _, planes in parts]


def _planes(branch: Sequences) -> Tensor:
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
    of_both = zip(_arguments(*parts[0]), _arguments(*parts[-1]), strict=True)
    _scan_kernel[grid](
        *chain.from_iterable(of_both),
        channels,
        state,
        directions,
        CHANNELS,
        triton.next_power_of_2(state),
        **OPTIONS,
    )


def _arguments(branch: Sequences, planes: Tensor) -> tuple[Tensor | int, ...]:
    """What the kernel reads of a branch, in the kernel's order."""
    x, places = branch.x, branch.places()
    counts = branch.counts
    if counts is None:
        counts = places.new_full((x.shape[0],), branch.image_tokens)
    return (
        *(tensor.contiguous() for tensor in (*branch.differentiable(), places, counts)),
        planes,
        places.shape[1] if places.shape[0] > 1 else 0,
        x.shape[1],
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
    DIRECTIONS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
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
    A = tl.load(
        (A1 if second else A0) + own[None, :] * n + state[:, None],
        is_channel[None, :] & is_state[:, None],
        0.0,
    )
    A = A.to(tl.float32) * 1.4426950408889634  # log2(e): a GPU has only the power of two

    count = tl.load(counts + row).to(tl.int32)
    backward = direction % 2
    steps = count + backward * tail
    if steps == 0:
        return
    h = tl.zeros((STATES, CHANNELS), tl.float32)
    place = tl.load(places + _position(0, steps, backward, count, image))
    token_x = tl.load(x + place * d, is_channel, 0.0)
    token_delta = tl.load(delta + place * d, is_channel, 0.0)
    token_B = tl.load(B + place * n, is_state, 0.0)
    token_C = tl.load(C + place * n, is_state, 0.0)
    place = tl.load(places + _position(1, steps, backward, count, image))
    for step in range(steps):
        next_x = tl.load(x + place * d, is_channel, 0.0)
        next_delta = tl.load(delta + place * d, is_channel, 0.0)
        next_B = tl.load(B + place * n, is_state, 0.0)
        next_C = tl.load(C + place * n, is_state, 0.0)
        place = tl.load(places + _position(step + 2, steps, backward, count, image))
        u = token_x.to(tl.float32)
        dt = _softplus(token_delta.to(tl.float32) + bias)
        drive = token_B.to(tl.float32)[:, None] * (dt * u)[None, :]
        h = tl.exp2(A * dt[None, :]) * h + drive
        y = tl.sum(h * token_C.to(tl.float32)[:, None], axis=0) + skip * u
        position = _position(step, steps, backward, count, image)
        if position < image:
            tl.store(plane + position * d, y, is_channel)
        token_x, token_delta, token_B, token_C = next_x, next_delta, next_B, next_C


@triton.jit
def _position(step, steps, backward, count, image):  # type: ignore[no-untyped-def]
    """Where a step stands among image and tail; past the end, the last step; padding left out."""
    step = tl.minimum(step, steps - 1)
    position = (steps - 1 - step) if backward else step
    return tl.where(position < count, position, position + image - count)


@triton.jit
def _softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + eˣ) = max(x, 0) + 2 artanh(e / (2 + e)) with e = e^−|x|.

    The series of artanh keeps small e exact; its next term is below float32.
    """
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
