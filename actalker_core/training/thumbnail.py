"""Where the autoencoder begins: as something that shrinks a picture and enlarges it again.

Its norms have a fixed number of groups, so that a small one has few channels in each, and a group
that holds only a colour would lose how bright it is. Beside channels that stay the same, a colour
survives; finding that by itself takes training very long. So the first channels carry the colours
from end to end, every residual branch starts as nothing, and all else is left to be learnt. What
carries the colours is kept as it is: Adam would move it as fast as anything else and lose it.
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
"""Latents of colours in −1…1, scaled by the model's factor, then spread by about 1."""
RIM, MIDDLE = -8.0, 1.0
"""Levels of the pattern that stands beside each colour in the decoder."""
SPREAD_BESIDE_PATTERN, SPREAD_BESIDE_ANCHORS = 2.15, 4.24
"""What the last norm of decoder and encoder divides by, from the levels above."""


@torch.no_grad()
def begin(vae: Any, scale: float) -> None:
    """Set the weights of an untrained autoencoder with four levels (see above).

    Args:
        scale: the factor between its latents and the denoiser's.
    """
    for name, module in vae.named_modules():
        if name.endswith((".conv2", ".to_out.0")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
            quiet = (1, 3, 5, 6, 7) if name.startswith("decoder") else (1, 2, 5, 6, 9, 10)
            for row in quiet:
                _keep(module, row)
    _begin_encoder(vae.encoder)
    _carry(vae.quant_conv, {k: k for k in range(4)})
    vae.quant_conv.weight[:4] *= GAIN / scale
    _begin_decoder(vae.decoder)
    vae.decoder.conv_in.weight[:8] *= scale / GAIN


def _begin_encoder(encoder: Any) -> None:
    colours = {k: k for k in range(3)}
    _carry(encoder.conv_in, colours)
    *upper, deepest = encoder.down_blocks
    for block in upper:
        for resnet in block.resnets:
            _carry(resnet.conv_shortcut, colours)
        _carry(block.downsamplers[0].conv, colours, area=(slice(0, 2), slice(0, 2)))
    apart = deepest.resnets[0].conv_shortcut  # each colour into a group of its own
    _carry(apart, {4 * k: k for k in range(3)})
    for k in range(3):
        _carry(apart, {4 * k + 1: None, 4 * k + 2: None})
        apart.bias[4 * k + 1], apart.bias[4 * k + 2] = ANCHOR, -ANCHOR
    encoder.conv_norm_out.bias.fill_(LINEAR)
    out = encoder.conv_out
    out.weight[:3], out.bias[:3] = 0, 0
    _keep(encoder.conv_norm_out, slice(0, 12))
    _keep(out, (slice(0, 3), slice(0, 12)))
    for k in range(3):
        taps = torch.tensor([1.0, -0.5, -0.5]) * SPREAD_BESIDE_ANCHORS / SLOPE
        out.weight[k, 4 * k : 4 * k + 3, 1, 1] = taps


def _begin_decoder(decoder: Any) -> None:
    """Colours walk in even channels, patterns beside them in odd ones, and once more apart."""
    walkers = {k: k for k in range(8)}
    _carry(decoder.conv_in, {2 * k: k for k in range(3)} | dict.fromkeys((1, 3, 5, 6, 7)))
    decoder.conv_in.bias[1:8:2] = 1
    for i, block in enumerate(decoder.up_blocks):
        for resnet in block.resnets:
            _carry(resnet.spatial_res_block.conv_shortcut, walkers)
        for upsampler in block.upsamplers or []:
            _carry(upsampler.conv, walkers)
            if i == 0:
                _draw_rim(upsampler.conv)
    norm, out = decoder.conv_norm_out, decoder.conv_out
    norm.bias[0:8:2], norm.bias[1:8:2] = LINEAR, LINEAR - MIDDLE
    out.weight.zero_()
    _keep(norm, slice(0, 8))
    _keep(out, (slice(0, 3), slice(0, 8)))
    for k in range(3):
        gain = SPREAD_BESIDE_PATTERN / SLOPE
        out.weight[k, 2 * k, 1, 1] = gain
        out.weight[k, 2 * k + 1, 1, 1] = -gain  # what the norm took from the colour
        out.weight[k, 7, 1, 1] = gain  # the pattern again, so that it does not show
        out.bias[k] = -gain * LINEAR / (1 + math.exp(-LINEAR))


def _draw_rim(conv: Any) -> None:
    """Odd channels hold ones; what a convolution misses outside the picture tells the rim."""
    weight = (MIDDLE - RIM) / 3
    for k in range(1, 8, 2):
        conv.weight[k] = 0
        conv.weight[k, k] = weight
        conv.bias[k] = MIDDLE - 9 * weight


def _carry(
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
        _keep(layer, row)
        if source is not None:
            taps = weight[row, source][area or (middle, middle)]
            taps.fill_(1 / taps.numel())


Index = int | slice | tuple[slice, slice]


def _keep(layer: Any, part: Index) -> None:
    """Let some weights of a layer stay as they are in training, and the biases in front of them."""
    learns = torch.ones_like(layer.weight)
    learns[part] = 0
    layer.weight.register_hook(lambda grad: grad * learns.to(grad))
    rows = torch.ones_like(layer.bias)
    rows[part[0] if isinstance(part, tuple) else part] = 0
    layer.bias.register_hook(lambda grad: grad * rows.to(grad))
