"""The best finder at hand: MediaPipe's landmarker, else OpenCV's Haar cascade, else an error."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CheckpointError, FaceError
from ..progress import Report, report_nothing
from .box import Box, box_iou
from .face import Face, FaceFinder, SearchDepth, distinct_faces, to_pixels
from .landmarker import Landmarker
from .landmarker_file import require_landmarker

log = logging.getLogger(__name__)

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
        self._lock = Lock()

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
        with self._lock:  # a cascade keeps its images for the next size
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


def open_finder(
    path: Path | None = None,
    folders: Sequence[Path] = (),
    report: Report = report_nothing,
) -> FaceFinder:
    """The best finder at hand: the landmarker, which is fetched if it is missing, else a cascade.

    Args:
        path: of MediaPipe's `face_landmarker.task`; None for the one in a known folder.
        folders: known besides those of the pack; the first is where it is fetched to.
        report: called while it is fetched; may raise to cancel.

    Raises:
        CheckpointError: a path was given and cannot be used, or what lies in a folder.
        FaceError: there is neither the file nor a Haar cascade.
    """
    if path is not None:
        return Landmarker(path)
    try:
        known_path = require_landmarker(None, folders, report)
    except CheckpointError as error:
        if HaarFinder.is_available():
            log.warning(
                "Faces are found by OpenCV's Haar cascade: upright frontal ones only, and without "
                "landmarks. %s",
                error,
            )
            return HaarFinder()
        raise FaceError(str(error)) from error
    return Landmarker(known_path)


def open_landmarker(
    path: Path | None = None,
    folders: Sequence[Path] = (),
    report: Report = report_nothing,
) -> Landmarker:
    """MediaPipe's landmarker, where a box is not enough; arguments as of `open_finder`.

    Raises:
        CheckpointError: it is nowhere and cannot be fetched, or cannot be used.
    """
    return Landmarker(require_landmarker(path, folders, report))
