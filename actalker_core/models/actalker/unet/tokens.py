"""Rows and tokens: what is shared between rows, and where in a row something happens.

Letters: n rows, l tokens, m places among them, c channels.
"""

import torch
from torch import Tensor


def repeat_per_video(x: Tensor, rows: int) -> Tensor:
    """Rows of a clip for each row of a batch: (1, …) or (frames, …) -> (rows, …)."""
    if x.shape[0] == 1:
        return x.expand(rows, *x.shape[1:])
    return x.repeat(rows // x.shape[0], *[1] * (x.ndim - 1))


def gather_tokens(x: Tensor, places: Tensor) -> Tensor:
    """The tokens (n, m, c) of x (n, l, c) at the places (1 or frames, m)."""
    taken: Tensor = x.flatten(0, 1).index_select(0, _flat(x, places)).unflatten(0, (len(x), -1))
    return taken


def scatter_add_tokens(x: Tensor, places: Tensor, more: Tensor) -> Tensor:
    """X (n, l, c), changed in place: `more` (n, m, c) is added at the places (1 or frames, m)."""
    x.flatten(0, 1).index_add_(0, _flat(x, places), more.flatten(0, 1))
    return x


def _flat(x: Tensor, places: Tensor) -> Tensor:
    """The same places where all rows stand below each other."""
    rows, length = x.shape[:2]
    first = torch.arange(0, rows * length, length, device=x.device)
    return (repeat_per_video(places, rows) + first[:, None]).flatten()
