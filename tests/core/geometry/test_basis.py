"""Handles are followed exactly, the rest smoothly, and nothing crosses a shut mouth."""

import numpy as np
import pytest

from actalker_core.geometry import rings
from actalker_core.geometry.basis import edges_of, make_basis
from actalker_core.geometry.mesh import FaceMesh

HANDLES = (*rings.LIPS, *rings.CHIN, *rings.UPPER_OVAL)


def test_handles_move_as_told_and_the_border_stays(mesh: FaceMesh) -> None:
    basis = make_basis(mesh, HANDLES)
    motion = np.random.default_rng(0).normal(size=(len(HANDLES), 3))
    motion[-len(rings.UPPER_OVAL) :] = 0
    result = basis @ motion
    assert np.array_equal(result[list(HANDLES)], motion)
    assert not result[list(rings.UPPER_OVAL)].any()


def test_a_shift_of_all_handles_shifts_the_face(mesh: FaceMesh) -> None:
    assert make_basis(mesh, HANDLES).sum(1) == pytest.approx(1, abs=1e-4)


def test_motion_fades_with_distance(mesh: FaceMesh) -> None:
    basis = make_basis(mesh, HANDLES)
    corner = HANDLES.index(rings.MOUTH_CORNERS[1])
    size = np.abs(basis[:, corner])
    distance = np.linalg.norm(mesh.vertices - mesh.vertices[rings.MOUTH_CORNERS[1]], axis=1)
    assert size[distance > 7].max() < 0.05
    assert size.max() == 1


def test_edges_are_named_once(mesh: FaceMesh) -> None:
    edges = edges_of(mesh.triangles)
    # Euler: a disc has V − E + F = 1.
    assert len(mesh.vertices) - len(edges) + len(mesh.triangles) == 1
