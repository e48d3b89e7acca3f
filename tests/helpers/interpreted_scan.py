"""The scan's kernels under Triton's interpreter; `test_scan_triton` runs this."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from actalker_core.ops.selective_scan import ScanInput, in_turn, trainable, triton
from actalker_core.ops.selective_scan.walk import walk
from helpers.interpreter import skip_without_interpreter
from helpers.scan_inputs import draw_branch

skip_without_interpreter()


def exact(branch: ScanInput) -> ScanInput:
    """The same numbers in float64."""
    values = {field.name: getattr(branch, field.name) for field in fields(branch)}
    floating = {
        name: value.double()
        for name, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    return replace(branch, **floating)


def check(branches: list[ScanInput], tolerance: float) -> None:
    got = triton.scan(branches)
    want = in_turn.scan([exact(branch) for branch in branches], "reference")
    for y, z, branch in zip(got, want, branches, strict=True):
        assert y.dtype == branch.x.dtype
        assert y.shape == z.shape
        scale = z.abs().max().item() if z.numel() else 0
        assert torch.allclose(y.double(), z, rtol=0, atol=tolerance * scale)


def draw(*shape: int, dtype: torch.dtype = torch.float32, **options: object) -> ScanInput:
    return draw_branch(*shape, dtype=dtype, **options)


@pytest.mark.parametrize("state", [1, 3, 4, 16])
@pytest.mark.parametrize("channels", [1, 5, 70])
@pytest.mark.parametrize("rows", [1, 3])
def test_two_branches(rows: int, channels: int, state: int) -> None:
    sizes = channels, state
    stored = draw(rows, 7, 2, *sizes)
    ordered = draw(rows, 4, 3, *sizes, orders=rows, counted=True)
    check([stored, ordered] if rows == 1 else [ordered, stored], 1e-6)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("orders", [0, 1, 3])
@pytest.mark.parametrize(("image", "tail"), [(1, 0), (1, 2), (7, 0), (7, 2)])
@pytest.mark.parametrize("directions", [1, 3])
def test_one_branch(directions: int, image: int, tail: int, orders: int, counted: bool) -> None:
    check([draw(3, image, tail, 5, 3, directions, orders=orders, counted=counted)], 1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2**-6), (torch.float16, 2**-9)])
def test_half_types_round_only_what_is_put_out(dtype: torch.dtype, tolerance: float) -> None:
    check([draw(3, 7, 2, 5, 4, orders=3, dtype=dtype)], tolerance)


def test_branches_of_many_kinds() -> None:
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
    branch = draw(2, 5, 2, 6, 4)
    apart = {
        "x": branch.x.transpose(0, 1).contiguous().transpose(0, 1),
        "B": torch.cat([branch.B, branch.C], dim=3)[..., :4],
        "delta": branch.delta.permute(1, 2, 0, 3).contiguous().permute(2, 0, 1, 3),
    }
    for y, z in zip(triton.scan([replace(branch, **apart)]), triton.scan([branch]), strict=True):
        assert torch.equal(y, z)


@pytest.mark.parametrize("step", [-60, -16.5, -8.0, -1.0, 0.0, 0.3, 2.0, 19.0, 21.0, 80.0])
def test_softplus_is_exact_far_from_zero_too(step: float) -> None:
    branch = draw(1, 1, 0, 1, 1, 1)
    parts = {name: torch.zeros_like(getattr(branch, name)) for name in ("delta", "D")}
    check([replace(branch, bias=torch.full_like(branch.bias, step), **parts)], 1e-6)


def test_many_tokens_do_not_add_up_errors() -> None:
    check([draw(1, 300, 5, 2, 16, orders=1)], 1e-6)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (7, 3, 5)])
def test_a_walk(shape: tuple[int, ...], reverse: bool) -> None:
    decay, states = torch.rand(2, *shape)
    want = states.clone()
    trainable._walk(decay, want, reverse)
    apart = states.transpose(0, 1).contiguous().transpose(0, 1)
    for walked in (states, apart):
        walk(decay, walked, reverse)
        assert torch.allclose(walked, want, atol=1e-6)
