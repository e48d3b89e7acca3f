"""Random inputs for the tests of the scan."""

import torch
from torch import Tensor

from actalker_core.ops.selective_scan import ScanInput


def draw_scan(
    rows: int,
    image: int,
    suffix: int,
    channels: int,
    state: int,
    directions: int = 2,
    *,
    orders: int = 0,
    has_padding: bool = False,
    dtype: torch.dtype = torch.float64,
) -> ScanInput:
    """A scan with `orders` orders (0: as stored) in a storage of more tokens than it scans.

    Of the counts of a scan with more than one row, the first is 0.
    """
    random = torch.Generator().manual_seed(rows + 7 * image + 31 * suffix + channels + state)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    unread = 3 if orders else 0
    length = image + unread + suffix
    order = [torch.randperm(image + unread, generator=random)[:image] for _ in range(orders)]
    counts = torch.randint(0, image + 1, (rows,), generator=random)
    counts[: rows - 1 and 1] = 0
    exact = torch.float64 if dtype == torch.float64 else torch.float32
    return ScanInput(
        draw(rows, length, channels).to(dtype),
        draw(directions, rows, length, channels).to(dtype),
        draw(directions, rows, length, state).to(dtype),
        draw(directions, rows, length, state).to(dtype),
        -draw(directions, channels, state).exp().to(exact),
        draw(directions, channels).to(exact),
        draw(directions, channels).to(exact),
        suffix,
        torch.stack(order) if order else None,
        counts if has_padding else None,
    )
