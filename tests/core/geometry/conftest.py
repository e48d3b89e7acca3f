"""The recorded faces that the tests of geometry share."""

import pytest
from helpers.photographs import Open
from helpers.recorded_faces import RECORDING, TASK, Recording
from safetensors.numpy import load_file

from actalker_core.faces import find_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.portrait import open_photograph


@pytest.fixture(scope="session")
def recording() -> Recording:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDING)


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


@pytest.fixture(scope="session")
def open_image(landmarker: Landmarker, mesh: FaceMesh) -> Open:
    return lambda image: open_photograph(image, find_face(landmarker, image), landmarker, mesh)
