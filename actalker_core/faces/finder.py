"""The best finder at hand: MediaPipe's landmarker, else OpenCV's Haar cascade, else an error."""

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
from .box import Box, box_iou
from .face import Face, FaceFinder, SearchDepth, distinct_faces, to_pixels
from .landmarker import Landmarker

log = logging.getLogger(__name__)

DEFAULT_PATH = Path("models/actalker/face_landmarker.task")
URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task"
)
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TIMEOUT_SECONDS = 60
HAAR_FILE = "haarcascade_frontalface_default.xml"
MIN_LARGE_SHARE, MIN_SHARE, MIN_PX = 1 / 12, 1 / 48, 24
"""Sides of faces: of large ones and of all as a share of the image's shorter side, and in pixels;
the cascade was trained on 24x24."""
CONFIDENCE = 0.5
"""The cascade gives none."""
SCALE_STEP, MIN_NEIGHBOURS = 1.1, 5
"""How much the image shrinks from size to size, and how many detections of a face must agree."""


class HaarFinder:
    """Boxes of upright frontal faces, without landmarks. Source: Viola and Jones, CVPR 2001."""

    def __init__(self) -> None:
        opencv: Any = cv2
        file = os.path.join(opencv.data.haarcascades, HAAR_FILE)
        self._cascade = opencv.CascadeClassifier(file)

    @staticmethod
    def is_available() -> bool:
        """Whether this OpenCV has the cascade; version 5 does not."""
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        return hasattr(cv2, "CascadeClassifier") and os.path.isfile(os.path.join(folder, HAAR_FILE))

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """The faces of an image (3, H, W); see `FaceFinder`."""
        grey = cv2.cvtColor(to_pixels(image), cv2.COLOR_RGB2GRAY)
        faces = [] if depth == "all" else self._detect(grey, MIN_LARGE_SHARE)
        return faces if faces or depth == "whole" else self._detect(grey, MIN_SHARE)

    def _detect(self, grey: NDArray[Any], min_share: float) -> list[Face]:
        """The faces of such a share of the image's shorter side, and larger ones."""
        min_px = max(int(min(grey.shape) * min_share), MIN_PX)
        rectangles = self._cascade.detectMultiScale(
            grey, SCALE_STEP, MIN_NEIGHBOURS, minSize=(min_px, min_px)
        )
        boxes = (
            (float(x), float(y), float(x + width), float(y + height))
            for x, y, width, height in rectangles
        )
        return distinct_faces(Face(box, CONFIDENCE) for box in boxes)

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        """The face of an image (3, H, W) that overlaps a box most."""
        faces = [face for face in self.find(image) if box_iou(face.box, box) > 0]
        return max(faces, key=lambda face: box_iou(face.box, box), default=None)


def open_finder(path: Path | None = None, default: Path = DEFAULT_PATH) -> FaceFinder:
    """The best finder at hand.

    Args:
        path: of MediaPipe's `face_landmarker.task`; None looks at `default`.

    Raises:
        CheckpointError: a path was given and cannot be used.
        FaceError: there is neither the file nor a Haar cascade.
    """
    if path is not None or os.path.isfile(default):
        return Landmarker(path or default)
    if HaarFinder.is_available():
        log.warning(
            "%s is not there, so faces are found by OpenCV's Haar cascade: upright frontal ones "
            "only, and without landmarks. It comes from %s.",
            default,
            URL,
        )
        return HaarFinder()
    raise FaceError(
        f"There is nothing to find faces with. Put MediaPipe's face_landmarker.task at {default} "
        f"(python -m actalker_core download, or {URL}), or give the box of the face."
    )


def download_landmarker(path: Path = DEFAULT_PATH, url: str = URL, sha256: str = SHA256) -> Path:
    """Fetch `face_landmarker.task` (3.8 MB) and keep it only if its checksum is right.

    Raises:
        CheckpointError: no connection, other content than expected, or it cannot be written.
    """
    check_writable(path, CheckpointError)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            content = response.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise CheckpointError(
            f"{url}: cannot be fetched ({error}). Fetch it with a browser and put it at {path}."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise CheckpointError(
            f"{url}: expected SHA-256 {sha256}, got {digest}; nothing was written. Try again later."
        )
    with replace_file(path, CheckpointError) as part:
        part.write_bytes(content)
    return path
