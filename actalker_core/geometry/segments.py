"""Which triangles of the mesh are skin, nose, brow, lip, eye, or the inside of the mouth."""

from collections.abc import Iterable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..faces import topology
from .mesh import FaceMesh
from .rings import INNER_LIPS, LOWER_LIP_ROWS, UPPER_LIP_ROWS

SEGMENTS = (
    *("skin", "nose", "upper lip", "lower lip", "mouth"),
    *("left brow", "right brow", "left eye", "right eye", "left iris", "right iris"),
)
"""Left and right are the person's own. The irises have no triangles: gaze moves them."""

# fmt: off
NOSE_OUTLINE = (
    168, 351, 419, 399, 437, 420, 360, 278, 294, 327, 326, 2, 97, 98, 64, 48, 131, 198, 217, 174,
    196, 122,
)
# fmt: on
"""Closed, in order: along both sides and under the nostrils."""


def segment_triangles(mesh: FaceMesh) -> NDArray[np.int64]:
    """(t,) the number in `SEGMENTS` of each triangle of the mesh."""
    segments = np.zeros(len(mesh.triangles), np.int64)
    centres = mesh.vertices[mesh.triangles].mean(1)
    segments[_contains(mesh.vertices[list(NOSE_OUTLINE), :2], centres[:, :2])] = 1
    points: dict[str, Iterable[int]] = {
        "left brow": topology.LEFT_BROW,
        "right brow": topology.RIGHT_BROW,
        "upper lip": chain.from_iterable(UPPER_LIP_ROWS),
        "lower lip": chain.from_iterable(LOWER_LIP_ROWS),
        "mouth": INNER_LIPS,
        "left eye": topology.LEFT_EYE,
        "right eye": topology.RIGHT_EYE,
    }
    for name, part in points.items():
        segments[_lie_on(mesh.triangles, part)] = SEGMENTS.index(name)
    return segments


def _lie_on(triangles: NDArray[np.integer], points: Iterable[int]) -> NDArray[np.bool_]:
    """(t,) whether all three corners of a triangle are among some points."""
    return np.asarray(np.isin(triangles, list(points)).all(1))


def _contains(outline: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(n,) whether points (n, 2) lie in an outline (k, 2): a ray to the right leaves it oddly."""
    start, end = outline, np.roll(outline, -1, axis=0)
    y = points[:, 1:]
    is_crossed = (start[:, 1] > y) != (end[:, 1] > y)
    height = np.where(start[:, 1] == end[:, 1], 1.0, end[:, 1] - start[:, 1])
    x = start[:, 0] + (y - start[:, 1]) / height * (end[:, 0] - start[:, 0])
    return np.asarray((is_crossed & (points[:, :1] < x)).sum(1) % 2 == 1)
