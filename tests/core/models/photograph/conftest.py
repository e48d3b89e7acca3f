"""A photograph with its face."""

import pytest
from helpers.hopper import load_hopper
from helpers.photographs import Open
from helpers.recorded_faces import TASK

from actalker_core.faces import find_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh, load_mesh
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.portrait import open_photograph


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


@pytest.fixture(scope="session")
def mesh() -> FaceMesh:
    return load_mesh(TASK)


@pytest.fixture(scope="session")
def open_image(landmarker: Landmarker, mesh: FaceMesh) -> Open:
    return lambda image: open_photograph(image, find_face(landmarker, image), landmarker, mesh)


@pytest.fixture(scope="session")
def photograph(open_image: Open) -> Photograph:
    return open_image(load_hopper(0.5))
