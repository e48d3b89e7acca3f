"""What was recorded of real faces; only some machines have the images and the clip themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED_FOLDER = Path(__file__).parents[2].parent / "shared"
TASK = SHARED_FOLDER / "models" / "face_landmarker.task"
DRIVING = SHARED_FOLDER / "media" / "driving.mp4"
PORTRAIT = SHARED_FOLDER / "media" / "portrait.png"
RECORDING = Path(__file__).parents[1] / "data" / "mediapipe_driving.safetensors"

needs_model = pytest.mark.skipif(not TASK.is_file(), reason="no face_landmarker.task in shared/")
needs_portrait = pytest.mark.skipif(
    not (TASK.is_file() and PORTRAIT.is_file()), reason="no portrait or no model in shared/"
)
needs_driving = pytest.mark.skipif(
    not (TASK.is_file() and DRIVING.is_file()), reason="no driving clip or no model in shared/"
)

Array = NDArray[np.float32]
Recording = dict[str, NDArray[Any]]
