"""Every layer of the UNet is called, or fused with the weights that calling it would use."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from helpers.formula import fill_weights
from helpers.tiny import TINY
from torch import Tensor, nn

from actalker_core.control.regions import box_mask
from actalker_core.models.actalker.token_regions import Regions
from actalker_core.models.actalker.unet.control import Control
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.ops.layers import CASTING_LAYERS, FUSED_LAYERS
from actalker_core.ops.protocol import LayerOps

CONFIG = replace(TINY.unet, norm_num_groups=8)
"""A group of one channel would hide what is added to that channel before."""
FRAMES, GRID = 2, 16
LAYERS = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.GroupNorm, nn.LayerNorm)
SINGLE_TOKEN = r"\.attn2\.to_k$|\.to_k_ip\.1$"
"""Keys of the identity and of the expression: a softmax over one token is 1, whatever they are."""


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def control() -> Control:
    identity, audio, expression = (
        draw(i, FRAMES, tokens, CONFIG.cross_attention_dim) for i, tokens in enumerate((1, 8, 1))
    )
    mask = box_mask((0, 0, 4 * GRID, 8 * GRID), 8 * GRID, 8 * GRID)
    regions = Regions.from_masks(mask, 1 - mask, (GRID, GRID), CONFIG.levels)
    return Control(FRAMES, identity, audio, expression, regions)


def predict(unet: UNet) -> Tensor:
    sample, timestep = draw(7, 1, FRAMES, 8, GRID, GRID), torch.tensor([0.7])
    v: Tensor = unet(sample, timestep, torch.tensor([[12.5, 12.0, 20.0]]), control())
    return v


@cache
def base(ops: LayerOps = FUSED_LAYERS) -> UNet:
    unet: UNet = fill_weights(UNet(CONFIG, ops), 7).double()
    return unet


@cache
def base_prediction() -> Tensor:
    return predict(base())


def leaves(unet: UNet) -> dict[str, nn.Module]:
    """All modules with weights of their own, by name."""
    return {
        name: module
        for name, module in unet.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }


def close(got: Tensor, want: Tensor, tolerance: float = 1e-6) -> bool:
    return bool((got - want).abs().max() <= tolerance * want.abs().max())


# Each is called ----------------------------------------------------------------------------------


def test_every_layer_with_hooks_is_called() -> None:
    unet, calls = deepcopy(base()), set()
    for name, module in leaves(unet).items():
        module.register_forward_hook(lambda *_, name=name: calls.add(name))
    assert close(predict(unet), base_prediction())
    silent = leaves(unet).keys() - calls
    assert silent == {name for name in leaves(unet) if re.search(SINGLE_TOKEN, name)}


def test_every_weight_without_hooks_takes_effect() -> None:
    unet = deepcopy(base()).requires_grad_(True)
    predict(unet).square().sum().backward()
    dead = {
        name.rpartition(".")[0]
        for name, parameter in unet.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() < 1e-9
    }
    assert dead == {name for name in leaves(unet) if re.search(SINGLE_TOKEN, name)}


# Each may compute something else -----------------------------------------------------------------


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Four bits: coarse enough to be seen in the output."""
    scale = weight.abs().max() / 7
    return (weight / scale).round().to(torch.int8), scale


class QuantizedLinear(nn.Linear):
    """Keeps whole numbers and their scale."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None)
        numbers, self.scale = quantize(layer.weight)
        self.weight = nn.Parameter(numbers, requires_grad=False)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x) * self.scale, self.bias)


def lora_delta(weight: Tensor) -> Tensor:
    """A product of two thin matrices in the shape of a weight."""
    rows = weight.flatten(1)
    gain = 0.5 * weight.norm() / weight.numel() ** 0.5
    return gain * (draw(1, len(rows), 1) @ draw(2, 1, rows.shape[1])).view_as(weight)


class LoraConv2d(nn.Conv2d):
    """Adds the convolution with another kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self._conv_forward(x, lora_delta(self.weight), None)


class LoraConv3d(nn.Conv3d):
    """Adds the convolution with another kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self._conv_forward(x, lora_delta(self.weight), None)


class GainGroupNorm(nn.GroupNorm):
    """Multiplies what it puts out."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * super().forward(x)


class GainLayerNorm(nn.LayerNorm):
    """Multiplies what it puts out."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * super().forward(x)


Change = Callable[[nn.Module], nn.Module]


def replace_layer(layer: nn.Module) -> nn.Module:
    """A layer of a class with a forward of its own."""
    if isinstance(layer, nn.Linear):
        return QuantizedLinear(layer)
    kinds = (LoraConv2d, LoraConv3d, GainGroupNorm, GainLayerNorm)
    layer.__class__ = next(kind for kind in kinds if isinstance(layer, kind.__bases__[0]))
    return layer


def patch_layer(layer: nn.Module) -> nn.Module:
    """An instance with another forward, as tools make it that patch a model."""
    forward = layer.forward
    layer.forward = lambda *arguments: 1.5 * forward(*arguments)
    return layer


def hook_layer(layer: nn.Module) -> nn.Module:
    """A layer whose output a hook changes."""
    layer.register_forward_hook(lambda _, __, out: 1.5 * out)
    return layer


def reweight_layer(layer: nn.Module, change: Change) -> nn.Module:
    """An ordinary layer with the weights that a changed one computes with."""
    if change is not replace_layer or isinstance(layer, nn.GroupNorm | nn.LayerNorm):
        for parameter in layer.parameters():
            parameter.data = 1.5 * parameter.data
    elif isinstance(layer, nn.Linear):
        numbers, scale = quantize(layer.weight)
        layer.weight.data = numbers.to(scale) * scale
    else:
        layer.weight.data = layer.weight.data + lora_delta(layer.weight.data)
    return layer


@contextmanager
def exchange(unet: UNet, names: list[str], change: Change) -> Iterator[UNet]:
    """The UNet with some of its layers changed, until the block ends."""
    layers = {name: unet.get_submodule(name) for name in names}
    try:
        for name, layer in layers.items():
            unet.set_submodule(name, change(deepcopy(layer)))
        yield unet
    finally:
        for name, layer in layers.items():
            unet.set_submodule(name, layer)


def layer_names() -> list[str]:
    return [name for name, module in leaves(base()).items() if isinstance(module, LAYERS)]


def layers_of_each_kind() -> list[str]:
    """The last of all layers that differ only in the block that they stand in."""
    kinds = {}
    for name in layer_names():
        place = re.sub(r"(blocks|resnets|attentions|samplers)\.\d+", r"\1", name)
        kinds[tuple(place.split(".")[-3:])] = name
    return list(kinds.values())


@pytest.mark.parametrize("name", layers_of_each_kind())
def test_a_single_layer_computes_as_its_changed_weights_would(name: str) -> None:
    with exchange(base(), [name], replace_layer) as unet:
        got = predict(unet)
    with exchange(base(), [name], lambda layer: reweight_layer(layer, replace_layer)) as unet:
        want = predict(unet)
    assert close(got, want)
    assert close(got, base_prediction()) == bool(re.search(SINGLE_TOKEN, name))


@pytest.mark.parametrize("change", [replace_layer, patch_layer, hook_layer])
@pytest.mark.parametrize("ops", [FUSED_LAYERS, CASTING_LAYERS, nn], ids=["fused", "casting", "nn"])
def test_all_layers_compute_as_their_changed_weights_would(ops: LayerOps, change: Change) -> None:
    with exchange(base(ops), layer_names(), change) as unet:
        got = predict(unet)
    with exchange(base(), layer_names(), lambda layer: reweight_layer(layer, change)) as unet:
        want = predict(unet)
    assert close(got, want)
