"""The blocks of the UNet under diffusers' names: down, mid and up.

Letters: b rows (videos·frames), c channels, h w grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.protocol import LayerOps, weights_reader
from ..config import UNetConfig
from .control import Context
from .resnets import SpatioTemporalResnet
from .transformer import SpatioTemporalTransformer


class Downsample(nn.Module):
    """A strided convolution that halves the grid."""

    def __init__(self, channels: int, ops: LayerOps) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h/2, w/2)."""
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Nearest-neighbour doubling and a 3×3 convolution, in one.

    After the doubling, two of the three rows (and columns) under a kernel are the same, so that
    each of the four pixels that one becomes has a 2×2 kernel of its own over what was there
    before: four ninths of the products.
    """

    def __init__(self, channels: int, ops: LayerOps) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, padding=1)
        self.weights_of = weights_reader(ops)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, 2h, 2w)."""
        weights = self.weights_of(self.conv, x)
        if weights is None:
            out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            return out
        kernel, bias = weights
        bias = None if bias is None else bias.repeat(4)
        quarters = F.conv2d(F.pad(x, (1, 1, 1, 1)), _four_kernels(kernel), bias)
        return _interleave(quarters.unflatten(1, (2, 2, -1)))


def _four_kernels(kernel: Tensor) -> Tensor:
    """(c', c, 3, 3) -> (2·2·c', c, 2, 2): for the upper and lower row, left and right column.

    A row k₀ k₁ k₂ over the doubled rows … a a b b c c … weighs, for the first of the two b,
    k₀ a + (k₁ + k₂) b, and for the second (k₀ + k₁) b + k₂ c.
    """
    pairs: Tensor = _pair_sums(_pair_sums(kernel, 2), 4)  # right, lower, c', c, 2, 2
    return pairs.transpose(0, 1).flatten(0, 2)


def _pair_sums(kernel: Tensor, dim: int) -> Tensor:
    """Three rows as two, for either pixel of a doubled one: 3 along `dim` -> (2, …), 2 along it."""
    first, second, third = kernel.unbind(dim)
    pairs = (first, second + third), (first + second, third)
    return torch.stack([torch.stack(pair, dim) for pair in pairs])


def _interleave(x: Tensor) -> Tensor:
    """(b, 2, 2, c, h + 1, w + 1) of the four pixels that one becomes -> (b, c, 2h, 2w).

    Over an input padded all around, a 2×2 kernel has one result more than there are pixels: the
    upper (left) pixel takes all but the last, the lower (right) one all but the first.
    """
    height, width = x.shape[4] - 1, x.shape[5] - 1
    rows = [
        torch.stack([x[:, a, b, :, a : a + height, b : b + width] for b in (0, 1)], dim=4)
        for a in (0, 1)
    ]
    return torch.stack([row.flatten(3) for row in rows], dim=3).flatten(2, 3)


class DownBlock(nn.Module):
    """Resnets, each followed by a transformer where the block has heads, then a downsampler."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        config: UNetConfig,
        ops: LayerOps,
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
        """(b, c, h, w) -> every output (b, c', h, w) that the way up will read.

        The last one, (b, c', h/2, w/2) where there is a downsampler, goes on down.
        """
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

    def __init__(self, channels: int, heads: int, config: UNetConfig, ops: LayerOps) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            SpatioTemporalResnet(channels, channels, config, 1e-5, ops) for _ in range(2)
        )
        transformer = SpatioTemporalTransformer(channels, heads, config, ops, with_mamba=False)
        self.attentions = nn.ModuleList([transformer])

    def forward(self, x: Tensor, time: Tensor, context: Context) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
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
        ops: LayerOps,
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

    def forward(self, skips: list[Tensor], time: Tensor, context: Context) -> Tensor:
        """What came up and the skips of this level, each (b, c, h, w) -> (b, c', 2h, 2w).

        All are taken from the end of the list, so that nobody else keeps them in memory.
        """
        x = skips.pop()
        for i, resnet in enumerate(self.resnets):
            x = torch.cat([x, context.spatial.expand_batch(skips.pop())], dim=1)
            x = resnet(x, time, context.spatial.frames)
            if hasattr(self, "attentions"):
                x = self.attentions[i](x, context)
        if hasattr(self, "upsamplers"):
            x = self.upsamplers[0](x)
        return x


def _transformers(
    count: int, channels: int, heads: int, config: UNetConfig, ops: LayerOps
) -> nn.ModuleList:
    return nn.ModuleList(
        SpatioTemporalTransformer(channels, heads, config, ops, config.has_mamba)
        for _ in range(count)
    )
