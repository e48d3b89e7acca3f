"""The recorded faces that the tests of geometry share."""

import pytest
from helpers.recorded_faces import RECORDING, Recording
from safetensors.numpy import load_file


@pytest.fixture(scope="session")
def recording() -> Recording:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDING)
