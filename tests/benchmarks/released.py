"""The parallel-control layer as the release runs it, as a peer: same weights, same result.

Every branch is computed whatever its mask keeps; the sequence and its mirror image are stacked,
discretised for all tokens at once and walked one token after the other.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from actalker_core.models.actalker.unet.attention import RegionCondition
from actalker_core.models.actalker.unet.mamba import ParallelControlMamba, SelectiveScanUnit
from actalker_core.ops.selective_scan import selective_scan

Scan = Callable[..., Tensor]


def plain_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """The published Python scan in its axis order: u, delta (b, d, l), B and C (b, g, n, l)."""
    per_group = u.shape[1] // B.shape[1]
    delta = F.softplus(delta + bias[:, None])
    B, C = (m.repeat_interleave(per_group, dim=1) for m in (B, C))  # b d n l
    decay = torch.exp(torch.einsum("bdl,dn->bdln", delta, A))
    drive = torch.einsum("bdl,bdnl,bdl->bdln", delta, B, u)
    h = torch.zeros_like(drive[:, :, 0])
    outputs = []
    for t in range(u.shape[2]):
        h = decay[:, :, t] * h + drive[:, :, t]
        outputs.append(torch.einsum("bdn,bdn->bd", h, C[..., t]))
    return torch.stack(outputs, dim=2) + u * D[:, None]


def fast_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """The same by this project's scan."""
    y = selective_scan(
        u.transpose(1, 2),
        delta.transpose(1, 2),
        A,
        B.permute(0, 3, 1, 2),
        C.permute(0, 3, 1, 2),
        D,
        bias,
    )
    return y.transpose(1, 2)


def released_unit(unit: SelectiveScanUnit, x: Tensor, scan: Scan) -> Tensor:
    """(b, l, d) in both directions -> (b, l, d)."""
    rows, length, channels = x.shape
    x = x.transpose(1, 2)
    directions = torch.stack([x, x.flip(2)], dim=1)  # b k d l
    projection = torch.einsum("bkdl,kcd->bkcl", directions, unit.x_proj_weight)
    dt, B, C = projection.split(unit.split, dim=2)
    delta = torch.einsum("bkrl,kdr->bkdl", dt, unit.dt_projs_weight)
    y = scan(
        directions.reshape(rows, -1, length),
        delta.reshape(rows, -1, length),
        -torch.exp(unit.A_logs.float()),
        B,
        C,
        unit.Ds,
        unit.dt_projs_bias.flatten(),
    ).view(rows, 2, channels, length)
    return (y[:, 0] + y[:, 1].flip(2)).transpose(1, 2)


def released_layer(
    layer: ParallelControlMamba,
    x: Tensor,
    identity: Tensor,
    audio: RegionCondition,
    expression: RegionCondition,
    scan: Scan = plain_scan,
) -> Tensor:
    """As `layer(x, identity, audio, expression)`, for regions that are the same in all rows."""
    identity_token = F.silu(layer.id_proj(identity))
    branches = (
        (layer.audio_unit, layer.in_proj1, layer.audio_proj, audio),
        (layer.exp_unit, layer.in_proj2, layer.exp_proj, expression),
    )
    out = 0
    for unit, in_proj, project, signal in branches:
        z = in_proj(x)
        inside = torch.ones(z.shape[1], dtype=torch.bool, device=z.device)
        if signal.region is not None and signal.region.token_idx is not None:
            inside = torch.zeros_like(inside).index_fill(0, signal.region.token_idx[0], True)
        tokens = torch.zeros_like(identity) if signal.tokens is None else signal.tokens
        suffix = torch.cat([identity_token, F.silu(project(tokens))], dim=1)
        y = released_unit(unit, torch.cat([z[:, inside], suffix], dim=1), scan)
        z = z.clone()
        z[:, inside] = y[:, : int(inside.sum())]
        out = out + z
    return layer.out_proj(layer.out_norm(out))


@contextmanager
def layers_run_as_released(scan: Scan = fast_scan) -> Iterator[None]:
    """Every parallel-control layer, of whatever model."""
    ours = ParallelControlMamba.forward

    def forward(self, x, identity, audio, expression, frames=1):
        return released_layer(self, x, identity, audio, expression, scan)

    ParallelControlMamba.forward = forward
    try:
        yield
    finally:
        ParallelControlMamba.forward = ours
