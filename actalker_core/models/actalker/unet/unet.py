"""The denoiser: Stable Video Diffusion's UNet with region-masked signals and Mamba control."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.embeddings import TimestepMLP, embed_timesteps
from ....ops.layers import FUSED_LAYERS
from ....ops.norms import norm_silu
from ....ops.protocol import LayerOps
from ..config import UNetConfig
from .blocks import DownBlock, MidBlock, UpBlock
from .control import Context, Control


class UNet(nn.Module):
    """State-dict keys are those of the released ACTalker and, without control, of diffusers.

    Args:
        config: every size; see `config.VARIANTS`.
        ops: where the layers come from (see `ops.protocol`).
    """

    def __init__(self, config: UNetConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.config = config
        channels, time = config.block_out_channels, config.time_channels
        self.conv_in = ops.Conv2d(config.in_channels, channels[0], 3, padding=1)
        self.time_embedding = TimestepMLP(channels[0], time, time, ops)
        self.add_embedding = TimestepMLP(
            config.projection_class_embeddings_input_dim, time, time, ops
        )
        self.down_blocks = _down_blocks(config, ops)
        self.mid_block = MidBlock(channels[-1], config.num_attention_heads[-1], config, ops)
        self.up_blocks = _up_blocks(config, ops)
        self.conv_norm_out = ops.GroupNorm(config.norm_num_groups, channels[0], eps=1e-5)
        self.conv_out = ops.Conv2d(channels[0], config.out_channels, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        time_ids: Tensor,
        control: Control,
        pose: Tensor | None = None,
    ) -> Tensor:
        """Predict v for a batch of windows.

        Args:
            sample: (b, f, 8, h, w) noisy latent and portrait latent; h and w multiples of 8.
            timestep: (v,) c_noise = ln(sigma) / 4.
            time_ids: (v, 3) frame rate in Hz, motion bucket, motion bucket of the expression.
            control: identity, signals and regions of v videos; its rows are (v f). Without
                `control.batch_idx`, v is b; with it, all have one noise level and time ids.
            pose: (b or 1, f or 1, c, h, w) map added after the first convolution.

        Returns:
            (v, f, 4, h, w).
        """
        videos, frames = sample.shape[:2]
        time = F.silu(self._embed_time(timestep, time_ids, sample))
        context = Context(control, control.average())
        x = self.conv_in(sample.flatten(0, 1))
        if pose is not None:
            x = (x.unflatten(0, (videos, frames)) + pose).flatten(0, 1)
        skips = [x]
        for down in self.down_blocks:
            skips += down(skips[-1], time, context)
        skips.append(self.mid_block(skips[-1], time, context))
        for up in self.up_blocks:
            skips.append(up(skips, time, context))
        x = norm_silu(self.conv_norm_out, skips.pop())
        v: Tensor = self.conv_out(x).unflatten(0, (-1, frames))
        return v

    def compile(self, *arguments: Any, **options: Any) -> None:
        """As torch's, with a graph for each size of batch.

        Of sizes that may change, torch keeps terms that grow with each block: it would not end.
        """
        super().compile(*arguments, **{"dynamic": False} | options)

    def _embed_time(self, timestep: Tensor, time_ids: Tensor, like: Tensor) -> Tensor:
        """(v, e) sum of the noise level's embedding and that of the time ids."""
        width = self.config.addition_time_embed_dim
        noise = embed_timesteps(timestep, self.config.block_out_channels[0])
        ids = embed_timesteps(time_ids.flatten(), width).reshape(time_ids.shape[0], -1)
        out: Tensor = self.time_embedding(noise.to(like)) + self.add_embedding(ids.to(like))
        return out


def _down_blocks(config: UNetConfig, ops: LayerOps) -> nn.ModuleList:
    channels = config.block_out_channels
    incoming = (channels[0], *channels[:-1])
    return nn.ModuleList(
        DownBlock(a, b, config, ops, heads=config.heads_at(level), last=level == len(channels) - 1)
        for level, (a, b) in enumerate(zip(incoming, channels, strict=True))
    )


def _up_blocks(config: UNetConfig, ops: LayerOps) -> nn.ModuleList:
    """Level by level upwards; each reads its level's outputs and the one its level came from."""
    channels = config.block_out_channels
    below = (*channels[1:], channels[-1])
    above = (channels[0], *channels[:-1])
    return nn.ModuleList(
        UpBlock(
            below[level],
            [channels[level]] * config.layers_per_block + [above[level]],
            channels[level],
            config,
            ops,
            heads=config.heads_at(level),
            last=level == 0,
        )
        for level in reversed(range(len(channels)))
    )
