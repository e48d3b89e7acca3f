"""The default selective scan: plain torch on any device, a chunk of tokens at a time.

Only h[t] = decay[t] · h[t − 1] + drive[t] has to wait for the token before. So the exponentials and
products of a chunk are made at once, the recurrence itself is one fused multiply-add per token, and
one matrix product per chunk reads the states out. All tokens at once would need memory for every
state, (l, n, d), and leave the cache; chunks need that of one chunk, and pass on the last state.
States lie as (n, d), so that every operation runs along contiguous channels.
Not differentiable: `selective_scan` sends tensors that need gradients to `trainable`.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

LOG2_E = math.log2(math.e)
"""For powers of two: on some CPUs torch computes them four times faster than those of e."""

CPU_STATE_NUMBERS = 32_768
"""On a CPU as many rows are scanned together as keep the state of a step in the cache."""

SHARED_NUMBERS = 32_768
"""Torch shares a CPU operation among cores when it has more numbers than this."""

CPU_CHUNK_NUMBERS, GPU_CHUNK_NUMBERS = 655_360, 16_777_216
"""Size of a chunk's states: small enough for a CPU's cache, large enough to keep a GPU busy."""


def scan_chunked(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool
) -> Tensor:
    """As `scan_reference`: u, delta (b, l, d) -> (b, l, d), with the memory of one chunk."""
    with _one_core(u.device, u.shape[2] * A.shape[1]):
        return _scan(u, delta, A, B, C, reverse)


@contextmanager
def _one_core(device: torch.device, step_numbers: int) -> Iterator[None]:
    """On a CPU, keep operations that are too short to be shared on one core.

    Two cores gain little here, and where one of them is busy elsewhere, waiting for it at every
    operation makes the scan ten times slower.
    """
    threads = torch.get_num_threads()
    try:
        if device.type == "cpu" and step_numbers <= SHARED_NUMBERS:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)


def _scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool) -> Tensor:
    y = torch.empty_like(u)
    for rows, channels, group in _tiles(u, groups=B.shape[2], state=A.shape[1]):
        _scan_tile(
            (delta[rows, :, channels] * u[rows, :, channels]).transpose(0, 1),
            delta[rows, :, channels].transpose(0, 1),
            (A[channels].T * LOG2_E).contiguous(),
            B[rows, :, group].transpose(0, 1),
            C[rows, :, group].transpose(0, 1),
            reverse,
            y[rows, :, channels].transpose(0, 1),
        )
    return y


def _tiles(u: Tensor, groups: int, state: int) -> Iterator[tuple[slice, slice, int]]:
    """Rows and channels that are scanned together, and their group of B and C."""
    batch, _, channels = u.shape
    width = channels // groups
    rows_in_cache = max(1, CPU_STATE_NUMBERS // (width * state))
    rows_at_once = rows_in_cache if u.device.type == "cpu" else batch
    for row in range(0, batch, rows_at_once):
        for group in range(groups):
            yield (
                slice(row, row + rows_at_once),
                slice(group * width, (group + 1) * width),
                group,
            )


def _scan_tile(
    drive: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool, y: Tensor
) -> None:
    """Scan drive and delta (l, b, d) with A (n, d), B and C (l, b, n); write y (l, b, d)."""
    length, batch, channels = drive.shape
    h = drive.new_zeros(batch, A.shape[0], channels)
    chunk_tokens = _chunk_tokens(length, h)
    shape = (chunk_tokens, *h.shape)
    decay, states = drive.new_empty(shape), drive.new_empty(shape)
    steps = list(zip(decay.unbind(), states.unbind(), strict=True))
    for chunk in _chunks(length, chunk_tokens, reverse):
        tokens = chunk.stop - chunk.start
        # A holds log2(e): decay = 2^(delta A log2(e)) = e^(delta A)
        torch.mul(delta[chunk, :, None, :], A, out=decay[:tokens]).exp2_()
        torch.mul(drive[chunk, :, None, :], B[chunk, :, :, None], out=states[:tokens])
        for step_decay, state in reversed(steps[:tokens]) if reverse else steps[:tokens]:
            h = state.addcmul_(step_decay, h)
        y[chunk] = torch.matmul(C[chunk, :, None, :], states[:tokens]).squeeze(2)
        h = h.clone()  # it is a view of the states that the next chunk overwrites


def _chunk_tokens(length: int, h: Tensor) -> int:
    numbers = CPU_CHUNK_NUMBERS if h.device.type == "cpu" else GPU_CHUNK_NUMBERS
    return min(length, max(1, numbers // h.numel()))


def _chunks(length: int, size: int, reverse: bool) -> list[slice]:
    chunks = [slice(t, min(t + size, length)) for t in range(0, length, size)]
    return chunks[::-1] if reverse else chunks
