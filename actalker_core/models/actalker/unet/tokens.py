"""Rows and tokens: what is shared between rows, and which tokens of a row are meant.

Letters: b rows (videos·frames), f frames, l tokens of a row, m some of them, c channels.
"""

import torch
from torch import Tensor


def repeat_per_video(x: Tensor, rows: int) -> Tensor:
    """What is the same for each video, as rows of a batch: (1 or f, …) -> (b, …), b = `rows`."""
    if x.shape[0] == 1:
        return x.expand(rows, *x.shape[1:])
    return x.repeat(rows // x.shape[0], *[1] * (x.ndim - 1))


def gather_tokens(x: Tensor, token_idx: Tensor) -> Tensor:
    """Some tokens (b, m, c) of x (b, l, c); their indices are (1 or f, m)."""
    rows = x.flatten(0, 1).index_select(0, _row_idx(x, token_idx))
    out: Tensor = rows.unflatten(0, (len(x), -1))
    return out


def scatter_add_tokens(x: Tensor, token_idx: Tensor, update: Tensor) -> Tensor:
    """X (b, l, c), changed in place: `update` (b, m, c) is added at the indices (1 or f, m)."""
    x.flatten(0, 1).index_add_(0, _row_idx(x, token_idx), update.flatten(0, 1))
    return x


def _row_idx(x: Tensor, token_idx: Tensor) -> Tensor:
    """(b·m,) indices into all rows of x below each other.

    Whole rows of a matrix are gathered and added by one `index_select` and one `index_add_`, which
    copy channels as they lie; `gather` and `scatter_add_` would look up each number.
    """
    rows, length = x.shape[:2]
    first = torch.arange(0, rows * length, length, device=x.device)
    return (repeat_per_video(token_idx, rows) + first[:, None]).flatten()
