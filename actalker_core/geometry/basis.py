"""Smooth motion of a whole face from a few of its vertices."""

from collections.abc import Collection

import numpy as np

from .mesh import Array, FaceMesh, Indices

MIN_EDGE_CM = 0.05
"""Shorter edges count as this long, so that no pair of vertices is tied by an endless weight."""
RIDGE = 1e-9
"""Keeps the equations solvable where no handle is near."""


def make_basis(mesh: FaceMesh, handles: Collection[int]) -> Array:
    """(468, h) how each vertex follows h handles, which follow themselves exactly.

    The surface bends as little as it can: of all motions that agree at the handles, the one with
    the least sum of squared Laplacians (bi-Laplacian interpolation). Triangles that fill the mouth
    are left out, as lips that touch must not drag each other.

    Source: Botsch and Kobbelt, doi 10.1145/1015706.1015772.

    Args:
        mesh: the canonical face.
        handles: vertices, in the order of the columns; each once.
    """
    laplacian = make_laplacian(mesh)
    bending = laplacian.T @ laplacian
    places = np.array(list(handles))
    free = np.setdiff1d(np.arange(len(bending)), places)
    system = bending[np.ix_(free, free)] + RIDGE * np.eye(len(free))
    basis = np.zeros((len(bending), len(places)))
    basis[places, np.arange(len(places))] = 1
    basis[free] = -np.linalg.solve(system, bending[np.ix_(free, places)])
    return basis


def make_laplacian(mesh: FaceMesh) -> Array:
    """(468, 468) a vertex minus the mean of its neighbours, near ones weighing more."""
    edges = edges_of(mesh.outer_triangles)
    first, second = edges.T
    lengths = np.linalg.norm(mesh.vertices[first] - mesh.vertices[second], axis=1)
    weights = np.zeros((len(mesh.vertices), len(mesh.vertices)))
    weights[first, second] = weights[second, first] = 1 / np.maximum(lengths, MIN_EDGE_CM)
    return np.asarray(np.diag(weights.sum(1)) - weights)


def edges_of(triangles: Indices) -> Indices:
    """(m, 3) triangles -> (n, 2) their sides, each once, the smaller vertex first."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.asarray(np.unique(np.sort(sides, axis=1), axis=0))
