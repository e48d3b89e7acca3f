"""The blocks of the UNet under diffusers' names: down, mid and up.

Letters: n = batch·frames, c channels, h w grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import UNetConfig
from .attention import Ops
from .control import Context
from .resnets import SpatioTemporalResnet
from .transformer import SpatioTemporalTransformer


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
