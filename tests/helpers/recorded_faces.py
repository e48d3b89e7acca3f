"""What was recorded of real faces; only some machines have the images and the clip themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

REPOSITORY = Path(__file__).parents[2]
SHARED_FOLDER = REPOSITORY.parent / "shared"
TASKS = (
    SHARED_FOLDER / "models" / "face_landmarker.task",
    REPOSITORY / "models" / "actalker" / "face_landmarker.task",
)
"""Where the landmarker may lie: beside the repository, or where `make` fetches it to."""
TASK = next((path for path in TASKS if path.is_file()), TASKS[-1])
DRIVING = SHARED_FOLDER / "media" / "driving.mp4"
PORTRAIT = SHARED_FOLDER / "media" / "portrait.png"
RECORDING = Path(__file__).parents[1] / "data" / "mediapipe_driving.safetensors"

needs_model = pytest.mark.skipif(not TASK.is_file(), reason="no face_landmarker.task")
needs_portrait = pytest.mark.skipif(
    not (TASK.is_file() and PORTRAIT.is_file()), reason="no portrait in shared/, or no landmarker"
)
needs_driving = pytest.mark.skipif(
    not (TASK.is_file() and DRIVING.is_file()),
    reason="no driving clip in shared/, or no landmarker",
)

Array = NDArray[np.float32]
Recording = dict[str, NDArray[Any]]
