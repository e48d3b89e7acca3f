"""Whole branches: what each direction walks, and that the outputs of all are added."""

import pytest
import torch
from helpers.scan_inputs import draw_branch
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.ops.selective_scan import ScanInput, scan_branches

SHAPES = [
    # rows, image tokens, tail
    (1, 1, 0),
    (1, 7, 2),
    (3, 5, 0),
    (3, 4, 3),
]


def by_hand(branch: ScanInput) -> Tensor:
    """The definition, token by token."""
    image, (rows, _, channels) = branch.image_tokens, branch.x.shape
    y = branch.x.new_zeros(rows, image, channels)
    for k in range(branch.A.shape[0]):
        for row in range(rows):
            walk = walked(branch, row, backward=k % 2 == 1)
            h = torch.zeros_like(branch.A[k])
            for position, place in walk:
                u = branch.x[row, place]
                step = torch.log1p(torch.exp(branch.delta[k, row, place] + branch.bias[k]))
                drive = (step * u)[:, None] * branch.B[k, row, place]
                h = torch.exp(step[:, None] * branch.A[k]) * h + drive
                if position < image:
                    y[row, position] += h @ branch.C[k, row, place] + branch.D[k] * u
    return y


def walked(branch: ScanInput, row: int, backward: bool) -> list[tuple[int, int]]:
    """Positions among image and tail, and where their tokens are stored."""
    image = branch.image_tokens
    count = image if branch.counts is None else int(branch.counts[row])
    places = list(range(image))
    if branch.order is not None:
        places = branch.order.expand(branch.x.shape[0], -1)[row].tolist()
    tokens = list(enumerate(places))[:count]
    if not backward:
        return tokens
    first = branch.x.shape[1] - branch.tail
    return (tokens + [(image + i, first + i) for i in range(branch.tail)])[::-1]


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("orders", [0, 1, None], ids=["stored", "one order", "orders"])
@pytest.mark.parametrize(("rows", "image", "tail"), SHAPES)
@pytest.mark.parametrize("directions", [1, 2, 4])
def test_the_definition(
    directions: int, rows: int, image: int, tail: int, orders: int | None, counted: bool
) -> None:
    orders = rows if orders is None else orders
    branch = draw_branch(rows, image, tail, 3, 2, directions, orders=orders, counted=counted)
    (got,) = scan_branches([branch])
    assert got.dtype == torch.float64
    assert torch.allclose(got, by_hand(branch), atol=1e-12)


def test_padding_is_never_read() -> None:
    branch = draw_branch(2, 6, 2, 3, 2, orders=2, counted=True)
    (want,) = scan_branches([branch])
    for row, count in enumerate(branch.counts.tolist()):
        branch.x[row, branch.order[row, count:]] = 1e6
    (got,) = scan_branches([branch])
    assert torch.equal(got, want)
    assert not got[branch.padding().expand_as(got)].any()


def test_branches_keep_to_themselves() -> None:
    branches = [draw_branch(2, 5, 1, 3, 2), draw_branch(2, 3, 2, 3, 2, orders=2)]
    for alone, together in zip(branches, scan_branches(branches), strict=True):
        assert torch.equal(scan_branches([alone])[0], together)
    assert scan_branches([]) == []


def test_no_image_tokens() -> None:
    (y,) = scan_branches([draw_branch(2, 0, 3, 4, 2)])
    assert y.shape == (2, 0, 4)


def test_the_sum_has_the_type_of_the_tokens() -> None:
    branch = draw_branch(2, 5, 1, 3, 2, dtype=torch.bfloat16)
    (y,) = scan_branches([branch])
    assert y.dtype == torch.bfloat16


def test_gradients_reach_every_part() -> None:
    branch = draw_branch(2, 3, 1, 2, 2, orders=2, counted=True)
    rest = branch.tail, branch.order, branch.counts
    leaves = [leaf.requires_grad_() for leaf in branch.differentiable()]
    assert torch.autograd.gradcheck(
        lambda *parts: scan_branches([ScanInput(*parts, *rest)]), leaves
    )


def test_unknown_backend_says_what_there_is() -> None:
    with pytest.raises(InputError, match="triton, got 'fast'"):
        scan_branches([draw_branch(1, 2, 0, 1, 1)], "fast")
