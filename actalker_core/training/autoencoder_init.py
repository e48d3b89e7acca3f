"""Initial weights of the autoencoder: it shrinks an image and enlarges it again.

Its norms have a fixed number of groups, so that a small one has few channels in each, and a group
that holds only a colour would lose how bright it is. Beside channels that stay the same, a colour
survives; training would take very long to find that. So the first channels carry the colours from
end to end, every residual branch starts at zero, and the rest is left to learn. The weights that
carry the colours are frozen: Adam would move them as fast as any and lose the colours.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

ANCHOR = 6.0
LINEAR = 3.0
"""So far to the right, SiLU is nearly a straight line."""
SLOPE = 1.09
"""Of that line."""
GAIN = 1.7
"""Latents of colours in −1…1, scaled by the model's factor, then have a deviation of about 1."""
RIM, MIDDLE = -8.0, 1.0
"""Levels of the pattern that stands beside each colour in the decoder."""
PATTERN_STD, ANCHOR_STD = 2.15, 4.24
"""What the last norm of decoder and encoder divides by, from the levels above."""


@torch.no_grad()
def initialize(vae: Any, scale: float) -> None:
    """Set the weights of an untrained autoencoder with four levels.

    Args:
        scale: the factor between its latents and the denoiser's.
    """
    for name, module in vae.named_modules():
        if name.endswith((".conv2", ".to_out.0")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
            rows = (1, 3, 5, 6, 7) if name.startswith("decoder") else (1, 2, 5, 6, 9, 10)
            for row in rows:
                _freeze(module, row)
    _initialize_encoder(vae.encoder)
    _copy_channels(vae.quant_conv, {k: k for k in range(4)})
    vae.quant_conv.weight[:4] *= GAIN / scale
    _initialize_decoder(vae.decoder)
    vae.decoder.conv_in.weight[:8] *= scale / GAIN


def _initialize_encoder(encoder: Any) -> None:
    colours = {k: k for k in range(3)}
    _copy_channels(encoder.conv_in, colours)
    *upper, deepest = encoder.down_blocks
    for block in upper:
        for resnet in block.resnets:
            _copy_channels(resnet.conv_shortcut, colours)
        _copy_channels(block.downsamplers[0].conv, colours, area=(slice(0, 2), slice(0, 2)))
    first_shortcut = deepest.resnets[0].conv_shortcut  # each colour into a group of its own
    _copy_channels(first_shortcut, {4 * k: k for k in range(3)})
    for k in range(3):
        _copy_channels(first_shortcut, {4 * k + 1: None, 4 * k + 2: None})
        first_shortcut.bias[4 * k + 1], first_shortcut.bias[4 * k + 2] = ANCHOR, -ANCHOR
    encoder.conv_norm_out.bias.fill_(LINEAR)
    out = encoder.conv_out
    out.weight[:3], out.bias[:3] = 0, 0
    _freeze(encoder.conv_norm_out, slice(0, 12))
    _freeze(out, (slice(0, 3), slice(0, 12)))
    for k in range(3):
        taps = torch.tensor([1.0, -0.5, -0.5]) * ANCHOR_STD / SLOPE
        out.weight[k, 4 * k : 4 * k + 3, 1, 1] = taps


def _initialize_decoder(decoder: Any) -> None:
    """Colours pass in even channels, a pattern beside each in odd ones, and one pattern alone."""
    channels = {k: k for k in range(8)}
    _copy_channels(decoder.conv_in, {2 * k: k for k in range(3)} | dict.fromkeys((1, 3, 5, 6, 7)))
    decoder.conv_in.bias[1:8:2] = 1
    for i, block in enumerate(decoder.up_blocks):
        for resnet in block.resnets:
            _copy_channels(resnet.spatial_res_block.conv_shortcut, channels)
        for upsampler in block.upsamplers or []:
            _copy_channels(upsampler.conv, channels)
            if i == 0:
                _draw_rim(upsampler.conv)
    norm, out = decoder.conv_norm_out, decoder.conv_out
    norm.bias[0:8:2], norm.bias[1:8:2] = LINEAR, LINEAR - MIDDLE
    out.weight.zero_()
    _freeze(norm, slice(0, 8))
    _freeze(out, (slice(0, 3), slice(0, 8)))
    for k in range(3):
        gain = PATTERN_STD / SLOPE
        out.weight[k, 2 * k, 1, 1] = gain
        out.weight[k, 2 * k + 1, 1, 1] = -gain  # what the norm took from the colour
        out.weight[k, 7, 1, 1] = gain  # the pattern again, so that it does not show
        out.bias[k] = -gain * LINEAR / (1 + math.exp(-LINEAR))


def _draw_rim(conv: Any) -> None:
    """Odd channels hold ones; what a convolution misses outside the image marks the rim."""
    weight = (MIDDLE - RIM) / 3
    for k in range(1, 8, 2):
        conv.weight[k] = 0
        conv.weight[k, k] = weight
        conv.bias[k] = MIDDLE - 9 * weight


def _copy_channels(
    layer: Any,
    rows: Mapping[int, int | None],
    area: tuple[slice, slice] | None = None,
) -> None:
    """Let output channels copy input channels (None: be zero), averaged over part of the kernel."""
    if layer is None:
        return
    weight: Tensor = layer.weight
    middle = slice(weight.shape[2] // 2, weight.shape[2] // 2 + 1)
    for row, source in rows.items():
        weight[row], layer.bias[row] = 0, 0
        _freeze(layer, row)
        if source is not None:
            taps = weight[row, source][area or (middle, middle)]
            taps.fill_(1 / taps.numel())


Index = int | slice | tuple[slice, slice]


def _freeze(layer: Any, part: Index) -> None:
    """Mask the gradients of some weights of a layer, and of their rows' biases."""
    mask = torch.ones_like(layer.weight)
    mask[part] = 0
    layer.weight.register_hook(lambda grad: grad * mask.to(grad))
    bias_mask = torch.ones_like(layer.bias)
    bias_mask[part[0] if isinstance(part, tuple) else part] = 0
    layer.bias.register_hook(lambda grad: grad * bias_mask.to(grad))
