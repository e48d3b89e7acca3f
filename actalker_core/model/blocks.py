"""The blocks of the UNet, under diffusers' names: resnets, transformers, down, mid and up.

Letters: b batch, f frames, n = b·f, c channels, h w grid, l = h·w tokens.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actalker_core.config import UNetConfig
from actalker_core.model.attention import Attention, ControlledAttention, FeedForward, Ops, Signal
from actalker_core.model.mamba import ParallelControlMamba
from actalker_core.regions import Regions


@dataclass(frozen=True)
class Control:
    """What every block reads besides its input.

    Attributes:
        frames: frames per video; rows are batch-major (b f).
        identity: (n, s, c) context of the plain cross attention.
        audio, expression: (n, s, c) tokens, or None where the signal is silent.
        regions: where each signal applies; None for everywhere.
    """

    frames: int
    identity: Tensor
    audio: Tensor | None = None
    expression: Tensor | None = None
    regions: Regions | None = None

    def spatial(self, grid: tuple[int, int]) -> tuple[Signal, Signal]:
        """Both signals with their regions on a token grid."""
        audio, expression = (None, None) if self.regions is None else self.regions.at(grid)
        return Signal(self.audio, audio), Signal(self.expression, expression)

    def temporal(self) -> "Control":
        """Every token set averaged over its video's frames: (n, s, c) -> (b, s, c)."""
        return Control(
            self.frames,
            self._mean(self.identity),
            None if self.audio is None else self._mean(self.audio),
            None if self.expression is None else self._mean(self.expression),
        )

    def _mean(self, tokens: Tensor) -> Tensor:
        mean: Tensor = tokens.unflatten(0, (-1, self.frames)).mean(1)
        return mean


class Context(NamedTuple):
    """A forward pass's control in its two forms, computed once."""

    spatial: Control
    temporal: Control


def timestep_embedding(t: Tensor, channels: int) -> Tensor:
    """Sinusoids of (n,) numbers, cosines first: (n, channels). Source: arXiv 1706.03762, 3.5."""
    half = channels // 2
    exponent = torch.arange(half, device=t.device, dtype=torch.float32) / half
    angles = t.float()[:, None] * torch.exp(-math.log(10000) * exponent)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimestepMLP(nn.Module):
    """Two linear layers that turn sinusoids into an embedding."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int, ops: Ops = nn) -> None:
        super().__init__()
        self.linear_1 = ops.Linear(in_channels, hidden)
        self.linear_2 = ops.Linear(hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels) -> (n, out_channels)."""
        out: Tensor = self.linear_2(F.silu(self.linear_1(x)))
        return out


class AlphaBlender(nn.Module):
    """A learned mix of a spatial and a temporal result."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([0.5]))

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """sigmoid(mix)·spatial + (1 − sigmoid(mix))·temporal."""
        alpha = torch.sigmoid(self.mix_factor.to(spatial))
        return torch.lerp(temporal, spatial, alpha)


class SpatialResnet(nn.Module):
    """Two 3×3 convolutions per frame, with the time embedding added between them."""

    def __init__(
        self, in_channels: int, out_channels: int, config: UNetConfig, eps: float, ops: Ops
    ) -> None:
        super().__init__()
        groups = config.norm_num_groups
        self.norm1 = ops.GroupNorm(groups, in_channels, eps=eps)
        self.conv1 = ops.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = ops.Linear(config.time_channels, out_channels)
        self.norm2 = ops.GroupNorm(groups, out_channels, eps=eps)
        self.conv2 = ops.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = (
            ops.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(n, c, h, w) with time (n, e) -> (n, c', h, w)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(time)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        out: Tensor = h + (x if self.conv_shortcut is None else self.conv_shortcut(x))
        return out


class TemporalResnet(nn.Module):
    """Two convolutions over three frames, with the time embedding added between them."""

    def __init__(self, channels: int, config: UNetConfig, eps: float, ops: Ops) -> None:
        super().__init__()
        groups, kernel, padding = config.norm_num_groups, (3, 1, 1), (1, 0, 0)
        self.norm1 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv1 = ops.Conv3d(channels, channels, kernel, padding=padding)
        self.time_emb_proj = ops.Linear(config.time_channels, channels)
        self.norm2 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv2 = ops.Conv3d(channels, channels, kernel, padding=padding)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(b, c, f, h, w) with time (b, e, f) -> (b, c, f, h, w)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(time.transpose(1, 2)).transpose(1, 2)[..., None, None]
        out: Tensor = x + self.conv2(F.silu(self.norm2(h)))
        return out


class SpatioTemporalResnet(nn.Module):
    """A resnet per frame, one across frames, and their learned mix."""

    def __init__(
        self, in_channels: int, out_channels: int, config: UNetConfig, eps: float, ops: Ops
    ) -> None:
        super().__init__()
        self.spatial_res_block = SpatialResnet(in_channels, out_channels, config, eps, ops)
        self.temporal_res_block = TemporalResnet(out_channels, config, eps, ops)
        self.time_mixer = AlphaBlender()

    def forward(self, x: Tensor, time: Tensor, frames: int) -> Tensor:
        """(n, c, h, w) with activated time (n, e) -> (n, c', h, w)."""
        x = self.spatial_res_block(x, time)
        video = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b c f h w
        per_video = time.unflatten(0, (-1, frames)).transpose(1, 2)  # b e f
        mixed = self.time_mixer(video, self.temporal_res_block(video, per_video))
        out: Tensor = mixed.transpose(1, 2).flatten(0, 1)
        return out


class SpatialBlock(nn.Module):
    """Self attention, controlled cross attention and feed-forward over one frame's tokens."""

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: Ops) -> None:
        super().__init__()
        context = config.cross_attention_dim
        self.norm1 = ops.LayerNorm(channels)
        self.attn1 = Attention(channels, channels, heads, ops)
        self.norm2 = ops.LayerNorm(channels)
        self.attn2 = ControlledAttention(channels, context, heads, config.signal_scales, ops)
        self.norm3 = ops.LayerNorm(channels)
        self.ff = FeedForward(channels, ops)

    def forward(self, x: Tensor, identity: Tensor, signals: tuple[Signal, ...]) -> Tensor:
        """(n, l, c) -> (n, l, c)."""
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), identity, signals)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class TemporalBlock(SpatialBlock):
    """The same over one pixel's frames, with a feed-forward before it.

    The context is the same for every pixel of a video, so its cross attention runs over all
    tokens of the video at once.
    """

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: Ops) -> None:
        super().__init__(channels, heads, config, ops)
        self.norm_in = ops.LayerNorm(channels)
        self.ff_in = FeedForward(channels, ops)

    def forward(self, x: Tensor, identity: Tensor, signals: tuple[Signal, ...]) -> Tensor:
        """(b·l, f, c) -> (b·l, f, c); identity and signals are per video (b, s, c')."""
        x = x + self.ff_in(self.norm_in(x))
        x = x + self.attn1(self.norm1(x))
        per_video = self.norm2(x).reshape(identity.shape[0], -1, x.shape[2])
        attended = self.attn2(per_video, identity, signals)
        x = x + attended.expand(per_video.shape).reshape(x.shape)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class SpatioTemporalTransformer(nn.Module):
    """Per layer: the spatial block, the parallel-control Mamba, then a mix with the temporal."""

    def __init__(
        self, channels: int, heads: int, config: UNetConfig, ops: Ops, with_mamba: bool
    ) -> None:
        super().__init__()
        depth = range(config.transformer_layers_per_block)
        self.norm = ops.GroupNorm(config.norm_num_groups, channels, eps=1e-6)
        self.proj_in = ops.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            SpatialBlock(channels, heads, config, ops) for _ in depth
        )
        if with_mamba:
            self.mamba_blocks = nn.ModuleList(_mamba(channels, config, ops) for _ in depth)
        self.temporal_transformer_blocks = nn.ModuleList(
            TemporalBlock(channels, heads, config, ops) for _ in depth
        )
        self.time_pos_embed = TimestepMLP(channels, 4 * channels, channels, ops)
        self.time_mixer = AlphaBlender()
        self.proj_out = ops.Linear(channels, channels)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
        grid = (x.shape[2], x.shape[3])
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))  # n c h w -> n l c
        position = self._frame_positions(context.spatial.frames, x)
        for i in range(len(self.transformer_blocks)):
            tokens = self._layer(i, tokens, position, grid, context)
        out: Tensor = x + self.proj_out(tokens).transpose(1, 2).reshape(x.shape)
        return out

    def _layer(
        self, i: int, x: Tensor, position: Tensor, grid: tuple[int, int], context: Context
    ) -> Tensor:
        spatial, temporal = context
        audio, expression = spatial.spatial(grid)
        x = self.transformer_blocks[i](x, spatial.identity, (audio, expression))
        if hasattr(self, "mamba_blocks"):
            x = self.mamba_blocks[i](x, spatial.identity, audio, expression)
        frames = spatial.frames
        moving = _pixels(x + position.repeat(x.shape[0] // frames, 1, 1), frames)
        block = self.temporal_transformer_blocks[i]
        moving = block(moving, temporal.identity, temporal.spatial(grid))
        mixed: Tensor = self.time_mixer(x, _frames(moving, x.shape[1]))
        return mixed

    def _frame_positions(self, frames: int, like: Tensor) -> Tensor:
        """(f, 1, c) embedding of a frame's place in its window."""
        t = torch.arange(frames, device=like.device)
        position: Tensor = self.time_pos_embed(timestep_embedding(t, like.shape[1]).to(like))
        return position[:, None]


def _mamba(channels: int, config: UNetConfig, ops: Ops) -> ParallelControlMamba:
    return ParallelControlMamba(
        channels, config.cross_attention_dim, config.state, config.expand, config.directions, ops
    )


def _pixels(x: Tensor, frames: int) -> Tensor:
    """(b f) l c -> (b l) f c."""
    pixels: Tensor = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)
    return pixels


def _frames(x: Tensor, tokens: int) -> Tensor:
    """(b l) f c -> (b f) l c."""
    frames: Tensor = x.unflatten(0, (-1, tokens)).transpose(1, 2).flatten(0, 1)
    return frames


class Downsample(nn.Module):
    """A strided convolution that halves the grid."""

    def __init__(self, channels: int, ops: Ops) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h/2, w/2)."""
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Nearest-neighbour doubling, then a convolution."""

    def __init__(self, channels: int, ops: Ops) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, 2h, 2w)."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class DownBlock(nn.Module):
    """Resnets, each followed by a transformer where the block has heads, then a downsampler."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        config: UNetConfig,
        ops: Ops,
        *,
        heads: int | None,
        last: bool,
    ) -> None:
        super().__init__()
        layers = config.layers_per_block
        eps = 1e-5 if heads is None else 1e-6
        self.resnets = nn.ModuleList(
            SpatioTemporalResnet(out_channels if i else in_channels, out_channels, config, eps, ops)
            for i in range(layers)
        )
        if heads is not None:
            self.attentions = _transformers(layers, out_channels, heads, config, ops)
        if not last:
            self.downsamplers = nn.ModuleList([Downsample(out_channels, ops)])

    def forward(self, x: Tensor, time: Tensor, context: Context) -> list[Tensor]:
        """Every output that the way up will read; the last one goes on down."""
        outputs: list[Tensor] = []
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, time, context.spatial.frames)
            if hasattr(self, "attentions"):
                x = self.attentions[i](x, context)
            outputs.append(x)
        if hasattr(self, "downsamplers"):
            outputs.append(self.downsamplers[0](x))
        return outputs


class MidBlock(nn.Module):
    """Resnet, transformer without Mamba, resnet."""

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: Ops) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            SpatioTemporalResnet(channels, channels, config, 1e-5, ops) for _ in range(2)
        )
        transformer = SpatioTemporalTransformer(channels, heads, config, ops, with_mamba=False)
        self.attentions = nn.ModuleList([transformer])

    def forward(self, x: Tensor, time: Tensor, context: Context) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
        frames = context.spatial.frames
        x = self.attentions[0](self.resnets[0](x, time, frames), context)
        out: Tensor = self.resnets[1](x, time, frames)
        return out


class UpBlock(nn.Module):
    """Resnets that also read the way down, each with its transformer, then an upsampler."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: list[int],
        out_channels: int,
        config: UNetConfig,
        ops: Ops,
        *,
        heads: int | None,
        last: bool,
    ) -> None:
        super().__init__()
        layers = len(skip_channels)
        incoming = [in_channels] + [out_channels] * (layers - 1)
        self.resnets = nn.ModuleList(
            SpatioTemporalResnet(a + b, out_channels, config, 1e-6, ops)
            for a, b in zip(incoming, skip_channels, strict=True)
        )
        if heads is not None:
            self.attentions = _transformers(layers, out_channels, heads, config, ops)
        if not last:
            self.upsamplers = nn.ModuleList([Upsample(out_channels, ops)])

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor, context: Context) -> Tensor:
        """(n, c, h, w) with the skips of this level, taken from the end of the list."""
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], dim=1), time, context.spatial.frames)
            if hasattr(self, "attentions"):
                x = self.attentions[i](x, context)
        if hasattr(self, "upsamplers"):
            x = self.upsamplers[0](x)
        return x


def _transformers(
    count: int, channels: int, heads: int, config: UNetConfig, ops: Ops
) -> nn.ModuleList:
    return nn.ModuleList(
        SpatioTemporalTransformer(channels, heads, config, ops, config.has_mamba)
        for _ in range(count)
    )
