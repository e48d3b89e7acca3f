"""The parallel-control Mamba layer: one scan per signal, each over its own region only.

Letters: b rows (batch·frames), l image tokens, m kept tokens, c channels, d = expand·c,
r rank of the step, n state, k directions (even ones forwards, odd ones backwards).
"""

import math
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..regions import TokenRegion
from .attention import Ops, Signal, per_row
from .scan import selective_scan


class SelectiveScanUnit(nn.Module):
    """The scans of one branch over one sequence, their outputs added.

    The scan parameters are used in float32 whatever the type of the sequence.
    """

    scan_backend = "auto"
    """Which backend of `scan` runs; `use_scan_backend` sets it on a whole model."""

    def __init__(self, d_inner: int, state: int, dt_rank: int, directions: int) -> None:
        super().__init__()
        self.split = [dt_rank, state, state]
        self.x_proj_weight = nn.Parameter(torch.empty(directions, sum(self.split), d_inner))
        self.dt_projs_weight = nn.Parameter(torch.empty(directions, d_inner, dt_rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(directions, d_inner))
        self.A_logs = nn.Parameter(torch.empty(directions * d_inner, state))
        self.Ds = nn.Parameter(torch.empty(directions * d_inner))
        if not self.Ds.is_meta:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as Mamba does: A = −1 … −n, steps between 0.001 and 0.1."""
        directions, d_inner, rank = self.dt_projs_weight.shape
        nn.init.uniform_(self.x_proj_weight, -(d_inner**-0.5), d_inner**-0.5)
        nn.init.uniform_(self.dt_projs_weight, -(rank**-0.5), rank**-0.5)
        step = torch.empty(directions, d_inner).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        with torch.no_grad():
            self.dt_projs_bias.copy_(step + torch.log(-torch.expm1(-step)))  # softplus⁻¹
            self.A_logs.copy_(
                torch.arange(1, self.A_logs.shape[1] + 1).log().expand_as(self.A_logs)
            )
            self.Ds.fill_(1.0)

    def forward(self, x: Tensor, tail: Tensor | None = None, valid: Tensor | None = None) -> Tensor:
        """Scan (b, m, d) in every direction.

        Args:
            tail: (b, t, d) tokens after the sequence. Their own outputs are not wanted, and a
                forward direction never sees them before the sequence ends, so only the backward
                ones read them.
            valid: (b, m) False at tokens that stand only for padding.
        """
        whole = x if tail is None else torch.cat([x, tail], dim=1)
        outputs = [
            self._scan(k, whole, valid)[:, : x.shape[1]] if k % 2 else self._scan(k, x, valid)
            for k in range(self.x_proj_weight.shape[0])
        ]
        return reduce(torch.add, outputs)

    def _scan(self, k: int, x: Tensor, valid: Tensor | None) -> Tensor:
        dt, B, C = F.linear(x, self.x_proj_weight[k].to(x)).split(self.split, dim=2)
        delta = F.linear(dt, self.dt_projs_weight[k].to(x))
        if valid is not None:
            padding = F.pad(~valid, (0, x.shape[1] - valid.shape[1]))
            delta = delta.masked_fill(padding[..., None], -math.inf)
        A_logs, D = (p.chunk(self.x_proj_weight.shape[0])[k] for p in (self.A_logs, self.Ds))
        y: Tensor = selective_scan(
            x,
            delta,
            -torch.exp(A_logs.to(x.device, torch.float32)),
            B.unsqueeze(2),  # b m n -> b m g n
            C.unsqueeze(2),
            D.to(x.device),
            self.dt_projs_bias[k].to(x.device),
            reverse=k % 2 == 1,
            backend=self.scan_backend,
        )
        return y


class ParallelControlMamba(nn.Module):
    """Audio and expression each rewrite the tokens of their own region; the two are added.

    A branch scans [kept tokens | identity | its signal] and writes the kept tokens back; tokens
    outside its region stay what its input projection made of them.

    Args:
        across_frames: whether the frames of a window are one sequence, as in the paper, or each
            its own, as in the release.
        mask_drop: whether a branch leaves out the tokens outside its region.
    """

    def __init__(
        self,
        channels: int,
        d_cond: int,
        state: int,
        expand: int,
        directions: int,
        ops: Ops = nn,
        *,
        across_frames: bool = False,
        mask_drop: bool = True,
    ) -> None:
        super().__init__()
        self.across_frames, self.mask_drop = across_frames, mask_drop
        d_inner = expand * channels
        dt_rank = math.ceil(channels / 16)
        self.audio_unit = SelectiveScanUnit(d_inner, state, dt_rank, directions)
        self.exp_unit = SelectiveScanUnit(d_inner, state, dt_rank, directions)
        self.audio_proj = ops.Linear(d_cond, d_inner, bias=False)
        self.exp_proj = ops.Linear(d_cond, d_inner, bias=False)
        self.id_proj = ops.Linear(d_cond, d_inner, bias=False)
        self.in_proj1 = ops.Linear(channels, d_inner, bias=False)
        self.in_proj2 = ops.Linear(channels, d_inner, bias=False)
        self.out_norm = ops.LayerNorm(d_inner)
        self.out_proj = ops.Linear(d_inner, channels, bias=False)

    def forward(
        self, x: Tensor, identity: Tensor, audio: Signal, expression: Signal, frames: int = 1
    ) -> Tensor:
        """(b, l, c) with an identity (b, 1, c') and two signals -> (b, l, c).

        Args:
            frames: of a window; b is a multiple of it.
        """
        identity = F.silu(self.id_proj(identity))
        joined = frames if self.across_frames else 1
        units = (self.audio_unit, self.audio_proj), (self.exp_unit, self.exp_proj)
        z = self._branch(self.in_proj1(x), *units[0], identity, audio, joined)
        z = z + self._branch(self.in_proj2(x), *units[1], identity, expression, joined)
        out: Tensor = self.out_proj(self.out_norm(z))
        return out

    def _branch(
        self,
        z: Tensor,
        unit: nn.Module,
        project: nn.Module,
        identity: Tensor,
        signal: Signal,
        joined: int,
    ) -> Tensor:
        region = signal.region if self.mask_drop else None
        if region is not None and region.is_empty:
            return z
        tail = identity
        if signal.tokens is not None:
            tail = torch.cat([identity, F.silu(project(signal.tokens))], dim=1)
        return scan_region(unit, z, tail, region, joined)


def scan_region(
    unit: nn.Module, z: Tensor, tail: Tensor, region: TokenRegion | None, joined: int = 1
) -> Tensor:
    """Let `unit` rewrite the region's tokens of z (b, l, d) in place of what they were.

    Args:
        joined: how many rows that follow each other are one sequence.
    """
    if region is None or region.kept is None:
        return _scan(unit, z, tail, None, joined)
    rows, length, _ = z.shape
    kept = per_row(region.kept, rows)
    offsets = torch.arange(0, rows * length, length, device=z.device)
    index = (kept + offsets[:, None]).flatten()
    flat = z.flatten(0, 1)
    x = flat.index_select(0, index).unflatten(0, kept.shape)
    valid = None if region.valid is None else per_row(region.valid, rows)
    y = _scan(unit, x, tail, valid, joined)
    if valid is not None:
        y = torch.where(valid[..., None], y, x)
    return flat.index_copy(0, index, y.flatten(0, 1)).view_as(z)


def _scan(unit: nn.Module, x: Tensor, tail: Tensor, valid: Tensor | None, joined: int) -> Tensor:
    def together(rows: Tensor) -> Tensor:
        return rows.reshape(-1, joined * rows.shape[1], *rows.shape[2:])

    y: Tensor = unit(together(x), together(tail), None if valid is None else together(valid))
    return y.reshape(x.shape)


def use_scan_backend(model: nn.Module, backend: str) -> None:
    """Make every scan of a model run on one backend (see `scan.CHOICES`)."""
    for module in model.modules():
        if isinstance(module, SelectiveScanUnit):
            module.scan_backend = backend
