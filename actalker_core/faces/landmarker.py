"""MediaPipe's face landmarker on OpenCV: detector, 478 landmarks, blendshapes.

Source: Bazarevsky et al., arXiv 1907.05047 (detector); Kartynnik et al., arXiv 1907.06724
(landmarks); the steps between the networks are those of MediaPipe's face landmarker task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import local
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CheckpointError
from . import topology
from .blendshapes import Blendshapes
from .box import (
    SAME_FACE_IOU,
    Box,
    box_area,
    box_centre,
    box_iou,
    enlarge_box,
    image_box,
    is_same_face,
    longer_side,
    square_box,
)
from .face import Array, Face, SearchDepth, distinct_faces, to_pixels
from .task_file import read_networks

Pixels = NDArray[np.uint8]

DETECTOR_PX, MESH_PX = 128, 256
ANCHOR_GRIDS = ((16, 2), (8, 6))
"""Cells per side and anchors per cell."""
MIN_CONFIDENCE = 0.5
MESH_MARGIN = 1.5
"""The landmark network sees the detected box enlarged by this."""
HAND_BOX_SCALE = 1.2
"""A box drawn by hand is so many times as large as what the detector makes of the face."""
MIN_HAND_IOU = 0.2
"""A detection beside a box given by hand that has less in common with it is another face."""
SEARCHES = ((1, 0), (2, 128), (4, 128), (8, 128), (16, 192))
"""An image is searched whole, then in halves, quarters, … of its longer side that have at least
so many pixels. The last one takes four times as long as all others."""
TILE_STEP = 2 / 3
"""Of a tile's side; what is larger than the overlap is found one size before."""
RELIABLE_SHARE = 0.125
"""Faces of this share of a tile's side, and larger ones, are found in it."""
CHECK_SCALE, MIN_CHECK_CONFIDENCE = 2.2, 0.7
"""A face found in a tile is looked for again where the detector sees best: in a square so many
times as large as the face. There true ones score 0.8 and more, folds of cloth and hair do not."""
MIN_CONTRAST = 16
"""Of 255; a tile with less between its darkest and its brightest value is not searched."""


@dataclass(frozen=True)
class Detection:
    """A face as the detector sees it, in pixels.

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


class Networks(local):
    """The networks of one thread: OpenCV keeps the values of a pass in them.

    Each thread that uses the same object gets networks of its own, made of the same files.

    Attributes:
        detector, mesh: what OpenCV makes of the contents of two TFLite files.
    """

    def __init__(self, detector: bytes, mesh: bytes) -> None:
        self.detector, self.mesh = _read_network(detector), _read_network(mesh)


class Landmarker:
    """Finds faces with landmarks, in several threads at once if it is asked to.

    Args:
        path: MediaPipe's `face_landmarker.task`.

    Attributes:
        path: the same. blendshapes: what it says of landmarks.

    Raises:
        CheckpointError: the file is missing or is something else, or OpenCV cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        detector, mesh, blendshapes = read_networks(path)
        self._anchors = _make_anchors()
        try:
            self._networks = Networks(detector, mesh)
        except cv2.error as error:
            raise CheckpointError(
                f"{path}: expected an OpenCV that reads TFLite files, got {cv2.__version__}. "
                "Install opencv-python-headless 4.10 or newer."
            ) from error
        self.blendshapes = Blendshapes(blendshapes)

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """The faces of an image (3, H, W), the largest first; see `FaceFinder`.

        Those of an eighth of the smallest tile and larger: 16 to 32 pixels in images of up to
        2048 pixels, at most 48 in those of up to 6144.
        """
        pixels = to_pixels(image)
        faces: list[Face] = []
        searches = _split_into_tiles(pixels.shape[0], pixels.shape[1])
        for level, tiles in enumerate(islice(searches, 1 if depth == "whole" else None)):
            for detection in self._detect(pixels, tiles):
                if any(_is_detected(face.box, detection.box) for face in faces):
                    continue
                checked_detection = self._check(pixels, detection) if level else detection
                face = checked_detection and self._fit_detection(pixels, checked_detection)
                faces += [face] if face else []
            reliable_px = RELIABLE_SHARE * (tiles[0][2] - tiles[0][0])
            if depth == "largest" and any(longer_side(face.box) >= reliable_px for face in faces):
                break
        return distinct_faces(faces)

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        """The face of an image (3, H, W) at a box; a drawn face may only be recognised this way."""
        pixels = to_pixels(image)
        nearest = self._detect_near(pixels, box, 2)
        if nearest is not None and _is_at(nearest.box, box):
            return self._fit_detection(pixels, nearest)
        return self._fit(pixels, enlarge_box(box, MESH_MARGIN / HAND_BOX_SCALE), 0.0)

    def _check(self, pixels: Pixels, detection: Detection) -> Detection | None:
        """The same face as the detector sees it best, unless it no longer sees one there."""
        nearest = self._detect_near(pixels, detection.box, CHECK_SCALE)
        if nearest is None or nearest.score < MIN_CHECK_CONFIDENCE:
            return None
        return nearest if is_same_face(nearest.box, detection.box) else None

    def _detect_near(self, pixels: Pixels, box: Box, factor: float) -> Detection | None:
        """The detection that overlaps a box most, in a square so many times as large."""
        detections = self._detect(pixels, [square_box(enlarge_box(box, factor))])
        return max(detections, key=lambda d: box_iou(d.box, box), default=None)

    def _detect(self, pixels: Pixels, tiles: list[Box]) -> list[Detection]:
        """Faces in square parts of an image, the surest first."""
        detections = [detection for tile in tiles for detection in self._detect_in(pixels, tile)]
        return _merge(sorted(detections, key=lambda d: -d.score))

    def _detect_in(self, pixels: Pixels, tile: Box) -> Iterator[Detection]:
        """Every anchor of a tile that sees a face; several see the same one."""
        corner, side = np.array(tile[:2], np.float32), tile[2] - tile[0]
        part, _ = _rotate_and_crop(pixels, tile, 0.0, DETECTOR_PX, cv2.BORDER_CONSTANT)
        if int(part.max()) - int(part.min()) < MIN_CONTRAST:
            return
        network = self._networks.detector
        network.setInput(cv2.dnn.blobFromImage(part, 1 / 127.5, mean=(127.5,) * 3))
        logits, offsets = network.forward(["classificators", "regressors"])
        scores = 1 / (1 + np.exp(-logits.ravel().clip(-80, 80)))
        # All points but the size, which is the second, count from the anchor's centre.
        points = offsets.reshape(-1, 8, 2) / DETECTOR_PX
        points[:, 0] += self._anchors
        points[:, 2:] += self._anchors[:, None]
        for i in np.flatnonzero(scores > MIN_CONFIDENCE):
            points_px = points[i] * side
            points_px[0] += corner
            points_px[2:] += corner
            yield Detection(float(scores[i]), points_px)

    def _fit_detection(self, pixels: Pixels, detection: Detection) -> Face | None:
        """The detected face with its landmarks, unless the landmark network sees none."""
        box = enlarge_box(square_box(detection.box), MESH_MARGIN)
        face = self._fit(pixels, box, detection.tilt)
        return face and Face(face.box, detection.score, face.landmarks)

    def _fit(self, pixels: Pixels, box: Box, tilt: float) -> Face | None:
        """The landmarks in a square turned by a tilt in radians, unless no face is there."""
        part, to_image = _rotate_and_crop(
            pixels, square_box(box), tilt, MESH_PX, cv2.BORDER_REPLICATE
        )
        network = self._networks.mesh
        network.setInput(cv2.dnn.blobFromImage(part, 1 / 255))
        presence, points = network.forward(["Identity_1", "Identity"])
        score = float(1 / (1 + np.exp(-presence.item())))
        if score < MIN_CONFIDENCE:
            return None
        landmarks = points.reshape(topology.COUNT, 3).astype(np.float32)
        # The crop is turned within the image, so depth is scaled as x and y are and not turned.
        z = landmarks[:, 2:] * np.linalg.norm(to_image[:, 0])
        xy = landmarks[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        landmarks = np.concatenate([xy, z], axis=1).astype(np.float32)
        return Face(landmarks_box(landmarks), score, landmarks)


def _is_at(detection: Box, hand_box: Box) -> bool:
    """Whether a face is the one in a box given by hand, which may be much larger or smaller."""
    x, y = box_centre(detection)
    is_inside = hand_box[0] <= x <= hand_box[2] and hand_box[1] <= y <= hand_box[3]
    return is_inside or box_iou(detection, hand_box) > MIN_HAND_IOU


def _is_detected(face: Box, detection: Box) -> bool:
    """Whether a detection is of a known face; a much larger one may be what that face is in."""
    return is_same_face(face, detection) and 2 * box_area(face) > box_area(detection)


def landmarks_box(landmarks: Array) -> Box:
    """The box around landmarks (points, 2) or (points, 3)."""
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


def _make_anchors() -> Array:
    """The centres that the detector's points count from: (896, 2) in 0…1."""
    grids = []
    for cells, per_cell in ANCHOR_GRIDS:
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, per_cell, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _split_into_tiles(height: int, width: int) -> Iterator[list[Box]]:
    """The squares to search: first the whole image, then smaller and smaller parts."""
    yield [square_box(image_box(width, height))]
    for parts, min_px in SEARCHES[1:]:
        side = max(height, width) / parts
        if side < min_px:
            return
        rows, columns = _tile_starts(height, side), _tile_starts(width, side)
        yield [(x, y, x + side, y + side) for y in rows for x in columns]


def _tile_starts(length: int, side: float) -> list[float]:
    """Where tiles begin that overlap and cover a length; a tile that is longer is centred on it."""
    if side >= length:
        return [(length - side) / 2]
    steps = int(np.ceil((length - side) / (TILE_STEP * side)))
    return [i * (length - side) / steps for i in range(steps + 1)]


def _rotate_and_crop(
    pixels: Pixels, box: Box, angle: float, side_px: int, border: int
) -> tuple[Pixels, NDArray[np.float64]]:
    """A square box turned about its centre, and the matrix (2, 3) from the crop to the image.

    The matrix is a similarity: p ↦ s·R(angle)·p + t, with t such that the centre of the crop falls
    on that of the box. It points from the crop to the image because landmarks go that way, and
    because a warp asks of every pixel of the crop where to read it.
    """
    scale = (box[2] - box[0]) / side_px
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * rotation
    shift = np.array(box_centre(box)) - linear @ (side_px / 2, side_px / 2)
    to_image = np.column_stack([linear, shift])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(pixels, to_image, (side_px, side_px), flags=flags, borderMode=border)
    return np.asarray(part, np.uint8), to_image


def _merge(detections: list[Detection]) -> list[Detection]:
    """One detection per face: the mean of those that overlap its surest, weighted by score.

    The mean of the many anchors on a face is steadier from frame to frame than the surest alone,
    which plain suppression would keep. Detections come sorted by score.
    """
    faces = []
    while detections:
        overlaps = [box_iou(detections[0].box, d.box) > SAME_FACE_IOU for d in detections]
        group = list(compress(detections, overlaps))
        scores = np.array([d.score for d in group], np.float32)
        points = np.tensordot(scores / scores.sum(), np.stack([d.points for d in group]), 1)
        faces.append(Detection(group[0].score, points))
        detections = [
            d for d, overlaps_first in zip(detections, overlaps, strict=True) if not overlaps_first
        ]
    return faces
