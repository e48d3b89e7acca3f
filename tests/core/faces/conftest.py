"""What the landmarker of MediaPipe is held against."""

from pathlib import Path

import pytest
from helpers.recorded_faces import RECORDING, TASK, Recording
from safetensors.numpy import load_file

from actalker_core.faces import landmarker_file
from actalker_core.faces.landmarker import Landmarker
from actalker_core.files import model_folders


@pytest.fixture(scope="session")
def recording() -> Recording:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDING)


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pack in ComfyUI's folder, where no folder has any model; the core's is returned."""
    pack = tmp_path / "ComfyUI" / "custom_nodes" / "actalker"
    pack.mkdir(parents=True)
    (pack / "pyproject.toml").touch()
    monkeypatch.setattr(model_folders, "PACK", pack)
    monkeypatch.setattr(landmarker_file, "_failure", None)
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    return pack / model_folders.FOLDER
