"""Whole inputs: what each direction walks, and that the outputs of all are added."""

import pytest
import torch
from helpers.scan_inputs import draw_scan
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.ops.selective_scan import ScanInput, scan_inputs

SHAPES = [
    # rows, image tokens, suffix
    (1, 1, 0),
    (1, 7, 2),
    (3, 5, 0),
    (3, 4, 3),
]


def by_hand(scan: ScanInput) -> Tensor:
    """The definition, token by token."""
    image, (rows, _, channels) = scan.image_tokens, scan.x.shape
    y = scan.x.new_zeros(rows, image, channels)
    for k in range(scan.A.shape[0]):
        for row in range(rows):
            walk = walk_of(scan, row, backward=k % 2 == 1)
            h = torch.zeros_like(scan.A[k])
            for position, place in walk:
                u = scan.x[row, place]
                step = torch.log1p(torch.exp(scan.delta[k, row, place] + scan.bias[k]))
                drive = (step * u)[:, None] * scan.B[k, row, place]
                h = torch.exp(step[:, None] * scan.A[k]) * h + drive
                if position < image:
                    y[row, position] += h @ scan.C[k, row, place] + scan.D[k] * u
    return y


def walk_of(scan: ScanInput, row: int, backward: bool) -> list[tuple[int, int]]:
    """Positions among image and suffix, and where their tokens are stored."""
    image = scan.image_tokens
    count = image if scan.seq_lens is None else int(scan.seq_lens[row])
    idx = list(range(image))
    if scan.order is not None:
        idx = scan.order.expand(scan.x.shape[0], -1)[row].tolist()
    tokens = list(enumerate(idx))[:count]
    if not backward:
        return tokens
    first = scan.x.shape[1] - scan.suffix_len
    return (tokens + [(image + i, first + i) for i in range(scan.suffix_len)])[::-1]


@pytest.mark.parametrize("has_padding", [False, True])
@pytest.mark.parametrize("orders", [0, 1, None], ids=["stored", "one order", "orders"])
@pytest.mark.parametrize(("rows", "image", "suffix"), SHAPES)
@pytest.mark.parametrize("directions", [1, 2, 4])
def test_the_definition(
    directions: int, rows: int, image: int, suffix: int, orders: int | None, has_padding: bool
) -> None:
    orders = rows if orders is None else orders
    scan = draw_scan(rows, image, suffix, 3, 2, directions, orders=orders, has_padding=has_padding)
    (got,) = scan_inputs([scan])
    assert got.dtype == torch.float64
    assert torch.allclose(got, by_hand(scan), atol=1e-12)


def test_padding_is_never_read() -> None:
    scan = draw_scan(2, 6, 2, 3, 2, orders=2, has_padding=True)
    (want,) = scan_inputs([scan])
    for row, count in enumerate(scan.seq_lens.tolist()):
        scan.x[row, scan.order[row, count:]] = 1e6
    (got,) = scan_inputs([scan])
    assert torch.equal(got, want)
    assert not got[scan.pad_mask().expand_as(got)].any()


def test_inputs_keep_to_themselves() -> None:
    inputs = [draw_scan(2, 5, 1, 3, 2), draw_scan(2, 3, 2, 3, 2, orders=2)]
    for alone, joint in zip(inputs, scan_inputs(inputs), strict=True):
        assert torch.equal(scan_inputs([alone])[0], joint)
    assert scan_inputs([]) == []


def test_no_image_tokens() -> None:
    (y,) = scan_inputs([draw_scan(2, 0, 3, 4, 2)])
    assert y.shape == (2, 0, 4)


def test_the_sum_has_the_type_of_the_tokens() -> None:
    scan = draw_scan(2, 5, 1, 3, 2, dtype=torch.bfloat16)
    (y,) = scan_inputs([scan])
    assert y.dtype == torch.bfloat16


def test_gradients_reach_every_part() -> None:
    scan = draw_scan(2, 3, 1, 2, 2, orders=2, has_padding=True)
    rest = scan.suffix_len, scan.order, scan.seq_lens
    leaves = [leaf.requires_grad_() for leaf in scan.differentiable()]
    assert torch.autograd.gradcheck(lambda *parts: scan_inputs([ScanInput(*parts, *rest)]), leaves)


def test_unknown_backend_says_what_there_is() -> None:
    with pytest.raises(InputError, match="triton, got 'fast'"):
        scan_inputs([draw_scan(1, 2, 0, 1, 1)], "fast")
