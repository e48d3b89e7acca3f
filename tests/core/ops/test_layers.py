"""Weights of fewer bits and channels last: nearly or exactly the same prediction."""

from pathlib import Path

import pytest
import torch
from helpers.tiny import TINY
from torch import Tensor, nn

from actalker_core.models.actalker.checkpoint import load, save
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.unet.control import Control
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.ops.layers import CASTING_LAYERS, FUSED_LAYERS, lay_channels_last
from actalker_core.ops.protocol import LayerOps

FRAMES, GRID = 2, 16


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save(ACTalker(TINY).state_dict(), TINY, file, torch.float32)
    return file


def load_unet(path: Path, dtype: torch.dtype = torch.float32, ops: LayerOps = FUSED_LAYERS) -> UNet:
    return load(path, dtype=dtype, ops=ops).unet


def predict(unet: UNet) -> Tensor:
    """V of one window, computed in the type of the biases."""
    dtype, width = unet.conv_in.bias.dtype, TINY.unet.cross_attention_dim
    torch.manual_seed(1)
    x = torch.randn(1, FRAMES, 8, GRID, GRID).to(dtype)
    signals = (torch.randn(FRAMES, tokens, width).to(dtype) for tokens in (1, 4, 1))
    control = Control(FRAMES, *signals, None)
    with torch.inference_mode():
        v: Tensor = unet(x, torch.zeros(1), torch.tensor([[12.5, 12.0, 20.0]]), control)
    return v


def test_eight_bits_hold_the_weights_of_layers_and_nothing_else(path: Path) -> None:
    unet = load_unet(path, torch.float8_e4m3fn, CASTING_LAYERS)
    layers = [m for m in unet.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv3d)]
    small = {id(layer.weight) for layer in layers}
    for name, parameter in unet.named_parameters():
        assert (parameter.dtype.itemsize == 1) == (id(parameter) in small), name


def test_eight_bits_take_half_the_room_and_predict_nearly_the_same(path: Path) -> None:
    half, eight = (
        load_unet(path, torch.float16),
        load_unet(path, torch.float8_e4m3fn, CASTING_LAYERS),
    )
    room = [sum(p.nbytes for p in unet.parameters()) for unet in (half, eight)]
    assert room[1] < 0.6 * room[0]
    expected, output = (predict(unet).float() for unet in (half, eight))
    assert output.isfinite().all()
    assert 0 < (output - expected).norm() < 0.5 * expected.norm()


def test_casting_layers_of_the_same_type_change_nothing(path: Path) -> None:
    assert torch.equal(predict(load_unet(path)), predict(load_unet(path, ops=CASTING_LAYERS)))


def test_channels_last_predict_the_same(path: Path) -> None:
    plain, last = load_unet(path), load_unet(path)
    lay_channels_last(last)
    planes = [m.weight for m in last.modules() if isinstance(m, nn.Conv2d)]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in planes)
    outputs: list[bool] = []
    last.conv_in.register_forward_hook(
        lambda _, __, x: outputs.append(x.is_contiguous(memory_format=torch.channels_last))
    )
    expected, output = predict(plain), predict(last)
    assert outputs == [True]
    assert (output - expected).norm() < 1e-3 * expected.norm()
