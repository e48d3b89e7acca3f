"""MediaPipe's face landmarker on OpenCV: detector, 478 landmarks, blendshapes.

Source: Bazarevsky et al., arXiv 1907.05047 (detector); Kartynnik et al., arXiv 1907.06724
(landmarks); the steps between the networks are those of MediaPipe's face landmarker task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CheckpointError
from . import topology
from .blendshapes import Blendshapes
from .box import (
    SAME_OVERLAP,
    Box,
    box_area,
    box_centre,
    box_overlap,
    enlarge_box,
    image_box,
    is_same,
    longer_side,
    squared_box,
)
from .face import Array, Depth, Face, distinct_faces, to_pixels
from .task_file import read_networks

Pixels = NDArray[np.uint8]

DETECTOR_PX, MESH_PX = 128, 256
ANCHOR_GRIDS = ((16, 2), (8, 6))
"""Cells per side and anchors per cell."""
LEAST_CONFIDENCE = 0.5
MESH_MARGIN = 1.5
"""The landmark network sees the detected box enlarged by this."""
LEAST_OVERLAP = 0.2
"""A detection beside a box given by hand that shares less with it is another face."""
SEARCHES = ((1, 0), (2, 128), (4, 128), (8, 128), (16, 192))
"""A picture is searched whole, then in halves, quarters, … of its longer side that have at least
so many pixels. The last one takes four times as long as all others."""
TILE_STEP = 2 / 3
"""Of a tile's side; what is larger than the overlap is found one size before."""
SURE_SHARE = 0.125
"""Faces of this share of a tile's side, and larger ones, are found in it."""
SECOND_LOOK, SECOND_LOOK_CONFIDENCE = 2.2, 0.7
"""A face found in a tile is looked for again where the detector sees best: in a square so many
times as large as the face. There true ones score 0.8 and more, folds of cloth and hair do not."""
LEAST_CONTRAST = 16
"""Of 255; a tile with less between its darkest and its brightest value is not searched."""


@dataclass(frozen=True)
class Detection:
    """What the detector says, in pixels.

    Attributes:
        score: 0…1.
        points: (8, 2) centre, size, right eye, left eye, nose, mouth, right ear, left ear.
    """

    score: float
    points: Array

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1."""
        (x, y), (width, height) = self.points[:2].tolist()
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    @property
    def tilt(self) -> float:
        """Angle of the line through both eyes, in radians."""
        right, left = self.points[2], self.points[3]
        return float(np.arctan2(left[1] - right[1], left[0] - right[0]))


class Landmarker:
    """Finds faces with landmarks.

    Args:
        path: MediaPipe's `face_landmarker.task`.

    Raises:
        CheckpointError: the file is missing or is something else, or OpenCV cannot read it.
    """

    def __init__(self, path: Path) -> None:
        detector, mesh, blendshapes = read_networks(path)
        self._anchors = _anchors()
        try:
            self._detector, self._mesh = _read_network(detector), _read_network(mesh)
        except cv2.error as error:
            raise CheckpointError(
                f"{path}: expected an OpenCV that reads TFLite files, got {cv2.__version__}. "
                "Install opencv-python-headless 4.10 or newer."
            ) from error
        self.blendshapes = Blendshapes(blendshapes)

    def find(self, picture: Tensor, depth: Depth = "all") -> list[Face]:
        """The faces of a picture, the largest first; see `FaceFinder`.

        Those of an eighth of the smallest tile and larger: 16 to 32 pixels in pictures of up to
        2048 pixels, at most 48 in those of up to 6144.
        """
        pixels = to_pixels(picture)
        found: list[Face] = []
        searches = _searches(pixels.shape[0], pixels.shape[1])
        for level, tiles in enumerate(islice(searches, 1 if depth == "whole" else None)):
            for detection in self._detect(pixels, tiles):
                if any(_shows(face.box, detection.box) for face in found):
                    continue
                sure = self._looked_again(pixels, detection) if level else detection
                face = sure and self._meshed(pixels, sure)
                found += [face] if face else []
            least = SURE_SHARE * (tiles[0][2] - tiles[0][0])
            if depth == "largest" and any(longer_side(face.box) >= least for face in found):
                break
        return distinct_faces(found)

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        """The face at a box; a drawn face may only be recognised this way."""
        pixels = to_pixels(picture)
        nearest = self._nearest(pixels, box, 2)
        if nearest is not None and _is_at(nearest.box, box):
            return self._meshed(pixels, nearest)
        return self._mesh_at(pixels, enlarge_box(box, MESH_MARGIN / 1.2), 0.0)

    def _looked_again(self, pixels: Pixels, detection: Detection) -> Detection | None:
        """The same face as the detector sees it best, unless it no longer sees one there."""
        nearest = self._nearest(pixels, detection.box, SECOND_LOOK)
        if nearest is None or nearest.score < SECOND_LOOK_CONFIDENCE:
            return None
        return nearest if is_same(nearest.box, detection.box) else None

    def _nearest(self, pixels: Pixels, box: Box, factor: float) -> Detection | None:
        """The detection that overlaps a box most, in a square so many times as large."""
        found = self._detect(pixels, [squared_box(enlarge_box(box, factor))])
        return max(found, key=lambda d: box_overlap(d.box, box), default=None)

    def _detect(self, pixels: Pixels, tiles: list[Box]) -> list[Detection]:
        """Faces in square parts of a picture, the surest first."""
        found = [raw for tile in tiles for raw in self._detect_in(pixels, tile)]
        return _merged(sorted(found, key=lambda d: -d.score))

    def _detect_in(self, pixels: Pixels, tile: Box) -> Iterator[Detection]:
        corner, side = np.array(tile[:2], np.float32), tile[2] - tile[0]
        part, _ = _turned_crop(pixels, tile, 0.0, DETECTOR_PX, cv2.BORDER_CONSTANT)
        if int(part.max()) - int(part.min()) < LEAST_CONTRAST:
            return
        self._detector.setInput(cv2.dnn.blobFromImage(part, 1 / 127.5, mean=(127.5,) * 3))
        scores, numbers = self._detector.forward(["classificators", "regressors"])
        chances = 1 / (1 + np.exp(-scores.ravel().clip(-80, 80)))
        points = numbers.reshape(-1, 8, 2) / DETECTOR_PX
        points[:, 0] += self._anchors
        points[:, 2:] += self._anchors[:, None]
        for i in np.flatnonzero(chances > LEAST_CONFIDENCE):
            scaled = points[i] * side
            scaled[0] += corner
            scaled[2:] += corner
            yield Detection(float(chances[i]), scaled)

    def _meshed(self, pixels: Pixels, detection: Detection) -> Face | None:
        box = enlarge_box(squared_box(detection.box), MESH_MARGIN)
        face = self._mesh_at(pixels, box, detection.tilt)
        return face and Face(face.box, detection.score, face.landmarks)

    def _mesh_at(self, pixels: Pixels, box: Box, tilt: float) -> Face | None:
        """The landmarks in a turned square, unless no face is there."""
        part, to_picture = _turned_crop(
            pixels, squared_box(box), tilt, MESH_PX, cv2.BORDER_REPLICATE
        )
        self._mesh.setInput(cv2.dnn.blobFromImage(part, 1 / 255))
        presence, numbers = self._mesh.forward(["Identity_1", "Identity"])
        chance = float(1 / (1 + np.exp(-presence.item())))
        if chance < LEAST_CONFIDENCE:
            return None
        landmarks = numbers.reshape(topology.COUNT, 3).astype(np.float32)
        depth = landmarks[:, 2:] * np.linalg.norm(to_picture[:, 0])
        flat = landmarks[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        landmarks = np.concatenate([flat, depth], axis=1).astype(np.float32)
        return Face(around(landmarks), chance, landmarks)


def _is_at(found: Box, given: Box) -> bool:
    """Whether a face is the one in a box given by hand, which may be much larger or smaller."""
    x, y = box_centre(found)
    inside = given[0] <= x <= given[2] and given[1] <= y <= given[3]
    return inside or box_overlap(found, given) > LEAST_OVERLAP


def _shows(face: Box, detected: Box) -> bool:
    """Whether a detection is of a face that is known; a much larger one may be what it is in."""
    return is_same(face, detected) and 2 * box_area(face) > box_area(detected)


def around(landmarks: Array) -> Box:
    """The box around landmarks (n, 2 or 3)."""
    x0, y0 = landmarks[:, :2].min(0).tolist()
    x1, y1 = landmarks[:, :2].max(0).tolist()
    return x0, y0, x1, y1


def _read_network(tflite: bytes) -> Any:
    """A network for OpenCV.

    OpenCV 5 has several engines. Only the classic one runs these networks, and only from a file.
    """
    dnn: Any = cv2.dnn  # whose stubs know one version's signatures
    engine = getattr(dnn, "ENGINE_CLASSIC", None)
    if engine is None:
        return dnn.readNetFromTFLite(np.frombuffer(tflite, np.uint8))
    with TemporaryDirectory() as folder:
        path = Path(folder, "network.tflite")
        path.write_bytes(tflite)
        return dnn.readNetFromTFLite(str(path), engine)


def _anchors() -> Array:
    """The centres that the detector's numbers are relative to: (896, 2) in 0…1."""
    parts = []
    for cells, per_cell in ANCHOR_GRIDS:
        y, x = np.mgrid[:cells, :cells]
        middles = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        parts.append(np.repeat(middles, per_cell, axis=0))
    return np.concatenate(parts).astype(np.float32)


def _searches(height: int, width: int) -> Iterator[list[Box]]:
    """The squares to look at: first the whole picture, then smaller and smaller parts."""
    yield [squared_box(image_box(width, height))]
    for parts, least_px in SEARCHES[1:]:
        side = max(height, width) / parts
        if side < least_px:
            return
        yield [
            (x, y, x + side, y + side) for y in _starts(height, side) for x in _starts(width, side)
        ]


def _starts(length: int, side: float) -> list[float]:
    """Where parts begin that overlap and cover a length."""
    if side >= length:
        return [(length - side) / 2]
    steps = int(np.ceil((length - side) / (TILE_STEP * side)))
    return [i * (length - side) / steps for i in range(steps + 1)]


def _turned_crop(
    pixels: Pixels, box: Box, angle: float, side_px: int, border: int
) -> tuple[Pixels, NDArray[np.float64]]:
    """A square box turned about its centre, and the matrix (2, 3) from the crop to the picture."""
    scale = (box[2] - box[0]) / side_px
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array(box_centre(box)) - turn @ (side_px / 2, side_px / 2)
    to_picture = np.column_stack([turn, shift])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(pixels, to_picture, (side_px, side_px), flags=flags, borderMode=border)
    return np.asarray(part, np.uint8), to_picture


def _merged(found: list[Detection]) -> list[Detection]:
    """One detection per face: the mean of those that overlap its surest, weighted by score."""
    kept = []
    while found:
        alike = [box_overlap(found[0].box, d.box) > SAME_OVERLAP for d in found]
        same = list(compress(found, alike))
        scores = np.array([d.score for d in same], np.float32)
        points = np.tensordot(scores / scores.sum(), np.stack([d.points for d in same]), 1)
        kept.append(Detection(same[0].score, points))
        found = [d for d, is_same in zip(found, alike, strict=True) if not is_same]
    return kept
