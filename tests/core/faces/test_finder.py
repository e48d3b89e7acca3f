"""Which finder is there."""

import logging
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers.faces import HEIGHT, WIDTH, greys
from helpers.recorded_faces import TASK, needs_model
from helpers.task_files import read_zip, write_zip
from numpy.typing import NDArray

from actalker_core.errors import CheckpointError, FaceError
from actalker_core.faces import DEFAULT_PATH, finder, open_finder, open_landmarker, track_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.files.model_folders import FOLDER

NETWORKS = ("face_detector", "face_landmarks_detector", "face_blendshapes")


# Which finder is there ---------------------------------------------------------------------------


@needs_model
@pytest.mark.usefixtures("empty_machine")
def test_the_landmarker_at_its_usual_place_is_taken() -> None:
    DEFAULT_PATH.parent.mkdir(parents=True)
    shutil.copy(TASK, DEFAULT_PATH)
    assert isinstance(open_finder(), Landmarker)


def test_the_usual_place_is_below_the_models() -> None:
    assert Path("models/actalker/face_landmarker.task") == DEFAULT_PATH


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "no networks", "some"])
def test_a_file_that_is_no_landmarker_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "face_landmarker.task"
    if kind == "folder":
        path.mkdir()
    elif kind in ("no networks", "some"):
        write_zip(path, {"readme.txt" if kind == "no networks" else f"{NETWORKS[0]}.tflite": b"?"})
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a zip"}[kind])
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
@pytest.mark.parametrize("kind", ["half", "one byte"])
def test_a_damaged_landmarker_is_named(tmp_path: Path, kind: str) -> None:
    content = bytearray(TASK.read_bytes())
    content[100_000] ^= 0xFF
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(content if kind == "one byte" else content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
@pytest.mark.parametrize("content", [b"", b"nonsense" * 100], ids=["empty", "nonsense"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_that_cannot_be_read_names_the_file(
    tmp_path: Path, network: str, content: bytes
) -> None:
    files = read_zip(TASK)
    path = write_zip(tmp_path / "face_landmarker.task", files | {f"{network}.tflite": content})
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
def test_another_network_in_the_place_of_the_blendshapes_names_the_file(tmp_path: Path) -> None:
    files = read_zip(TASK)
    files["face_blendshapes.tflite"] = files["face_detector.tflite"]
    path = write_zip(tmp_path / "face_landmarker.task", files)
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@pytest.mark.usefixtures("empty_machine")
def test_nothing_to_find_with_says_what_to_put_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder.HaarFinder, "is_available", staticmethod(lambda: False))
    with pytest.raises(FaceError, match=rf"{DEFAULT_PATH.name}.*{re.escape(str(FOLDER))}"):
        open_finder()


@pytest.mark.usefixtures("cascade")
def test_where_landmarks_are_needed_a_cascade_is_no_help() -> None:
    with pytest.raises(CheckpointError, match=DEFAULT_PATH.name):
        open_landmarker()


class Cascade:
    """What OpenCV 4 has and OpenCV 5 has not: two faces, as corner and size."""

    rectangles: Any = np.array([[10, 5, 20, 30], [50, 20, 20, 20]], np.int32)

    def __init__(self, path: str) -> None:
        assert Path(path).is_file()

    def detectMultiScale(self, grey: NDArray[np.uint8], *_: Any, **__: Any) -> Any:  # noqa: N802
        assert grey.shape == (HEIGHT, WIDTH)
        assert grey.dtype == np.uint8
        return self.rectangles


@pytest.fixture
def cascade(empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Cascade]:
    """OpenCV 4, far from any model file."""
    (tmp_path / "haarcascade_frontalface_default.xml").write_text("<xml/>")
    folder = SimpleNamespace(haarcascades=str(tmp_path))
    monkeypatch.setattr(cv2, "data", folder, raising=False)
    monkeypatch.setattr(cv2, "CascadeClassifier", Cascade, raising=False)
    return Cascade


def test_without_the_file_a_cascade_finds_boxes_and_says_so(
    cascade: type[Cascade], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        cascade_finder = open_finder()
    assert DEFAULT_PATH.name in caplog.text
    assert "Haar" in caplog.text
    faces = cascade_finder.find(greys(1)[0])
    assert [face.box for face in faces] == [(10, 5, 30, 35), (50, 20, 70, 40)]
    assert all(face.landmarks is None and 0 < face.confidence <= 1 for face in faces)
    near = cascade_finder.find_near(greys(1)[0], (45, 15, 65, 35))
    assert near is not None
    assert near.box == (50, 20, 70, 40)
    assert cascade_finder.find_near(greys(1)[0], (0, 50, 5, 55)) is None


def test_a_cascade_follows_boxes(cascade: type[Cascade]) -> None:
    track = track_face(open_finder(), greys(3), "right")
    assert track.gaps == []
    assert track.landmarks is None
    assert np.allclose(track.boxes, (50, 20, 70, 40))


def test_a_cascade_may_find_nothing(
    cascade: type[Cascade], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascade, "rectangles", ())
    assert open_finder().find(torch.zeros(3, HEIGHT, WIDTH)) == []


def test_a_given_path_is_never_replaced_by_a_cascade(
    cascade: type[Cascade], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"mine\.task"):
        open_finder(tmp_path / "mine.task")
