"""The default selective scan: plain torch on any device, a chunk of tokens at a time.

The exponentials and products of a chunk are made at once, the recurrence itself is one fused
multiply-add per token, and one matrix product per chunk reads the states out. Memory is that of
one chunk. States lie as (n, d), so that every operation runs along contiguous channels.
Not differentiable: `selective_scan` sends tensors that need gradients to the reference.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK_TOKENS = 32


def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool) -> Tensor:
    """As `reference.scan`, with the memory of one chunk."""
    y = torch.empty_like(u)
    for rows, channels, group in _tiles(u, groups=B.shape[2]):
        _scan_tile(
            (delta[rows, :, channels] * u[rows, :, channels]).transpose(0, 1),
            delta[rows, :, channels].transpose(0, 1),
            A[channels].T.contiguous(),
            B[rows, :, group].transpose(0, 1),
            C[rows, :, group].transpose(0, 1),
            reverse,
            y[rows, :, channels].transpose(0, 1),
        )
    return y


def _tiles(u: Tensor, groups: int) -> Iterator[tuple[slice, slice, int]]:
    """Rows and channels that are scanned together: on a CPU one row, which stays in the cache."""
    batch, _, channels = u.shape
    rows_at_once = 1 if u.device.type == "cpu" else max(batch, 1)
    width = channels // groups
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
    """Scan l b d `drive` and `delta` with n d `A` and l b n `B`, `C`; write l b d `y`."""
    length, batch, channels = drive.shape
    h = drive.new_zeros(batch, A.shape[0], channels)
    room = (min(CHUNK_TOKENS, length), *h.shape)
    decay_room, state_room = drive.new_empty(room), drive.new_empty(room)
    for chunk in _chunks(length, reverse):
        tokens = chunk.stop - chunk.start
        decay, states = decay_room[:tokens], state_room[:tokens]
        torch.mul(delta[chunk, :, None, :], A, out=decay).exp_()
        torch.mul(drive[chunk, :, None, :], B[chunk, :, :, None], out=states)
        h = _advance(h, decay, states, reverse)
        y[chunk] = torch.matmul(C[chunk, :, None, :], states).squeeze(2)


def _chunks(length: int, reverse: bool) -> list[slice]:
    chunks = [slice(t, min(t + CHUNK_TOKENS, length)) for t in range(0, length, CHUNK_TOKENS)]
    return chunks[::-1] if reverse else chunks


def _advance(h: Tensor, decay: Tensor, states: Tensor, reverse: bool) -> Tensor:
    """Turn the chunk's drives into its states in place and return the state it ends with."""
    steps = list(zip(decay.unbind(), states.unbind(), strict=True))
    for step_decay, state in reversed(steps) if reverse else steps:
        state.addcmul_(step_decay, h)
        h = state
    return h.clone()
