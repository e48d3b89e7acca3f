"""What the landmarker of MediaPipe is held against."""

import pytest
from helpers.recorded_faces import RECORDING, TASK, Recording
from safetensors.numpy import load_file

from actalker_core.faces.landmarker import Landmarker


@pytest.fixture(scope="session")
def recording() -> Recording:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDING)


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return Landmarker(TASK)
