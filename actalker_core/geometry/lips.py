"""Lips that shut, whatever opened them."""

import numpy as np
from numpy.typing import NDArray

from .rings import LIP_PAIRS, LOWER_LIP_ROWS, UPPER_LIP_ROWS

Floats = NDArray[np.floating]

UPPER_SHARE = 0.3
"""Of the gap between the lips, that the upper lip makes."""


def close_lips(vertices: Floats, share: float) -> Floats:
    """Vertices (468, 3) -> (468, 3) with the gap between the lips less by a share; 1 shuts them.

    It is a share of the gap there is, and no way of a fixed length: a jaw may hang wide open or
    not at all, and lips that are shut stay as they are.
    """
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    result = np.array(vertices)
    way = np.maximum(vertices[lower, 1] - vertices[upper, 1], 0) * np.clip(share, 0, 1)
    for rows, part in ((UPPER_LIP_ROWS, UPPER_SHARE), (LOWER_LIP_ROWS, UPPER_SHARE - 1)):
        for row in rows:
            result[list(row[1:-1]), 1] += part * way
    return result
