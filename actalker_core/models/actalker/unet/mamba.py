"""The parallel-control Mamba layer: one scan per signal, each over its own region only.

Letters: b rows (videos·frames), l image tokens, m those that a signal scans, t tokens of its
context suffix, c channels, d = expand·c inner channels, r rank of the step, n state, k directions
(even ones forwards, odd ones backwards).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps, weights_reader
from ....ops.selective_scan import ScanInput, scan_inputs
from ..token_regions import TokenRegion
from .attention import RegionCondition
from .tokens import gather_tokens, repeat_per_video, scatter_add_tokens

MAX_SCAN_TOKENS = 2**19
"""Tokens of all rows. With more of them, each signal keeps a GPU busy alone, and they take turns:
memory is then that of one."""


class SelectiveScanUnit(nn.Module):
    """The state-space parameters of one signal: turns its tokens into what a scan walks.

    The scan itself runs for both signals together: see `ops.selective_scan.scan_inputs`. `A_logs`,
    `Ds` and `dt_projs_bias` are used in float32 whatever the type of the tokens.
    """

    scan_backend = "auto"
    """The backend that scans what this puts out; `use_scan_backend` sets it on a whole model."""

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

    def forward(
        self,
        x: Tensor,
        suffix: Tensor | None = None,
        order: Tensor | None = None,
        seq_lens: Tensor | None = None,
    ) -> ScanInput:
        """Tokens (b, m, d) and a context suffix (b, t, d) after them, with the step of each.

        Args:
            order, seq_lens: see `ScanInput`.
        """
        tokens = x if suffix is None else torch.cat([x, suffix], dim=1)
        directions, d_inner, _ = self.dt_projs_weight.shape
        # All directions in one product; it reads the tokens once.
        dt_B_C = F.linear(tokens, self.x_proj_weight.flatten(0, 1).to(tokens))
        dt_B_C = dt_B_C.unflatten(2, (directions, -1)).permute(2, 0, 1, 3)  # k b m+t r+2n
        dt, B, C = dt_B_C.split(self.split, dim=3)
        dt_weight = self.dt_projs_weight.to(tokens).transpose(1, 2)[:, None]  # k 1 r d
        # A logarithm is stored, so that A stays negative in training and every state fades.
        A = -torch.exp(self.A_logs.to(x.device, torch.float32))
        return ScanInput(
            x=tokens,
            delta=dt @ dt_weight,
            B=B,
            C=C,
            A=A.unflatten(0, (directions, d_inner)),
            D=self.Ds.to(x.device).unflatten(0, (directions, d_inner)),
            bias=self.dt_projs_bias.to(x.device),
            suffix_len=tokens.shape[1] - x.shape[1],
            order=order,
            seq_lens=seq_lens,
        )


@dataclass(frozen=True)
class RegionScan:
    """One signal's way through the layer: gather the tokens of its region, scan, write them back.

    Attributes:
        unit, in_proj: of the signal.
        suffix: (b, t, d) context that its scan reads after the tokens: identity and signal.
        region: the tokens that it scans; None for all.
    """

    unit: SelectiveScanUnit
    in_proj: nn.Module
    suffix: Tensor
    region: TokenRegion | None

    @property
    def token_idx(self) -> Tensor | None:
        """Indices (f, m) of the tokens that are scanned; None for all."""
        return None if self.region is None else self.region.token_idx

    @property
    def is_empty(self) -> bool:
        """Whether no token is scanned."""
        return self.region is not None and self.region.is_empty

    def count_tokens(self, x: Tensor) -> int:
        """How many of the tokens (b, l, c) of a row it scans, m."""
        return int(x.shape[1] if self.token_idx is None else self.token_idx.shape[1])

    def prepare(self, x: Tensor, frames: int) -> ScanInput:
        """What is scanned of (b, l, c), `frames` rows at a time as one sequence."""
        tokens = self.in_proj(x if self.token_idx is None else gather_tokens(x, self.token_idx))
        tokens, suffix = (
            t.reshape(-1, frames * t.shape[1], t.shape[2]) for t in (tokens, self.suffix)
        )
        order = seq_lens = None
        if self.region is not None and self.region.pad_mask is not None:
            pad_mask = repeat_per_video(self.region.pad_mask, len(x)).reshape(tokens.shape[:2])
            seq_lens = (~pad_mask).sum(1)
            if frames > 1:  # padding ends each frame, but must end the sequence that they make
                order = torch.argsort(pad_mask.byte(), dim=1, stable=True)
        scan: ScanInput = self.unit(tokens, suffix, order, seq_lens)
        return scan

    def write(self, z: Tensor | None, scan: ScanInput, y: Tensor, rows: int) -> Tensor:
        """Z (b, l, d), changed in place, where outputs y (b, m, d) replace the scanned tokens.

        Z is the sum of what both signals' projections make of each token, so that what is added
        is the change: output less input. Without a region there is nothing to keep: z + y.
        """
        y = _restore_order(y, scan.order)
        if self.region is None or self.token_idx is None:
            y = y.reshape(rows, -1, y.shape[2])
            return y if z is None else z.add_(y)
        assert z is not None  # a region leaves tokens to the projection
        change = (y - scan.x[:, : y.shape[1]]).reshape(rows, -1, y.shape[2])
        if self.region.pad_mask is not None:  # padding repeats tokens outside the region
            change = change.masked_fill(repeat_per_video(self.region.pad_mask, rows)[..., None], 0)
        return scatter_add_tokens(z, self.token_idx, change)


class ParallelControlMamba(nn.Module):
    """Audio and expression each rewrite the tokens of their own region; the two are added.

    A signal scans [tokens of its region | identity | its own tokens] and writes the former back;
    tokens outside its region stay what its input projection made of them. What both projections
    make of a token is added anyway, so that one with the sum of their weights serves all tokens.

    Args:
        across_frames: whether the frames of a window are one sequence, as in the paper, or each
            its own, as in the release.
        mask_drop: whether a signal leaves out the tokens outside its region.
    """

    def __init__(
        self,
        channels: int,
        d_cond: int,
        state: int,
        expand: int,
        directions: int,
        ops: LayerOps = FUSED_LAYERS,
        *,
        across_frames: bool = False,
        mask_drop: bool = True,
    ) -> None:
        super().__init__()
        self.across_frames, self.mask_drop = across_frames, mask_drop
        self.weights_of = weights_reader(ops)
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
        scans = (
            self._make_scan(self.audio_unit, self.in_proj1, self.audio_proj, identity, audio),
            self._make_scan(self.exp_unit, self.in_proj2, self.exp_proj, identity, expression),
        )
        z = self._project(x, [scan for scan in scans if scan.token_idx is not None])
        for turn in _take_turns([scan for scan in scans if not scan.is_empty], x):
            z = _rewrite(z, x, turn, frames if self.across_frames else 1)
        assert z is not None  # what no signal scans is projected
        out: Tensor = self.out_proj(self.out_norm(z))
        return out

    def _make_scan(
        self,
        unit: SelectiveScanUnit,
        in_proj: nn.Module,
        project: nn.Module,
        identity: Tensor,
        condition: RegionCondition,
    ) -> RegionScan:
        suffix = identity
        if condition.tokens is not None:
            suffix = torch.cat([identity, F.silu(project(condition.tokens))], dim=1)
        return RegionScan(unit, in_proj, suffix, condition.region if self.mask_drop else None)

    def _project(self, x: Tensor, scans: Sequence[RegionScan]) -> Tensor | None:
        """The sum of what the scans' input projections make of all tokens; None without scans."""
        if not scans:
            return None
        weights = [self.weights_of(scan.in_proj, x) for scan in scans]
        matrices = [pair[0] for pair in weights if pair is not None]
        if len(matrices) == len(scans):
            return F.linear(x, reduce(torch.add, matrices))
        out: Tensor = reduce(torch.add, [scan.in_proj(x) for scan in scans])
        return out


def _take_turns(scans: Sequence[RegionScan], x: Tensor) -> list[Sequence[RegionScan]]:
    """Which scan the tokens of (b, l, c) together: all, or each alone where they are too many."""
    tokens = sum(len(x) * scan.count_tokens(x) for scan in scans)
    if len(scans) < 2 or tokens > MAX_SCAN_TOKENS:
        return [[scan] for scan in scans]
    return [scans]


def _rewrite(
    z: Tensor | None, x: Tensor, scans: Sequence[RegionScan], frames: int
) -> Tensor | None:
    """What z (b, l, d) is after scans of the tokens (b, l, c)."""
    inputs = [scan.prepare(x, frames) for scan in scans]
    outputs = scan_inputs(inputs, scans[0].unit.scan_backend)
    for scan, scan_input, y in zip(scans, inputs, outputs, strict=True):
        z = scan.write(z, scan_input, y, len(x))
    return z


def _restore_order(y: Tensor, order: Tensor | None) -> Tensor:
    """Outputs (b, m, d) in the order that their tokens are stored in."""
    return y if order is None else torch.empty_like(y).scatter(1, order[..., None].expand_as(y), y)


def use_scan_backend(model: nn.Module, backend: str) -> None:
    """Make every scan of a model run on one backend (see `ops.selective_scan.CHOICES`)."""
    for module in model.modules():
        if isinstance(module, SelectiveScanUnit):
            module.scan_backend = backend
