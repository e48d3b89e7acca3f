"""The scan's kernels under Triton's interpreter; `test_scan_triton` runs this."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from actalker_core.ops.selective_scan import ScanInput, trainable
from actalker_core.ops.selective_scan.sequential import scan_sequentially
from actalker_core.ops.selective_scan.triton import scan_triton
from actalker_core.ops.selective_scan.walk import walk
from helpers.interpreter import skip_without_interpreter
from helpers.scan_inputs import draw_scan

skip_without_interpreter()


def exact(scan: ScanInput) -> ScanInput:
    """The same numbers in float64."""
    values = {field.name: getattr(scan, field.name) for field in fields(scan)}
    floating = {
        name: value.double()
        for name, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    return replace(scan, **floating)


def check(inputs: list[ScanInput], tolerance: float) -> None:
    got = scan_triton(inputs)
    want = scan_sequentially([exact(scan) for scan in inputs], "reference")
    for y, z, scan in zip(got, want, inputs, strict=True):
        assert y.dtype == scan.x.dtype
        assert y.shape == z.shape
        scale = z.abs().max().item() if z.numel() else 0
        assert torch.allclose(y.double(), z, rtol=0, atol=tolerance * scale)


def draw(*shape: int, dtype: torch.dtype = torch.float32, **options: object) -> ScanInput:
    return draw_scan(*shape, dtype=dtype, **options)


@pytest.mark.parametrize("state", [1, 3, 4, 16])
@pytest.mark.parametrize("channels", [1, 5, 70])
@pytest.mark.parametrize("rows", [1, 3])
def test_two_inputs(rows: int, channels: int, state: int) -> None:
    sizes = channels, state
    length = draw(rows, 7, 2, *sizes)
    scan = draw(rows, 4, 3, *sizes, orders=rows, has_padding=True)
    check([length, scan] if rows == 1 else [scan, length], 1e-6)


@pytest.mark.parametrize("has_padding", [False, True])
@pytest.mark.parametrize("orders", [0, 1, 3])
@pytest.mark.parametrize(("image", "suffix"), [(1, 0), (1, 2), (7, 0), (7, 2)])
@pytest.mark.parametrize("directions", [1, 3])
def test_one_input(
    directions: int, image: int, suffix: int, orders: int, has_padding: bool
) -> None:
    check([draw(3, image, suffix, 5, 3, directions, orders=orders, has_padding=has_padding)], 1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2**-6), (torch.float16, 2**-9)])
def test_half_types_round_only_what_is_put_out(dtype: torch.dtype, tolerance: float) -> None:
    check([draw(3, 7, 2, 5, 4, orders=3, dtype=dtype)], tolerance)


def test_inputs_of_many_kinds() -> None:
    check(
        [
            draw(1, 3, 1, 5, 4),
            draw(1, 7, 0, 5, 4),
            draw(1, 2, 2, 5, 4),
            draw(1, 2, 2, 5, 3),
            draw(1, 0, 2, 5, 3),
            draw(1, 4, 2, 5, 3, dtype=torch.float16),
        ],
        2**-10,
    )


def test_views_are_read_as_they_stand() -> None:
    scan = draw(2, 5, 2, 6, 4)
    views = {
        "x": scan.x.transpose(0, 1).contiguous().transpose(0, 1),
        "B": torch.cat([scan.B, scan.C], dim=3)[..., :4],
        "delta": scan.delta.permute(1, 2, 0, 3).contiguous().permute(2, 0, 1, 3),
    }
    for y, z in zip(scan_triton([replace(scan, **views)]), scan_triton([scan]), strict=True):
        assert torch.equal(y, z)


@pytest.mark.parametrize("step", [-60, -16.5, -8.0, -1.0, 0.0, 0.3, 2.0, 19.0, 21.0, 80.0])
def test_softplus_is_exact_far_from_zero_too(step: float) -> None:
    scan = draw(1, 1, 0, 1, 1, 1)
    parts = {name: torch.zeros_like(getattr(scan, name)) for name in ("delta", "D")}
    check([replace(scan, bias=torch.full_like(scan.bias, step), **parts)], 1e-6)


def test_many_tokens_do_not_add_up_errors() -> None:
    check([draw(1, 300, 5, 2, 16, orders=1)], 1e-6)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (7, 3, 5)])
def test_a_walk(shape: tuple[int, ...], reverse: bool) -> None:
    decay, states = torch.rand(2, *shape)
    want = states.clone()
    trainable._walk(decay, want, reverse)
    view = states.transpose(0, 1).contiguous().transpose(0, 1)
    for result in (states, view):
        walk(decay, result, reverse)
        assert torch.allclose(result, want, atol=1e-6)
