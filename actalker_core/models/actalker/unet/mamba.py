"""The parallel-control Mamba layer: one scan per signal, each over its own region only.

Letters: b rows (batch·frames), l image tokens, m kept tokens, c channels, d = expand·c,
r rank of the step, n state, k directions (even ones forwards, odd ones backwards).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.fused import layer_norm
from ....ops.selective_scan import ScanInput, scan_branches
from ..token_regions import TokenRegion
from .attention import Ops, RegionCondition, weights_of
from .tokens import gather_tokens, repeat_per_video, scatter_add_tokens

SCANNED_AT_ONCE = 2**19
"""Tokens of all rows. With more of them, each branch keeps a GPU busy alone, and they take turns:
memory is then that of one."""


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

    def forward(self, x: Tensor, tail: Tensor | None = None) -> Tensor:
        """Scan (b, m, d) in every direction, with tokens (b, t, d) after it: (b, m, d)."""
        tail = x[:, :0] if tail is None else tail
        return scan_branches([self.sequences(x, tail)], self.scan_backend)[0]

    def sequences(
        self,
        x: Tensor,
        tail: Tensor,
        order: Tensor | None = None,
        counts: Tensor | None = None,
    ) -> ScanInput:
        """What is scanned of (b, m, d) tokens and a tail (b, t, d); see `scan.ScanInput`."""
        stored = torch.cat([x, tail], dim=1)
        directions, d_inner, _ = self.dt_projs_weight.shape
        told = F.linear(stored, self.x_proj_weight.flatten(0, 1).to(stored))
        told = told.unflatten(2, (directions, -1)).permute(2, 0, 1, 3)  # b s (k r) -> k b s r
        dt, B, C = told.split(self.split, dim=3)
        steps = self.dt_projs_weight.to(stored).transpose(1, 2)[:, None]  # k 1 r d
        A = -torch.exp(self.A_logs.to(x.device, torch.float32))
        return ScanInput(
            x=stored,
            delta=dt @ steps,
            B=B,
            C=C,
            A=A.unflatten(0, (directions, d_inner)),
            D=self.Ds.to(x.device).unflatten(0, (directions, d_inner)),
            bias=self.dt_projs_bias.to(x.device),
            tail=tail.shape[1],
            order=order,
            counts=counts,
        )


@dataclass(frozen=True)
class Branch:
    """One signal in the layer.

    Attributes:
        tail: (b, t, d) what its scan reads after the tokens: identity and signal.
        region: the tokens that it scans; None for all.
    """

    unit: SelectiveScanUnit
    in_proj: nn.Module
    tail: Tensor
    region: TokenRegion | None

    @property
    def kept(self) -> Tensor | None:
        """(1 or frames, m) places of the tokens that are scanned; None for all."""
        return None if self.region is None else self.region.kept

    @property
    def owns_none(self) -> bool:
        """No token is scanned."""
        return self.region is not None and self.region.is_empty

    def length(self, x: Tensor) -> int:
        """How many of the tokens (b, l, c) of a row it scans."""
        return int(x.shape[1] if self.kept is None else self.kept.shape[1])

    def read(self, x: Tensor) -> Tensor:
        """Its tokens (b, m, d) of (b, l, c)."""
        own: Tensor = self.in_proj(x if self.kept is None else gather_tokens(x, self.kept))
        return own

    def sequences(self, x: Tensor, joined: int) -> ScanInput:
        """What its unit scans of (b, l, c); `joined` rows at a time are one sequence."""
        own = self.read(x)
        stored, tail = (t.reshape(-1, joined * t.shape[1], t.shape[2]) for t in (own, self.tail))
        if self.region is None or self.region.valid is None:
            return self.unit.sequences(stored, tail)
        valid = repeat_per_video(self.region.valid, len(own)).reshape(stored.shape[:2])
        order = None if joined == 1 else torch.argsort((~valid).byte(), dim=1, stable=True)
        return self.unit.sequences(stored, tail, order, valid.sum(1))

    def write(self, z: Tensor | None, scanned: ScanInput, y: Tensor, rows: int) -> Tensor:
        """Z (b, l, d), changed in place: what the scan made of its tokens, not what they were."""
        after = _as_stored(y, scanned.order)
        if self.region is None or self.kept is None:
            after = after.reshape(rows, -1, after.shape[2])
            return after if z is None else z.add_(after)
        assert z is not None  # a region leaves tokens to the projection
        change = (after - scanned.x[:, : after.shape[1]]).reshape(rows, -1, after.shape[2])
        if self.region.valid is not None:
            change = change * repeat_per_video(self.region.valid, rows)[..., None]
        return scatter_add_tokens(z, self.kept, change)


class ParallelControlMamba(nn.Module):
    """Audio and expression each rewrite the tokens of their own region; the two are added.

    A branch scans [kept tokens | identity | its signal] and writes the kept tokens back; tokens
    outside its region stay what its input projection made of them. What both projections make of
    them is added anyway, so that one with the sum of their weights serves all tokens.

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
        self.weights_of = getattr(ops, "weights_of", weights_of)
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
        self,
        x: Tensor,
        identity: Tensor,
        audio: RegionCondition,
        expression: RegionCondition,
        frames: int = 1,
    ) -> Tensor:
        """(b, l, c) with an identity (b, 1, c') and two signals -> (b, l, c).

        Args:
            frames: of a window; b is a multiple of it.
        """
        identity = F.silu(self.id_proj(identity))
        branches = (
            self._branch(self.audio_unit, self.in_proj1, self.audio_proj, identity, audio),
            self._branch(self.exp_unit, self.in_proj2, self.exp_proj, identity, expression),
        )
        z = self._unscanned(x, [b for b in branches if b.kept is not None])
        for together in _turns([b for b in branches if not b.owns_none], x):
            z = _rewrite(z, x, together, frames if self.across_frames else 1)
        assert z is not None  # what no branch scans is projected
        out: Tensor = self.out_proj(layer_norm(self.out_norm, z, self.weights_of))
        return out

    def _branch(
        self,
        unit: SelectiveScanUnit,
        in_proj: nn.Module,
        project: nn.Module,
        identity: Tensor,
        signal: RegionCondition,
    ) -> Branch:
        tail = identity
        if signal.tokens is not None:
            tail = torch.cat([identity, F.silu(project(signal.tokens))], dim=1)
        return Branch(unit, in_proj, tail, signal.region if self.mask_drop else None)

    def _unscanned(self, x: Tensor, branches: Sequence[Branch]) -> Tensor | None:
        """The sum of what the branches' projections make of all tokens; None without branches."""
        if not branches:
            return None
        weights = [self.weights_of(branch.in_proj, x)[0] for branch in branches]
        return F.linear(x, sum(weights[1:], start=weights[0]))


def _turns(branches: Sequence[Branch], x: Tensor) -> list[Sequence[Branch]]:
    """Who scans the tokens of (b, l, c) together: all, or each alone where they are too many."""
    scanned = sum(len(x) * branch.length(x) for branch in branches)
    alone = len(branches) < 2 or scanned > SCANNED_AT_ONCE
    return [[branch] for branch in branches] if alone else [branches]


def _rewrite(z: Tensor | None, x: Tensor, branches: Sequence[Branch], joined: int) -> Tensor | None:
    """What z (b, l, d) is after scans of the tokens (b, l, c)."""
    sequences = [branch.sequences(x, joined) for branch in branches]
    outputs = scan_branches(sequences, branches[0].unit.scan_backend)
    for branch, scanned, y in zip(branches, sequences, outputs, strict=True):
        z = branch.write(z, scanned, y, len(x))
    return z


def _as_stored(y: Tensor, order: Tensor | None) -> Tensor:
    """Results (b, m, d) in the order of what was read."""
    return y if order is None else torch.empty_like(y).scatter(1, order[..., None].expand_as(y), y)


def use_scan_backend(model: nn.Module, backend: str) -> None:
    """Make every scan of a model run on one backend (see `scan.CHOICES`)."""
    for module in model.modules():
        if isinstance(module, SelectiveScanUnit):
            module.scan_backend = backend
