"""Which finder is there: MediaPipe's landmarker, else OpenCV's Haar cascade, else a clear error."""

import hashlib
import http.client
import logging
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CheckpointError, FaceError
from ..files.writing import check_writable, replace_file
from .box import Box, box_overlap
from .face import Depth, Face, FaceFinder, distinct_faces, to_pixels
from .landmarker import Landmarker

log = logging.getLogger(__name__)

DEFAULT_PATH = Path("models/actalker/face_landmarker.task")
URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task"
)
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TIMEOUT_SECONDS = 60
LARGE_SHARE, LEAST_SHARE, LEAST_PX = 1 / 12, 1 / 48, 24
HAAR_FILE = "haarcascade_frontalface_default.xml"


class Haar:
    """Boxes of upright frontal faces, without landmarks. Source: Viola and Jones, CVPR 2001."""

    def __init__(self) -> None:
        opencv: Any = cv2
        file = os.path.join(opencv.data.haarcascades, HAAR_FILE)
        self._cascade = opencv.CascadeClassifier(file)

    @staticmethod
    def is_there() -> bool:
        """OpenCV 5 no longer has it."""
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        return hasattr(cv2, "CascadeClassifier") and os.path.isfile(os.path.join(folder, HAAR_FILE))

    def find(self, picture: Tensor, depth: Depth = "all") -> list[Face]:
        """The faces; the cascade gives no confidence, so it is 0.5 throughout."""
        grey = cv2.cvtColor(to_pixels(picture), cv2.COLOR_RGB2GRAY)
        found = [] if depth == "all" else self._at_least(grey, LARGE_SHARE)
        return found if found or depth == "whole" else self._at_least(grey, LEAST_SHARE)

    def _at_least(self, grey: NDArray[Any], share: float) -> list[Face]:
        """The faces of such a share of the picture's shorter side, and larger ones."""
        least = max(int(min(grey.shape) * share), LEAST_PX)
        found = self._cascade.detectMultiScale(grey, 1.1, 5, minSize=(least, least))
        return distinct_faces(Face(_box(*map(float, place)), 0.5) for place in found)

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        """The face that overlaps a box most."""
        found = [face for face in self.find(picture) if box_overlap(face.box, box) > 0]
        return max(found, key=lambda face: box_overlap(face.box, box), default=None)


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def open_finder(path: Path | None = None, usual: Path = DEFAULT_PATH) -> FaceFinder:
    """The best finder that is there.

    Args:
        path: of MediaPipe's `face_landmarker.task`; None looks at `usual`.

    Raises:
        CheckpointError: a path was given and cannot be used.
        FaceError: there is neither the file nor a Haar cascade.
    """
    if path is not None or os.path.isfile(usual):
        return Landmarker(path or usual)
    if Haar.is_there():
        log.warning(
            "%s is not there, so faces are found by OpenCV's Haar cascade: upright frontal ones "
            "only, and without landmarks. It comes from %s.",
            usual,
            URL,
        )
        return Haar()
    raise FaceError(
        f"There is nothing to find faces with. Put MediaPipe's face_landmarker.task at {usual} "
        f"(python -m actalker_core download, or {URL}), or give the box of the face."
    )


def download_landmarker(path: Path = DEFAULT_PATH, url: str = URL, sha256: str = SHA256) -> Path:
    """Fetch `face_landmarker.task` (3.8 MB) and keep it only if its checksum is right.

    Raises:
        CheckpointError: no connection, other content than expected, or it cannot be written.
    """
    check_writable(path, CheckpointError)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise CheckpointError(
            f"{url}: cannot be fetched ({error}). Fetch it with a browser and put it at {path}."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise CheckpointError(
            f"{url}: expected SHA-256 {sha256}, got {found}; nothing was written. Try again later."
        )
    with replace_file(path, CheckpointError) as part:
        part.write_bytes(content)
    return path
