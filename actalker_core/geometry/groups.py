"""Which numbers and which vertices belong to the mouth, the eyes, the brows and so on."""

import numpy as np

from ..faces.blendshapes import NAMES
from . import rings
from .basis import make_laplacian
from .mesh import Array, FaceMesh

PREFIXES = {
    "mouth": ("jaw", "mouth"),
    "eyes": ("eyeBlink", "eyeSquint", "eyeWide"),
    "brows": ("brow",),
    "cheeks": ("cheek", "nose"),
    "head": (),
    "gaze": ("eyeLook",),
}
"""How the names of a group's blendshapes begin; the head has none, it turns and moves."""
GROUP_BLENDSHAPES: dict[str, tuple[str, ...]] = {
    group: tuple(name for name in NAMES if name.startswith(prefixes))
    for group, prefixes in PREFIXES.items()
}
"""Group -> its blendshapes; each but `_neutral` is in one group."""

_LOWER_OVAL = tuple(set(rings.OVAL) - set(rings.UPPER_OVAL) - {454, 234, 323, 93})
GROUP_VERTICES = {
    "mouth": (*rings.LIPS, *rings.CHIN, *_LOWER_OVAL),
    "eyes": (*rings.LEFT_EYE, *rings.RIGHT_EYE),
    "brows": (*rings.LEFT_BROW, *rings.RIGHT_BROW, *rings.FOREHEAD),
    "cheeks": (*rings.NOSE, *rings.CHEEKS),
    "head": rings.UPPER_OVAL,
    "gaze": (),
}
"""Vertices that are a group's alone. Irises are no vertices, so that gaze has none."""


def group_weights(mesh: FaceMesh) -> dict[str, Array]:
    """Group -> how much of each vertex is its, (468,) in 0…1; groups add up to 1.

    Between the vertices that are a group's alone, weights go over as heat would: each is the mean
    of its neighbours, so that they stay in 0…1 and add up.
    """
    laplacian = make_laplacian(mesh)
    owners = {i: group for group, vertices in GROUP_VERTICES.items() for i in vertices}
    seeds = np.array(list(owners))
    free = np.setdiff1d(np.arange(len(laplacian)), seeds)
    shares = np.array([[owners[i] == group for group in GROUP_VERTICES] for i in seeds], float)
    weights = np.zeros((len(laplacian), len(GROUP_VERTICES)))
    weights[seeds] = shares
    system = laplacian[np.ix_(free, free)]
    weights[free] = -np.linalg.solve(system, laplacian[np.ix_(free, seeds)] @ shares)
    return dict(zip(GROUP_VERTICES, weights.T, strict=True))
