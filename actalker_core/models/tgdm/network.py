"""The UNet of TGDM: a moved photograph and a noisy image in, the finished image out.

Letters: b batch, c channels, h w pixels of the image or places of a grid, e embedding, k
coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...ops.embeddings import TimestepMLP, embed_timesteps
from ...ops.layers import lay_channels_last
from .config import COEFFICIENTS, TGDMConfig

NORM_GROUPS = 4
IMAGE_CHANNELS = 3
INPUT_CHANNELS = 3 * IMAGE_CHANNELS + 1
"""Noisy image, face on black, moved photograph, mask of invented pixels."""
OUTPUT_CHANNELS = 2 * IMAGE_CHANNELS + 1
"""Correction of the moved photograph, image that replaces it, gate between both."""
TIME_CHANNELS = 64
FIRST_GATE = -2.0
"""Before training the moved photograph is nearly all of the answer."""


@dataclass(frozen=True)
class Geometry:
    """What the geometry says of frames; images in −1…1.

    Attributes:
        face: (b, 3, h, w) I_3d, the source's texture on the moved mesh, black around it.
        photograph: (b, 3, h, w) the whole photograph, moved.
        invented_mask: (b, 1, h, w) in 0…1, where no pixel of the photograph stands.
        coefficients: (b, k) ρ̂, see `config.COEFFICIENTS`.
    """

    face: Tensor
    photograph: Tensor
    invented_mask: Tensor
    coefficients: Tensor

    def to(self, tensor: Tensor) -> "Geometry":
        """On the device and in the type of a tensor (…)."""
        parts = {field.name: getattr(self, field.name).to(tensor) for field in fields(self)}
        return Geometry(**parts)

    def select(self, rows: slice) -> "Geometry":
        """Some of the images (b, …)."""
        return Geometry(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class AdaptiveNorm(nn.Module):
    """Group norm whose scale and shift are Linear(ρ̂) + Linear(t)."""

    def __init__(self, channels: int, embedding_channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(NORM_GROUPS, channels, affine=False)
        self.by_coefficients = nn.Linear(embedding_channels, 2 * channels)
        self.by_time = nn.Linear(embedding_channels, 2 * channels)

    def forward(self, x: Tensor, coefficients: Tensor, time: Tensor) -> Tensor:
        """(b, c, h, w) and embeddings (b, e) -> (b, c, h, w)."""
        style = self.by_coefficients(coefficients) + self.by_time(time)
        scale, shift = style[..., None, None].chunk(2, dim=1)
        out: Tensor = self.norm(x) * (1 + scale) + shift
        return out


class TargetBlock(nn.Module):
    """A residual block that the coefficients and the noise level steer."""

    def __init__(self, in_channels: int, out_channels: int, embedding_channels: int) -> None:
        super().__init__()
        self.norm_1 = AdaptiveNorm(in_channels, embedding_channels)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm_2 = AdaptiveNorm(out_channels, embedding_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor, coefficients: Tensor, time: Tensor) -> Tensor:
        """(b, c_in, h, w) -> (b, c_out, h, w)."""
        out = self.conv_1(F.silu(self.norm_1(x, coefficients, time)))
        out = self.conv_2(F.silu(self.norm_2(out, coefficients, time)))
        result: Tensor = self.shortcut(x) + out
        return result


class SourceBlock(nn.Module):
    """A plain residual block: a source does not change over time."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(NORM_GROUPS, in_channels)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c_in, h, w) -> (b, c_out, h, w)."""
        out: Tensor = self.shortcut(x) + self.conv_2(F.silu(self.conv_1(F.silu(self.norm(x)))))
        return out


class TextureEncoder(nn.Module):
    """The source image -> its texture on the grids that attention looks at."""

    def __init__(self, config: TGDMConfig) -> None:
        super().__init__()
        self.config = config
        first = IMAGE_CHANNELS * config.patch_px**2
        self.conv_in = nn.Conv2d(first, config.channels[0], 3, padding=1)
        widths = (config.channels[0], *config.channels)
        self.blocks = nn.ModuleList(
            SourceBlock(before, after)
            for before, after in zip(widths, config.channels, strict=False)
        )

    def forward(self, source: Tensor) -> dict[int, Tensor]:
        """(b, 3, h, w) in −1…1 -> (b, c, h, w) by the number of the grid."""
        x = self.conv_in(F.pixel_unshuffle(source, self.config.patch_px))
        textures = {}
        for level, block in enumerate(self.blocks):
            if level:
                x = F.avg_pool2d(x, 2)
            x = block(x)
            if level in self.config.texture_levels:
                textures[level] = x
        return textures


class TextureAttention(nn.Module):
    """Each place of the target takes the texture of the places of the source that it is like.

    F + gain · softmax(Q(F) K(S)ᵀ) S. The texture itself is the value, as in the paper, so that what
    arrives is the source's and nothing else. Source: arXiv 2305.02594, figure 2.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(NORM_GROUPS, channels)
        self.source_norm = nn.GroupNorm(NORM_GROUPS, channels)
        self.to_q = nn.Conv2d(channels, channels, 1, bias=False)
        self.to_k = nn.Conv2d(channels, channels, 1, bias=False)
        # Nothing is added before training: random queries would average the whole source.
        self.gain = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor, texture: Tensor) -> Tensor:
        """(b, c, h, w) and a texture (b, c, h', w') -> (b, c, h, w)."""
        return x + self.gain * self.attend(x, texture)

    def attend(self, x: Tensor, texture: Tensor) -> Tensor:
        """What of the texture (b, c, h', w') arrives at each place of (b, c, h, w)."""
        q = self._to_tokens(self.to_q(self.norm(x)))
        k = self._to_tokens(self.to_k(self.source_norm(texture)))
        out = F.scaled_dot_product_attention(q, k, self._to_tokens(texture))
        return out.transpose(2, 3).reshape(x.shape)

    def _to_tokens(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, heads, h w, c / heads)."""
        tokens: Tensor = x.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
        return tokens


class Level(nn.Module):
    """The blocks of one grid, each followed by a look at the source's texture where it has one."""

    def __init__(self, widths: Sequence[int], config: TGDMConfig, level: int) -> None:
        super().__init__()
        out = config.channels[level]
        self.blocks = nn.ModuleList(
            TargetBlock(width, out, config.embedding_channels) for width in widths
        )
        self.attention = (
            TextureAttention(out, config.heads) if level in config.texture_levels else None
        )

    def forward(
        self, x: Tensor, coefficients: Tensor, time: Tensor, texture: Tensor | None
    ) -> Tensor:
        """(b, c_in, h, w) -> (b, c, h, w)."""
        for block in self.blocks:
            x = block(x, coefficients, time)
        if self.attention is None or texture is None:
            return x
        out: Tensor = self.attention(x, texture)
        return out


class TGDM(nn.Module):
    """The denoiser, and at its highest noise level a regression: see `predict`.

    Args:
        config: the sizes.
    """

    def __init__(self, config: TGDMConfig) -> None:
        super().__init__()
        self.config = config
        channels, patch = config.channels, config.patch_px**2
        embedding = config.embedding_channels
        self.texture_encoder = TextureEncoder(config)
        self.embed_coefficients = TimestepMLP(COEFFICIENTS, embedding, embedding)
        self.embed_time = TimestepMLP(TIME_CHANNELS, embedding, embedding)
        self.conv_in = nn.Conv2d(INPUT_CHANNELS * patch, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            Level([channels[max(i - 1, 0)], *[channels[i]] * (config.blocks - 1)], config, i)
            for i in range(config.levels)
        )
        last = config.levels - 1
        self.middle = Level([channels[last]], config, last)
        self.up = nn.ModuleList(
            Level(
                [
                    channels[i] + channels[min(i + 1, last)],
                    *[channels[i]] * (config.blocks - 1),
                ],
                config,
                i,
            )
            for i in range(config.levels)
        )
        self.norm_out = AdaptiveNorm(channels[0], embedding)
        self.conv_out = nn.Conv2d(channels[0], OUTPUT_CHANNELS * patch, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        assert self.conv_out.bias is not None
        nn.init.zeros_(self.conv_out.bias)
        with torch.no_grad():
            self.conv_out.bias[-patch:] = FIRST_GATE
        lay_channels_last(self)  # a quarter faster on a CPU

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        geometry: Geometry,
        textures: dict[int, Tensor],
    ) -> Tensor:
        """The finished image.

        (photograph + correction) (1 − gate) + replacement · gate: what is right of the moved
        photograph is kept to the pixel, and what it has not is painted anew without a seam.

        Args:
            noisy: (b, 3, h, w) the image with noise of a level.
            sigma: (b,) that level.
            textures: of `texture_encoder`, with a row for each of b or one for all; {} for none.

        Returns:
            (b, 3, h, w), mostly in −1…1.
        """
        scale = (1 + sigma**2).rsqrt()[:, None, None, None]
        parts = [noisy * scale, geometry.face, geometry.photograph, geometry.invented_mask]
        x = self.conv_in(F.pixel_unshuffle(torch.cat(parts, 1), self.config.patch_px))
        coefficients = F.silu(self.embed_coefficients(geometry.coefficients))
        level_of_noise = 250 * sigma.clamp(min=1e-4).log()  # as Karras et al., arXiv 2206.00364
        time = F.silu(self.embed_time(embed_timesteps(level_of_noise, TIME_CHANNELS)))
        texture = {level: value.expand(len(x), -1, -1, -1) for level, value in textures.items()}
        skips = []
        for i, level in enumerate(self.down):
            x = level(F.avg_pool2d(x, 2) if i else x, coefficients, time, texture.get(i))
            skips.append(x)
        x = self.middle(x, coefficients, time, texture.get(self.config.levels - 1))
        for i in reversed(range(self.config.levels)):
            if i < self.config.levels - 1:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[i](torch.cat([x, skips[i]], 1), coefficients, time, texture.get(i))
        out = self.conv_out(F.silu(self.norm_out(x, coefficients, time)))
        out = F.pixel_shuffle(out, self.config.patch_px)
        return self.mend(geometry.photograph, *out.split((IMAGE_CHANNELS, IMAGE_CHANNELS, 1), 1))

    def mend(
        self, photograph: Tensor, correction: Tensor, replacement: Tensor, gate: Tensor
    ) -> Tensor:
        """The answer (b, 3, h, w) of images (b, 3, h, w) and the logits (b, 1, h, w) of a gate."""
        share = gate.sigmoid()
        return (photograph + correction) * (1 - share) + replacement * share

    def predict(self, geometry: Geometry, textures: dict[int, Tensor]) -> Tensor:
        """The image (b, 3, h, w) in one pass, from no image at all: the regression.

        At the highest level there is nothing to see in noise, and zeros say the same every time.
        """
        noisy = torch.zeros_like(geometry.photograph)
        sigma = noisy.new_full((len(noisy),), self.config.max_sigma)
        out: Tensor = self(noisy, sigma, geometry, textures)
        return out
