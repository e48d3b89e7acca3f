"""Stable Video Diffusion's autoencoder: single images into latents, latents of a video into frames.

State-dict keys are the released ones. The encoder sees each image alone; the decoder's residual
blocks also look at the frames beside. Source: arXiv 2311.15127; the blocks are arXiv 2112.10752's.

Letters: b images (videos·frames), v videos, f frames, c channels, h w grid.
"""

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from ...ops.attention import scaled_dot_product_attention
from ...ops.blending import AlphaBlender
from .config import VAEConfig

GROUPS, EPS, TEMPORAL_EPS = 32, 1e-6, 1e-5


class TemporalAutoencoder(nn.Module):
    """Encoder and temporal decoder."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.scaling_factor = config.scaling_factor
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.latent_channels, 2 * config.latent_channels, 1)

    def encode(self, images: Tensor) -> Tensor:
        """(b, 3, H, W) in −1…1 -> (b, 4, H/8, W/8): the most likely latent, unscaled."""
        mean: Tensor = self.quant_conv(self.encoder(images)).chunk(2, dim=1)[0]
        return mean

    def decode(self, latents: Tensor, frames: int) -> Tensor:
        """(v·f, 4, h, w) unscaled latents of videos of f frames -> (v·f, 3, 8h, 8w) in −1…1."""
        images: Tensor = self.decoder(latents, frames)
        return images


class Encoder(nn.Module):
    """Images -> means and log variances of latents, before `quant_conv`."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths, deepest = config.block_out_channels, config.block_out_channels[-1]
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            DownBlock(a, b, config.layers_per_block, shrink=i < len(widths) - 1)
            for i, (a, b) in enumerate(zip((widths[0], *widths), widths, strict=False))
        )
        self.mid_block = MidBlock(deepest, (Resnet(deepest, deepest) for _ in range(2)))
        self.conv_norm_out = nn.GroupNorm(GROUPS, deepest, EPS)
        self.conv_out = nn.Conv2d(deepest, 2 * config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, 8, H/8, W/8)."""
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        x = self.mid_block(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out


class Decoder(nn.Module):
    """Latents -> images, with the frames beside each in sight, lest textures flicker."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths, layers = config.block_out_channels[::-1], config.layers_per_block
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.mid_block = MidBlock(
            widths[0], (TemporalResnets(widths[0], widths[0]) for _ in range(layers))
        )
        self.up_blocks = nn.ModuleList(
            UpBlock(a, b, layers + 1, grow=i < len(widths) - 1)
            for i, (a, b) in enumerate(zip((widths[0], *widths), widths, strict=False))
        )
        self.conv_norm_out = nn.GroupNorm(GROUPS, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.time_conv_out = nn.Conv3d(3, 3, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(b, 4, h, w), b a multiple of `frames` -> (b, 3, 8h, 8w)."""
        x = self.mid_block(self.conv_in(x), frames)
        for block in self.up_blocks:
            x = block(x, frames)
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return _join_videos(self.time_conv_out(_split_videos(x, frames)))


class Resnet(nn.Module):
    """Two 3×3 convolutions of each image, beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, in_channels, EPS)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, out_channels, EPS)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = (
            nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h, w)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        out: Tensor = h + (x if self.conv_shortcut is None else self.conv_shortcut(x))
        return out


class TimeResnet(nn.Module):
    """Two convolutions over three frames each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel, padding = (3, 1, 1), (1, 0, 0)
        self.norm1 = nn.GroupNorm(GROUPS, channels, TEMPORAL_EPS)
        self.conv1 = nn.Conv3d(channels, channels, kernel, padding=padding)
        self.norm2 = nn.GroupNorm(GROUPS, channels, TEMPORAL_EPS)
        self.conv2 = nn.Conv3d(channels, channels, kernel, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """(v, c, f, h, w) of the same shape."""
        h = self.conv1(F.silu(self.norm1(x)))
        out: Tensor = x + self.conv2(F.silu(self.norm2(h)))
        return out


class TemporalResnets(nn.Module):
    """A block per image, one across frames, and their learned mix."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.spatial_res_block = Resnet(in_channels, out_channels)
        self.temporal_res_block = TimeResnet(out_channels)
        self.time_mixer = AlphaBlender()
        nn.init.zeros_(self.time_mixer.mix_factor)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(b, c, h, w) -> (b, c', h, w)."""
        x = self.spatial_res_block(x)
        temporal = _join_videos(self.temporal_res_block(_split_videos(x, frames)))
        # Here, unlike in the UNet, the learned share is the temporal one.
        out: Tensor = self.time_mixer(temporal, x)
        return out


class ImageAttention(nn.Module):
    """Self attention over all places of an image, with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(GROUPS, channels, EPS)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) of the same shape."""
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        values = scaled_dot_product_attention(
            self.to_q(tokens), self.to_k(tokens), self.to_v(tokens), 1
        )
        out: Tensor = x + self.to_out[0](values).transpose(1, 2).reshape(x.shape)
        return out


class MidBlock(nn.Module):
    """Some blocks, with attention between the first and the second, if there is one."""

    def __init__(self, channels: int, resnets: Iterable[nn.Module]) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList([ImageAttention(channels)])

    def forward(self, x: Tensor, *frames: int) -> Tensor:
        """(b, c, h, w) of the same shape; frames of a video where the blocks ask for them."""
        for i, resnet in enumerate(self.resnets):
            if i == 1:
                x = self.attentions[0](x)
            x = resnet(x, *frames)
        return x


class DownBlock(nn.Module):
    """Some blocks, then half the size."""

    def __init__(self, in_channels: int, out_channels: int, layers: int, *, shrink: bool) -> None:
        super().__init__()
        inputs = (in_channels, *[out_channels] * (layers - 1))
        self.resnets = nn.ModuleList(Resnet(channels, out_channels) for channels in inputs)
        self.downsamplers = nn.ModuleList([Downsampler(out_channels)] if shrink else [])

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h/2, w/2), or of the same size."""
        for layer in (*self.resnets, *self.downsamplers):
            x = layer(x)
        return x


class Downsampler(nn.Module):
    """A convolution at every second place; zeros stand right and below only, as in training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h/2, w/2)."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class UpBlock(nn.Module):
    """Some blocks across time, then twice the size."""

    def __init__(self, in_channels: int, out_channels: int, layers: int, *, grow: bool) -> None:
        super().__init__()
        inputs = (in_channels, *[out_channels] * (layers - 1))
        self.resnets = nn.ModuleList(TemporalResnets(channels, out_channels) for channels in inputs)
        self.upsamplers = nn.ModuleList([Upsampler(out_channels)] if grow else [])

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(b, c, h, w) -> (b, c', 2h, 2w), or of the same size."""
        for resnet in self.resnets:
            x = resnet(x, frames)
        for layer in self.upsamplers:
            x = layer(x)
        return x


class Upsampler(nn.Module):
    """Every place four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, 2h, 2w)."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


def _split_videos(x: Tensor, frames: int) -> Tensor:
    """((v f), c, h, w) -> (v, c, f, h, w)."""
    videos: Tensor = x.unflatten(0, (-1, frames)).transpose(1, 2)
    return videos


def _join_videos(videos: Tensor) -> Tensor:
    """(v, c, f, h, w) -> ((v f), c, h, w)."""
    return videos.transpose(1, 2).flatten(0, 1)
