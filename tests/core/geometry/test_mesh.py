"""The canonical face, and files that do not have it."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.recorded_faces import TASK, needs_model
from helpers.refusals import refusal
from helpers.task_files import read_zip, write_zip

from actalker_core.errors import CheckpointError
from actalker_core.faces import topology
from actalker_core.faces.task_file import GEOMETRY
from actalker_core.geometry import rings
from actalker_core.geometry.mesh import FaceMesh, load_mesh


def test_it_has_the_published_sizes(mesh: FaceMesh) -> None:
    assert mesh.vertices.shape == (468, 3)
    assert mesh.uv.shape == (468, 2)
    assert mesh.triangles.shape == (898, 3)
    assert len(mesh.alignment_idx) == len(mesh.alignment_weights) == 33
    assert mesh.alignment_weights.min() > 0
    assert set(np.unique(mesh.triangles)) == set(range(468))
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1


def test_axes_are_those_of_the_picture(mesh: FaceMesh) -> None:
    right, left = mesh.vertices[[topology.RIGHT_TEMPLE, topology.LEFT_TEMPLE]]
    forehead, chin = mesh.vertices[[topology.FOREHEAD, topology.CHIN]]
    nose = mesh.vertices[topology.NOSE_TIP]
    assert right[0] < 0 < left[0]
    assert forehead[1] < 0 < chin[1]
    assert nose[2] < min(right[2], left[2], forehead[2], chin[2])
    assert mesh.uv[topology.FOREHEAD, 1] < mesh.uv[topology.CHIN, 1]


def test_openings_are_the_only_triangles_that_are_left_out(mesh: FaceMesh) -> None:
    assert len(mesh.triangles) - len(mesh.skin_triangles) == 18 + 14 + 14
    assert len(mesh.triangles) - len(mesh.outer_triangles) == 18


def test_borders_are_the_oval_the_lips_and_the_lids(mesh: FaceMesh) -> None:
    sides = Counter(
        frozenset((int(a), int(b)))
        for triangle in mesh.skin_triangles
        for a, b in pairwise([*triangle, triangle[0]])
    )
    borders = {side for side, count in sides.items() if count == 1}
    expected = {
        frozenset(side)
        for ring in (rings.OVAL, rings.INNER_LIPS, *rings.EYES)
        for side in pairwise([*ring, ring[0]])
    }
    assert borders == expected


def test_the_mirror_is_exact_and_its_own_inverse(mesh: FaceMesh) -> None:
    assert np.allclose(mesh.vertices[mesh.mirror] * (-1, 1, 1), mesh.vertices, atol=1e-6)
    assert (mesh.mirror[mesh.mirror] == np.arange(468)).all()


@pytest.mark.parametrize("rows", [rings.UPPER_LIP_ROWS, rings.LOWER_LIP_ROWS])
def test_rows_of_the_lips_run_from_right_to_left(
    mesh: FaceMesh, rows: tuple[tuple[int, ...], ...]
) -> None:
    for row in rows:
        assert (np.diff(mesh.vertices[list(row), 0]) > 0).all()
        assert [mesh.mirror[i] for i in row] == list(row[::-1])


def test_pairs_have_the_upper_one_above(mesh: FaceMesh) -> None:
    for upper, lower in (*rings.LIP_PAIRS, *rings.LEFT_LID_PAIRS, *rings.RIGHT_LID_PAIRS):
        assert mesh.vertices[upper, 1] < mesh.vertices[lower, 1]
        assert abs(mesh.vertices[upper, 0] - mesh.vertices[lower, 0]) < 0.25


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (rings.LEFT_EYE, rings.RIGHT_EYE),
        (rings.LEFT_BROW, rings.RIGHT_BROW),
        (rings.CHIN, rings.CHIN),
        (rings.NOSE, rings.NOSE),
        (rings.UPPER_OVAL, rings.UPPER_OVAL),
        (rings.LIPS, rings.LIPS),
    ],
)
def test_lists_are_mirror_symmetric(
    mesh: FaceMesh, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    assert {int(mesh.mirror[i]) for i in left} == set(right)


def geometry_refusal(path: Path) -> str:
    message = refusal(load_mesh, path, CheckpointError)
    assert message.startswith(f"{path}: expected ")
    assert ", got " in message
    assert message.endswith("python -m actalker_core download.")
    return message


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "face_landmarker.task"
    assert "no file" in geometry_refusal(path)
    path.write_bytes(b"something else")
    assert "cannot be read" in geometry_refusal(path)
    write_zip(path, {"readme.txt": b"nothing"})
    assert f"no {GEOMETRY.name}" in geometry_refusal(path)


@needs_model
def test_a_damaged_mesh_is_named(tmp_path: Path) -> None:
    content = read_zip(TASK)[GEOMETRY.name]
    path = tmp_path / "face_landmarker.task"
    for damage in (content[:-1], content + b"\0", b"", bytes([content[0] ^ 1]) + content[1:]):
        write_zip(path, {GEOMETRY.name: damage})
        assert GEOMETRY.name in geometry_refusal(path)
    cut = TASK.read_bytes()
    path.write_bytes(cut[: len(cut) // 2])
    geometry_refusal(path)
