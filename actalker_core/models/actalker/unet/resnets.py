"""Time embeddings and the residual convolutions that read them, under diffusers' names.

Letters: b batch, f frames, n = b·f, c channels, e time channels, h w grid.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....ops.fused import add_with_bias, group_norm
from ..config import UNetConfig
from .attention import Ops, weights_of


def embed_timesteps(t: Tensor, channels: int) -> Tensor:
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

    def temporal_share(self, like: Tensor) -> Tensor:
        """1 − sigmoid(mix), (1,) in the type of a tensor."""
        return torch.sigmoid(-self.mix_factor.to(like))


class SpatialResnet(nn.Module):
    """Two 3×3 convolutions per frame, with the time embedding added between them.

    What a convolution adds to its channels joins the next sum, or it would be a pass of its own.
    """

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
        self.weights_of = getattr(ops, "weights_of", weights_of)

    def forward(self, x: Tensor, time: Tensor, frames: int) -> Tensor:
        """(n, c, h, w) with time (b, e) -> (n, c', h, w)."""
        h = group_norm(self.norm1, x, self.weights_of, activated=True)
        weight, bias = self.weights_of(self.conv1, h)
        h = F.conv2d(h, weight, padding=1)
        shift = (self.time_emb_proj(time) + bias).repeat_interleave(frames, 0)
        h = group_norm(self.norm2, h, self.weights_of, shift, activated=True)
        weight, bias = self.weights_of(self.conv2, h)
        h = F.conv2d(h, weight, padding=1)
        return add_with_bias(x if self.conv_shortcut is None else self.conv_shortcut(x), h, bias)


class TemporalResnet(nn.Module):
    """Two convolutions over three frames, with the time embedding added between them.

    They run as plane ones over frames and pixels, which torch computes several times faster.
    """

    def __init__(self, channels: int, config: UNetConfig, eps: float, ops: Ops) -> None:
        super().__init__()
        groups, kernel, padding = config.norm_num_groups, (3, 1, 1), (1, 0, 0)
        self.norm1 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv1 = ops.Conv3d(channels, channels, kernel, padding=padding)
        self.time_emb_proj = ops.Linear(config.time_channels, channels)
        self.norm2 = ops.GroupNorm(groups, channels, eps=eps)
        self.conv2 = ops.Conv3d(channels, channels, kernel, padding=padding)
        self.weights_of = getattr(ops, "weights_of", weights_of)

    def forward(self, x: Tensor, time: Tensor, share: Tensor) -> Tensor:
        """(b, c, f, h, w) with time (b, e): x + share · what is found in it."""
        h = group_norm(self.norm1, x, self.weights_of, activated=True)
        weight, bias = self.weights_of(self.conv1, h)
        h = _across_frames(h, weight)
        h = group_norm(
            self.norm2, h, self.weights_of, self.time_emb_proj(time) + bias, activated=True
        )
        weight, bias = self.weights_of(self.conv2, h)
        assert bias is not None  # these convolutions are made with one
        return add_with_bias(x, _across_frames(h, share * weight), share * bias)


def _across_frames(x: Tensor, weight: Tensor) -> Tensor:
    """(b, c, f, h, w) under a kernel (c', c, 3, 1, 1)."""
    found = F.conv2d(x.flatten(3), weight[..., 0], padding=(1, 0))
    return found.view(x.shape)


class SpatioTemporalResnet(nn.Module):
    """A resnet per frame, one across frames, and their learned mix.

    The second adds to what the first found, so that the mix is a share of what it adds.
    """

    def __init__(
        self, in_channels: int, out_channels: int, config: UNetConfig, eps: float, ops: Ops
    ) -> None:
        super().__init__()
        self.spatial_res_block = SpatialResnet(in_channels, out_channels, config, eps, ops)
        self.temporal_res_block = TemporalResnet(out_channels, config, eps, ops)
        self.time_mixer = AlphaBlender()

    def forward(self, x: Tensor, time: Tensor, frames: int) -> Tensor:
        """(n, c, h, w) with activated time (v, e) of as many videos or more -> (n, c', h, w)."""
        time = time[: len(x) // frames]
        x = self.spatial_res_block(x, time, frames)
        video = x.unflatten(0, (-1, frames)).transpose(1, 2)  # b c f h w
        video = self.temporal_res_block(video, time, self.time_mixer.temporal_share(x))
        out: Tensor = video.transpose(1, 2).flatten(0, 1)
        return out
