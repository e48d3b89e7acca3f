"""Which finder is there, and where its file comes from."""

import hashlib
import logging
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
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

from actalker_core.errors import ACTalkerError, CheckpointError, FaceError
from actalker_core.faces import DEFAULT_PATH, download_landmarker, finder, open_finder, track_face
from actalker_core.faces.landmarker import Landmarker

NETWORKS = ("face_detector", "face_landmarks_detector", "face_blendshapes")


# Which finder is there ---------------------------------------------------------------------------


@needs_model
def test_the_landmarker_at_its_usual_place_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
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


def test_nothing_to_find_with_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finder.HaarFinder, "is_available", staticmethod(lambda: False))
    with pytest.raises(FaceError, match=re.escape(str(DEFAULT_PATH))):
        open_finder()


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
def cascade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Cascade]:
    """OpenCV 4, far from any model file."""
    monkeypatch.chdir(tmp_path)
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
    assert str(DEFAULT_PATH) in caplog.text
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


# Fetching ----------------------------------------------------------------------------------------

CONTENT = b"three networks"
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a file to fetch."""
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "source.task"
    path.write_bytes(CONTENT)
    return path.as_uri()


def test_a_file_with_the_right_checksum_appears(tmp_path: Path, url: str) -> None:
    path = tmp_path / "new" / "folder" / "face_landmarker.task"
    assert download_landmarker(path, url, SUM) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_file_with_another_checksum_is_not_kept(tmp_path: Path, url: str) -> None:
    path, expected = tmp_path / "new" / "face_landmarker.task", "0" * 64
    with pytest.raises(CheckpointError, match=f"{expected}.*{SUM}"):
        download_landmarker(path, url, expected)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_a_wrong_download_leaves_the_file_that_is_there(tmp_path: Path, url: str) -> None:
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"old")
    with pytest.raises(CheckpointError):
        download_landmarker(path, url, "0" * 64)
    assert path.read_bytes() == b"old"
    download_landmarker(path, url, SUM)
    assert path.read_bytes() == CONTENT


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_a_connection_an_error_says_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        download_landmarker(path, f"http://127.0.0.1:{closed_port()}/x.task", SUM)
    assert not list(tmp_path.iterdir())


class FailingHandler(BaseHTTPRequestHandler):
    """Answers by what the address names."""

    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            self.wfile.write(b"not HTTP\r\n\r\n")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def failing_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), FailingHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["absent", "cut", "garbled"])
def test_a_connection_that_fails_is_told_from_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_server: str, kind: str
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        download_landmarker(path, f"{failing_server}/{kind}", SUM)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, url: str) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ACTalkerError, match="models"):
        download_landmarker(tmp_path / "models" / "face_landmarker.task", url, SUM)
