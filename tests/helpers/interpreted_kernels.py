"""The kernels between matrix products under Triton's interpreter; `test_kernels` runs this."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from actalker_core.ops.fused import triton
from helpers.interpreter import skip_without_interpreter

skip_without_interpreter()

SHAPES = [(3, 10, 7, 9), (2, 96, 5, 11, 13), (1, 70, 9, 9), (2, 64, 1, 130)]
"""Fewer and more channels and pixels than a tile, in one picture and in a video."""


def close(got: Tensor, want: Tensor, tolerance: float = 3e-6) -> bool:
    assert got.shape == want.shape
    return bool((got.double() - want).abs().max() <= tolerance * want.abs().max())


def channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@pytest.mark.parametrize("programs", [1, triton.PROGRAMS], ids=["few", "many"])
@pytest.mark.parametrize("with_silu", [False, True])
@pytest.mark.parametrize("has_shift", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_group_norm(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    has_shift: bool,
    with_silu: bool,
    programs: int,
) -> None:
    monkeypatch.setattr(triton, "PROGRAMS", programs)  # a program then takes one tile, or many
    n, c = shape[:2]
    x, weight, bias = 3 * torch.randn(shape) + 50, torch.randn(c), torch.randn(c)
    shift = torch.randn(n, c) if has_shift else None
    groups = c // 2 if c < 32 else c // 10 if c % 10 == 0 else 32
    shifted_x = x if shift is None else x + shift.view(n, c, *[1] * (x.ndim - 2))
    want = F.group_norm(shifted_x.double(), groups, weight.double(), bias.double(), 1e-5)
    want = F.silu(want) if with_silu else want
    for layout in (x, channels_last(x)):
        got = triton.group_norm(layout, weight, bias, groups, 1e-5, shift, with_silu)
        assert close(got, want)
        assert got.movedim(1, -1).is_contiguous()


def test_norms_bear_a_mean_far_from_zero() -> None:
    """Where squares less squared means would be lost in rounding."""
    x = 1000 + torch.randn(2, 64, 9, 9)
    weight, bias = torch.ones(64), torch.zeros(64)
    want = F.group_norm(x.double(), 32, eps=1e-5)
    assert close(triton.group_norm(x, weight, bias, 32, 1e-5, None, False), want, 1e-4)
    tokens = x.flatten(2)
    weight, bias = torch.ones(81), torch.zeros(81)
    want = F.layer_norm(tokens.double(), (81,))
    assert close(triton.layer_norm(tokens, weight, bias, 1e-5), want, 1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_added(shape: tuple[int, ...]) -> None:
    x, y, bias = torch.randn(shape), torch.randn(shape), torch.randn(shape[1])
    want = x.double() + y + bias.view(-1, *[1] * (x.ndim - 2))
    for a, b in ((x, channels_last(y)), (channels_last(x), y)):
        assert close(triton.add_with_bias(a, b, bias), want)
        assert close(triton.add_with_bias(a, b, None), x.double() + y)


@pytest.mark.parametrize("shape", [(3, 5, 10), (7, 320), (2, 3, 640), (1, 2560)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    layer = nn.LayerNorm(shape[-1])
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    x = torch.randn(shape) + 20
    got = triton.layer_norm(x, layer.weight.data, layer.bias.data, 1e-5)
    assert close(got, layer.double()(x.double()), 1e-5)


@pytest.mark.parametrize("shape", [(3, 5, 20), (2, 3, 1300), (9, 2)])
def test_geglu(shape: tuple[int, ...]) -> None:
    x = 3 * torch.randn(shape)
    value, gate = x.double().chunk(2, -1)
    assert close(triton.geglu(x), value * F.gelu(gate))


def test_half_types_round_only_what_is_put_out() -> None:
    x, weight, bias = torch.randn(2, 64, 5, 5), torch.randn(64), torch.randn(64)
    inputs = [t.half() for t in (x, weight, bias)]
    want = F.group_norm(inputs[0].double(), 32, inputs[1].double(), inputs[2].double(), 1e-5)
    got = triton.group_norm(*inputs, 32, 1e-5, None, False)
    assert got.dtype == torch.float16
    assert close(got, want, 2**-10)
