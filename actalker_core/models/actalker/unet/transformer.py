"""The transformer of the UNet: a spatial block, the Mamba layer, and a mix with the temporal one.

Letters: b videos, f frames, c channels, h w grid, l = h·w tokens, s context tokens.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ....ops.attention import Attention, FeedForward
from ....ops.blending import AlphaBlender
from ....ops.embeddings import TimestepMLP, embed_timesteps
from ....ops.protocol import LayerOps
from ..config import UNetConfig
from .attention import ControlledAttention, RegionCondition
from .control import Context
from .mamba import ParallelControlMamba


class SpatialBlock(nn.Module):
    """Self attention, controlled cross attention and feed-forward over one frame's tokens."""

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: LayerOps) -> None:
        super().__init__()
        context = config.cross_attention_dim
        self.norm1 = ops.LayerNorm(channels)
        self.attn1 = Attention(channels, channels, heads, ops)
        self.norm2 = ops.LayerNorm(channels)
        self.attn2 = ControlledAttention(channels, context, heads, config.signal_scales, ops)
        self.norm3 = ops.LayerNorm(channels)
        self.ff = FeedForward(channels, ops)

    def self_attend(self, x: Tensor) -> Tensor:
        """((b f), l, c) of the same shape: self attention, all that comes before the signals."""
        out: Tensor = x + self.attn1(self.norm1(x))
        return out

    def forward(self, x: Tensor, identity: Tensor, signals: tuple[RegionCondition, ...]) -> Tensor:
        """What `self_attend` put out, ((b f), l, c) -> ((b f), l, c)."""
        x = x + self.attn2(self.norm2(x), identity, signals)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class TemporalBlock(SpatialBlock):
    """The same over one pixel's frames, with a feed-forward before it.

    The context is the same for every pixel of a video, so its cross attention runs over all
    tokens of the video at once.
    """

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: LayerOps) -> None:
        super().__init__(channels, heads, config, ops)
        self.norm_in = ops.LayerNorm(channels)
        self.ff_in = FeedForward(channels, ops)

    def forward(self, x: Tensor, identity: Tensor, signals: tuple[RegionCondition, ...]) -> Tensor:
        """((b l), f, c) of the same shape; identity and signals are per video, (b, s, c')."""
        x = self.self_attend(x + self.ff_in(self.norm_in(x)))
        per_video = self.norm2(x).reshape(identity.shape[0], -1, x.shape[2])
        update = self.attn2(per_video, identity, signals)
        x = x + update.expand(per_video.shape).reshape(x.shape)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class SpatioTemporalTransformer(nn.Module):
    """Per layer: the spatial block, the parallel-control Mamba, then a mix with the temporal."""

    def __init__(
        self, channels: int, heads: int, config: UNetConfig, ops: LayerOps, with_mamba: bool
    ) -> None:
        super().__init__()
        depth = range(config.transformer_layers_per_block)
        self.norm = ops.GroupNorm(config.norm_num_groups, channels, eps=1e-6)
        self.proj_in = ops.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            SpatialBlock(channels, heads, config, ops) for _ in depth
        )
        if with_mamba:
            self.mamba_blocks = nn.ModuleList(_build_mamba(channels, config, ops) for _ in depth)
        self.temporal_transformer_blocks = nn.ModuleList(
            TemporalBlock(channels, heads, config, ops) for _ in depth
        )
        self.time_pos_embed = TimestepMLP(channels, 4 * channels, channels, ops)
        self.time_mixer = AlphaBlender()
        self.proj_out = ops.Linear(channels, channels)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """((b f), c, h, w) of the same shape."""
        grid = (x.shape[2], x.shape[3])
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        position = self._embed_positions(context.spatial.frames, x)
        for i in range(len(self.transformer_blocks)):
            tokens = self._run_layer(i, tokens, position, grid, context)
        x = context.spatial.expand_batch(x)
        out: Tensor = x + self.proj_out(tokens).transpose(1, 2).reshape(x.shape)
        return out

    def _run_layer(
        self, i: int, x: Tensor, position: Tensor, grid: tuple[int, int], context: Context
    ) -> Tensor:
        spatial, temporal = context
        audio, expression = spatial.conditions(grid)
        spatial_block: Any = self.transformer_blocks[i]
        x = spatial.expand_batch(spatial_block.self_attend(x))
        x = spatial_block(x, spatial.identity, (audio, expression))
        if hasattr(self, "mamba_blocks"):
            x = self.mamba_blocks[i](x, spatial.identity, audio, expression, spatial.frames)
        frames = spatial.frames
        pixels = _pixels(x + position.repeat(x.shape[0] // frames, 1, 1), frames)
        temporal_block = self.temporal_transformer_blocks[i]
        pixels = temporal_block(pixels, temporal.identity, temporal.conditions(grid))
        out: Tensor = self.time_mixer(x, _frames(pixels, x.shape[1]))
        return out

    def _embed_positions(self, frames: int, like: Tensor) -> Tensor:
        """(f, 1, c) embedding of a frame's place in its window.

        Anew in every pass, as a host may change weights between two steps.
        """
        t = torch.arange(frames, device=like.device)
        position: Tensor = self.time_pos_embed(embed_timesteps(t, like.shape[1]).to(like))
        return position[:, None]


def _build_mamba(channels: int, config: UNetConfig, ops: LayerOps) -> ParallelControlMamba:
    return ParallelControlMamba(
        channels,
        config.cross_attention_dim,
        config.state,
        config.expand,
        config.directions,
        ops,
        across_frames=config.scan_across_frames,
        mask_drop=config.mask_drop,
    )


def _pixels(x: Tensor, frames: int) -> Tensor:
    """((b f), l, c) -> ((b l), f, c)."""
    pixels: Tensor = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)
    return pixels


def _frames(x: Tensor, tokens: int) -> Tensor:
    """((b l), f, c) -> ((b f), l, c)."""
    frames: Tensor = x.unflatten(0, (-1, tokens)).transpose(1, 2).flatten(0, 1)
    return frames
