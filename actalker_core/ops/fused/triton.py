"""The kernels behind `fused`, in Triton; the arguments are the same, not differentiable.

Letters: b rows, c channels, … any sizes, whose product is the pixels of a row.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

PIXELS, CHANNELS = 64, 64
"""Of the tile that a program works on at a time."""
GATED_ROWS, GATED_NUMBERS = 8, 256
"""Rows that a program gates, and how much of them."""
ROW_NUMBERS = 2048
"""Of the rows that a program normalises together."""
PROGRAMS = 2048
"""So many keep every GPU busy."""
GROUP_MOMENTS = 2048
"""Moments of parts and channels that a program joins into those of a group."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}
"""Fused multiply-adds are Triton's default up to 3.9 only."""


def group_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    groups: int,
    eps: float,
    shift: Tensor | None,
    with_silu: bool,
) -> Tensor:
    """(b, c, …) of the same shape, channels last in memory.

    In three kernels, since a group is larger than what one program can hold: moments of parts of
    a row, from them a factor and an offset for each channel, then factor · x + offset.
    """
    x, rows, pixels, channels = _channels_last(x)
    strips = triton.cdiv(channels, CHANNELS)
    size = channels // groups
    limit = GROUP_MOMENTS // triton.next_power_of_2(size)
    parts = max(1, min(triton.cdiv(pixels, PIXELS), triton.cdiv(PROGRAMS, rows * strips), limit))
    part_pixels = triton.cdiv(triton.cdiv(pixels, parts), PIXELS) * PIXELS
    parts = triton.cdiv(pixels, part_pixels)
    moments = torch.empty(2, rows, parts, channels, device=x.device, dtype=torch.float32)
    factors = torch.empty(2, rows, channels, device=x.device, dtype=torch.float32)
    y = torch.empty_like(x)
    with torch.cuda.device_of(x):
        _moments[(rows, parts, strips)](
            x, moments, pixels, part_pixels, channels, PIXELS, CHANNELS, **OPTIONS
        )
        _factors[(rows, groups)](
            moments,
            x if shift is None else shift.contiguous(),
            weight.contiguous(),
            bias.contiguous(),
            factors,
            pixels,
            parts,
            part_pixels,
            channels,
            size,
            eps,
            shift is not None,
            triton.next_power_of_2(parts),
            triton.next_power_of_2(size),
            **OPTIONS,
        )
        _affine[(triton.cdiv(pixels, PIXELS), rows, strips)](
            x, factors, y, pixels, channels, with_silu, PIXELS, CHANNELS, **OPTIONS
        )
    return y.movedim(-1, 1)


def add_with_bias(x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
    """X + y (b, c, …) + bias (c,), pixel by pixel."""
    x, rows, pixels, channels = _channels_last(x)
    y = _channels_last(y)[0]
    out = torch.empty_like(x)
    strips = triton.cdiv(channels, CHANNELS)
    with torch.cuda.device_of(x):
        _add_with_bias[(triton.cdiv(rows * pixels, PIXELS), strips)](
            x,
            y,
            x if bias is None else bias.contiguous(),
            out,
            rows * pixels,
            channels,
            bias is not None,
            PIXELS,
            CHANNELS,
            **OPTIONS,
        )
    return out.movedim(-1, 1)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """(…, c) of the same shape, some rows at a time."""
    x = x.contiguous()
    y = torch.empty_like(x)
    channels = x.shape[-1]
    rows = x.numel() // channels
    width = triton.next_power_of_2(channels)
    rows_at_once = max(1, ROW_NUMBERS // width)
    with torch.cuda.device_of(x):
        _layer_norm[(triton.cdiv(rows, rows_at_once),)](
            x,
            weight.contiguous(),
            bias.contiguous(),
            y,
            rows,
            channels,
            eps,
            rows_at_once,
            width,
            **OPTIONS,
        )
    return y


def geglu(x: Tensor) -> Tensor:
    """(…, 2c) -> (…, c), some rows at a time."""
    x = x.contiguous()
    inner = x.shape[-1] // 2
    y = x.new_empty(*x.shape[:-1], inner)
    rows = y.numel() // inner
    with torch.cuda.device_of(x):
        _geglu[(triton.cdiv(rows, GATED_ROWS), triton.cdiv(inner, GATED_NUMBERS))](
            x, y, rows, inner, GATED_ROWS, GATED_NUMBERS, **OPTIONS
        )
    return y


def _channels_last(x: Tensor) -> tuple[Tensor, int, int, int]:
    """(b, c, …) as (b, …, c) in memory, and the numbers of rows, pixels and channels."""
    x = x.movedim(1, -1).contiguous()
    rows, channels = x.shape[0], x.shape[-1]
    return x, rows, x.numel() // (rows * channels), channels


@triton.jit  # type: ignore[untyped-decorator]
def _moments(  # type: ignore[no-untyped-def]
    x, moments, pixels, part_pixels, c,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Mean and sum of squared differences of each channel in a part of a row.

    Numbers are taken from the first one of their channel, so that large means cost no precision.
    """
    row, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    is_channel = channel < c
    first = part * part_pixels
    count = tl.minimum(part_pixels, pixels - first)
    start = x + (row * pixels + first) * c + channel
    origin = tl.load(start, is_channel, 0.0).to(tl.float32)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    squares = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for offset in range(0, count, PIXELS):
        pixel = offset + tl.arange(0, PIXELS)
        mask = (pixel < count)[:, None] & is_channel[None, :]
        value = tl.load(start[None, :] + pixel[:, None] * c, mask, 0.0).to(tl.float32)
        value = tl.where(mask, value - origin[None, :], 0.0)
        total += value
        squares += value * value
    total, squares = tl.sum(total, axis=0), tl.sum(squares, axis=0)
    address = moments + (row * tl.num_programs(1) + part) * c + channel
    tl.store(address, origin + total / count, is_channel)
    all_means = tl.num_programs(0).to(tl.int64) * tl.num_programs(1) * c
    tl.store(address + all_means, squares - total * total / count, is_channel)


@triton.jit  # type: ignore[untyped-decorator]
def _factors(  # type: ignore[no-untyped-def]
    moments, shift, weight, bias, factors, pixels, parts, part_pixels, c, size, eps,
    HAS_SHIFT: tl.constexpr, PARTS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """What normalises the channels of a group: y = factor · x + offset."""
    row, group = tl.program_id(0).to(tl.int64), tl.program_id(1)
    rows = tl.num_programs(0).to(tl.int64)
    part, member = tl.arange(0, PARTS), tl.arange(0, SIZE)
    channel = group * size + member
    in_group = member < size
    mask = (part < parts)[:, None] & in_group[None, :]
    count = tl.minimum(part_pixels, pixels - part * part_pixels).to(tl.float32)[:, None]
    address = moments + (row * parts + part)[:, None] * c + channel[None, :]
    mean = tl.load(address, mask, 0.0)
    squares = tl.load(address + rows * parts * c, mask, 0.0)
    shift_value = tl.zeros((SIZE,), tl.float32)
    if HAS_SHIFT:
        shift_value = tl.load(shift + row * c + channel, in_group, 0.0).to(tl.float32)
        mean += shift_value[None, :]
    total = pixels * size
    group_mean = tl.sum(tl.sum(tl.where(mask, mean * count, 0.0), axis=1), axis=0) / total
    squares = tl.where(mask, squares + count * (mean - group_mean) * (mean - group_mean), 0.0)
    variance = tl.sum(tl.sum(squares, axis=1), axis=0) / total
    factor = tl.load(weight + channel, in_group, 0.0).to(tl.float32) / tl.sqrt(variance + eps)
    offset = (
        tl.load(bias + channel, in_group, 0.0).to(tl.float32) + (shift_value - group_mean) * factor
    )
    tl.store(factors + row * c + channel, factor, in_group)
    tl.store(factors + (rows + row) * c + channel, offset, in_group)


@triton.jit  # type: ignore[untyped-decorator]
def _affine(  # type: ignore[no-untyped-def]
    x, factors, y, pixels, c,
    SILU: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Factor · x + offset, then SiLU where that is asked for."""
    row = tl.program_id(1).to(tl.int64)
    rows = tl.num_programs(1).to(tl.int64)
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    is_channel = channel < c
    mask = (pixel < pixels)[:, None] & is_channel[None, :]
    factor = tl.load(factors + row * c + channel, is_channel, 0.0)
    offset = tl.load(factors + (rows + row) * c + channel, is_channel, 0.0)
    address = (row * pixels + pixel)[:, None] * c + channel[None, :]
    value = tl.load(x + address, mask, 0.0).to(tl.float32) * factor[None, :] + offset[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    tl.store(y + address, value, mask)


@triton.jit  # type: ignore[untyped-decorator]
def _add_with_bias(  # type: ignore[no-untyped-def]
    x, y, bias, out, pixels, c,
    HAS_BIAS: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0).to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    is_channel = channel < c
    mask = (pixel < pixels)[:, None] & is_channel[None, :]
    address = pixel[:, None] * c + channel[None, :]
    value = tl.load(x + address, mask, 0.0).to(tl.float32)
    value += tl.load(y + address, mask, 0.0).to(tl.float32)
    if HAS_BIAS:
        value += tl.load(bias + channel, is_channel, 0.0).to(tl.float32)[None, :]
    tl.store(out + address, value, mask)


@triton.jit  # type: ignore[untyped-decorator]
def _layer_norm(  # type: ignore[no-untyped-def]
    x, weight, bias, y, rows, c, eps,
    ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    channel = tl.arange(0, WIDTH)
    is_channel = channel < c
    mask = (row < rows)[:, None] & is_channel[None, :]
    address = row[:, None] * c + channel[None, :]
    value = tl.load(x + address, mask, 0.0).to(tl.float32)
    mean = tl.sum(value, axis=1) / c
    value = tl.where(mask, value - mean[:, None], 0.0)
    variance = tl.sum(value * value, axis=1) / c
    value = value * (1 / tl.sqrt(variance + eps))[:, None]
    factor = tl.load(weight + channel, is_channel, 0.0).to(tl.float32)
    offset = tl.load(bias + channel, is_channel, 0.0).to(tl.float32)
    tl.store(y + address, value * factor[None, :] + offset[None, :], mask)


@triton.jit  # type: ignore[untyped-decorator]
def _geglu(  # type: ignore[no-untyped-def]
    x, y, rows, inner, ROWS: tl.constexpr, NUMBERS: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    number = tl.program_id(1) * NUMBERS + tl.arange(0, NUMBERS)
    mask = (row < rows)[:, None] & (number < inner)[None, :]
    address = x + row[:, None] * 2 * inner + number[None, :]
    value = tl.load(address, mask, 0.0).to(tl.float32)
    gate = tl.load(address + inner, mask, 0.0).to(tl.float32)
    share = 0.5 + 0.5 * tl.erf(gate * 0.7071067811865476)
    tl.store(y + row[:, None] * inner + number[None, :], value * gate * share, mask)
