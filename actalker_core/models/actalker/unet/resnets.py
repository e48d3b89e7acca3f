"""The residual convolutions that read the time embedding, under diffusers' names.

What a convolution adds to its channels joins the next sum, or it would be a pass over memory of its
own; see `_convolve`.

Letters: b videos, f frames, c channels, e time channels, h w grid.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.blending import TemporalShare
from ....ops.fused import add_with_bias
from ....ops.norms import norm_silu
from ....ops.protocol import LayerOps, WeightsOf, weights_reader
from ..config import UNetConfig


class SpatialResnet(nn.Module):
    """Two 3×3 convolutions per frame, with the time embedding added between them."""

    def __init__(
        self, in_channels: int, out_channels: int, config: UNetConfig, eps: float, ops: LayerOps
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
        self.weights_of = weights_reader(ops)

    def forward(self, x: Tensor, time: Tensor, frames: int) -> Tensor:
        """(b·f, c, h, w) with time (b, e) -> (b·f, c', h, w)."""
        h, bias = _convolve(self.conv1, norm_silu(self.norm1, x), self.weights_of)
        shift = self.time_emb_proj(time)
        shift = (shift if bias is None else shift + bias).repeat_interleave(frames, 0)
        h = norm_silu(self.norm2, h, shift)
        h, bias = _convolve(self.conv2, h, self.weights_of)
        return add_with_bias(x if self.conv_shortcut is None else self.conv_shortcut(x), h, bias)


class TemporalResnet(nn.Module):
    """Two convolutions over three frames, with the time embedding added between them."""

    def __init__(self, channels: int, config: UNetConfig, eps: float, ops: LayerOps) -> None:
        super().__init__()
        groups, kernel, padding = config.norm_num_groups, (3, 1, 1), (1, 0, 0)
        self.norm1 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv1 = ops.Conv3d(channels, channels, kernel, padding=padding)
        self.time_emb_proj = ops.Linear(config.time_channels, channels)
        self.norm2 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv2 = ops.Conv3d(channels, channels, kernel, padding=padding)
        self.weights_of = weights_reader(ops)

    def forward(self, x: Tensor, time: Tensor, share: Tensor) -> Tensor:
        """(b, c, f, h, w) with time (b, e): x + share · what the convolutions make of it."""
        h, bias = _convolve(self.conv1, norm_silu(self.norm1, x), self.weights_of)
        shift = self.time_emb_proj(time)
        h = norm_silu(self.norm2, h, shift if bias is None else shift + bias)
        h, bias = _convolve(self.conv2, h, self.weights_of, share)
        return add_with_bias(x, h, bias)


def _convolve(
    conv: nn.Module, x: Tensor, weights_of: WeightsOf, share: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Share · conv(x), but for a bias (c',) that the next sum is to add; None where it is added.

    Kernels (3, 3) of (b, c, h, w) and (3, 1, 1) of (b, c, f, h, w). The latter run as 2-d ones over
    frames and pixels, which torch computes several times faster. A share (1,) is a factor of the
    weights, which are fewer numbers than the result.
    """
    weights = weights_of(conv, x)
    if weights is None:
        out = conv(x)
        return (out if share is None else share * out), None
    kernel, bias = weights
    if share is not None:
        kernel, bias = share * kernel, None if bias is None else share * bias
    if kernel.ndim == 5:
        return F.conv2d(x.flatten(3), kernel[..., 0], padding=(1, 0)).view(x.shape), bias
    return F.conv2d(x, kernel, padding=1), bias


class SpatioTemporalResnet(nn.Module):
    """A resnet per frame, one across frames, and their learned mix.

    The released mix is α · spatial + (1 − α) · temporal, and the temporal resnet puts out its input
    and what it adds to that: spatial + (1 − α) · (what it adds), so that nothing has to be mixed.
    """

    def __init__(
        self, in_channels: int, out_channels: int, config: UNetConfig, eps: float, ops: LayerOps
    ) -> None:
        super().__init__()
        self.spatial_res_block = SpatialResnet(in_channels, out_channels, config, eps, ops)
        self.temporal_res_block = TemporalResnet(out_channels, config, eps, ops)
        self.time_mixer = TemporalShare()

    def forward(self, x: Tensor, time: Tensor, frames: int) -> Tensor:
        """(b·f, c, h, w) with activated time (v, e) of v ≥ b videos -> (b·f, c', h, w)."""
        time = time[: len(x) // frames]
        x = self.spatial_res_block(x, time, frames)
        video = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b c f h w
        video = self.temporal_res_block(video, time, self.time_mixer(x))
        out: Tensor = video.transpose(1, 2).flatten(0, 1)
        return out
