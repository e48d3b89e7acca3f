"""The mesh and the recorded faces that the tests of geometry share."""

import pytest
from helpers.recorded_faces import RECORDING, TASK, Recording
from safetensors.numpy import load_file

from actalker_core.geometry.mesh import FaceMesh, load_mesh


@pytest.fixture(scope="session")
def mesh() -> FaceMesh:
    if not TASK.is_file():
        pytest.skip("no face_landmarker.task in shared/")
    return load_mesh(TASK)


@pytest.fixture(scope="session")
def recording() -> Recording:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDING)
