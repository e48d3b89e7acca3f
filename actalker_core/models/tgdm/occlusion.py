"""What lies before a face: where a frame disagrees with the same face, moved from other frames."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...faces.blendshapes import NAMES
from ...faces.topology import OVAL
from ...geometry.mesh import FaceMesh
from ...geometry.photograph import Photograph
from ...geometry.pose import fit_pose, measure_rotation
from ...geometry.raster import fill_outlines
from ...geometry.retarget import FaceMotion, measure_motion
from ...geometry.rig import Rig
from ...geometry.rings import EYES, INNER_LIPS
from .view import View

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]
Mask = NDArray[np.float32]

SIDE_PX = 128
"""Of the square in which frames are compared."""
REFERENCES = 3
"""Frames that a face is moved from; two of them must disagree, as one may be covered itself."""
FULL_TURN_DEGREES = 30.0
"""So far a head turns in a reference that counts as bad as shut eyes."""
SMOOTH_PX = 2.0
"""Standard deviation over which disagreement is averaged, in pixels of the square."""
AROUND_PX = 6.0
"""The same inside eyes and mouth, which are judged by what is around them."""
LIGHT_WEIGHT = 0.5
"""Of lightness against colour: shading changes as a head turns."""
LOW, HIGH = 12.0, 20.0
"""Disagreement in Lab from which a frame begins to be kept, and is kept wholly."""
GROWTH_PX = 3
"""How far what is kept reaches beyond what disagrees, in pixels of the square."""
OPENINGS_GROWTH_PX = 7
"""How far eyes and mouth reach, where a moved face is drawn badly."""


class OcclusionFinder:
    """Finds what covers a face in some frames of a clip; what always covers it is not known.

    Args:
        landmarks: (f, 478, 3) of the face. blendshapes: (f, 52) of it.
        mesh: the canonical face.
        rig: that moves it.
        shape: height and width of the frames.
    """

    def __init__(
        self,
        landmarks: Floats,
        blendshapes: Floats,
        mesh: FaceMesh,
        rig: Rig,
        shape: tuple[int, int],
    ) -> None:
        self._shape, self._mesh, self._rig = shape, mesh, rig
        self._blendshapes = blendshapes
        self._views = View.follow(landmarks, SIDE_PX, shape)
        self._points = np.stack(
            [view.place(points) for view, points in zip(self._views, landmarks, strict=True)]
        )
        self._choices = choose_references(landmarks, blendshapes, mesh)
        self._references: list[tuple[Photograph, FaceMotion]] = []

    def read(self, frames: Iterable[Image]) -> None:
        """Take the references out of the frames (H, W, 3)."""
        for number, frame in enumerate(frames):
            if number in self._choices:
                photograph = Photograph(
                    self._views[number].cut(frame),
                    self._points[number],
                    self._mesh,
                    self._rig,
                    self._blendshapes[number],
                )
                motion = measure_motion(
                    self._points, self._blendshapes, self._mesh, self._rig, number
                )
                self._references.append((photograph, motion))
            if number >= max(self._choices):
                return

    def find(self, frame: Image, number: int) -> Mask:
        """(H, W) in 0…1: 1 where something lies before the face of frame (H, W, 3)."""
        view, points = self._views[number], self._points[number]
        square = view.cut(frame)
        face = fill_outlines([OVAL], points, square.shape[:2]) > 0
        openings = fill_outlines([*EYES, INNER_LIPS], points, square.shape[:2])
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (OPENINGS_GROWTH_PX,) * 2)
        is_known = face & (cv2.dilate(openings, ellipse) == 0)
        disagreements = []
        for photograph, motion in self._references:
            image = photograph.render(motion.frame(number)).image
            disagreements.append(measure_disagreement(square, image, is_known))
        disagreement = np.median(disagreements, 0).astype(np.float32)
        occluder = np.clip((disagreement - LOW) / (HIGH - LOW), 0, 1).astype(np.float32) * face
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROWTH_PX + 1,) * 2)
        occluder = cv2.GaussianBlur(cv2.dilate(occluder, disc), (0, 0), 1.0)
        result = np.zeros(self._shape, np.float32)
        side = view.box.shape
        result[view.box.slices] = cv2.resize(occluder, side[::-1], interpolation=cv2.INTER_LINEAR)
        return result


def measure_disagreement(image: Image, reference: Image, is_known: NDArray[np.bool_]) -> Mask:
    """(h, w) how two images (h, w, 3) differ in Lab, apart from their light as a whole.

    Args:
        is_known: (h, w) where they can be compared; elsewhere it is that of the neighbours.
    """
    if not is_known.any():
        return np.zeros(is_known.shape, np.float32)
    first, second = (
        cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for picture in (image, reference)
    )
    change = first - second
    change = change - np.median(change[is_known], 0)
    weight = is_known.astype(np.float32)
    smooth, reach = (
        [cv2.GaussianBlur(layer, (0, 0), sigma) for sigma in (SMOOTH_PX, AROUND_PX)]
        for layer in (change * weight[..., None], weight)
    )
    near, around = (a / np.maximum(b, 1e-3)[..., None] for a, b in zip(smooth, reach, strict=True))
    mean = np.where(is_known[..., None], near, around) * [LIGHT_WEIGHT, 1, 1]
    return np.asarray(np.linalg.norm(mean, axis=-1), np.float32)


def choose_references(landmarks: Floats, blendshapes: Floats, mesh: FaceMesh) -> set[int]:
    """Frames of landmarks (f, 478, 3) and blendshapes (f, 52) that a face is moved from.

    In each part of the clip the one that looks ahead most, with open eyes and a shut mouth.
    """
    turns = measure_rotation(fit_pose(landmarks, mesh).rotation)
    effort = np.abs(turns[:, :2]).sum(1) / FULL_TURN_DEGREES
    for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight"):
        effort = effort + blendshapes[:, NAMES.index(name)]
    parts = np.array_split(np.arange(len(landmarks)), REFERENCES)
    return {int(part[np.argmin(effort[part])]) for part in parts if len(part)}
