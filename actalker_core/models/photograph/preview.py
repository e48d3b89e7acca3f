"""A photograph as large as a node shows it, for whoever moves its face by hand and looks on."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...control.motion.signal import MotionSignal
from ...faces import Box, Face
from ...faces.box import enlarge_box
from ...faces.face import to_pixels
from ...faces.landmarker import Landmarker
from ...faces.topology import LEFT_EYE, RIGHT_EYE
from ...geometry.landmarks import move_landmarks
from ...geometry.mesh import FaceMesh
from ...geometry.photograph import Photograph
from ...geometry.planes import PixelBox
from ...geometry.portrait import open_photograph
from ...geometry.pose import measure_rotation
from ...geometry.rotation_limit import limit_rotation

MAX_SIDE_PX = 512
MOVING_SCALE = 3.0
"""Times a face's box, all that moves with it: hair, ears and neck too."""
CLOSE_UP_SHARE = 0.5
"""Where that is less of the picture than this, it is shown alone."""


@dataclass(frozen=True)
class PreviewFrame:
    """A moved face.

    Attributes:
        image: (h, w, 3) in 0…255.
        face: box of the landmarks, as shares of the image's width and height.
        eyes: boxes of the person's left and right eye, alike.
        is_beyond: whether the head turns less than asked, as one picture shows no more.
    """

    image: NDArray[np.uint8]
    face: Box
    eyes: tuple[Box, Box]
    is_beyond: bool


@dataclass(frozen=True)
class Preview:
    """A scaled photograph and what of it is shown.

    Attributes:
        photograph: with its face.
        landmarks: (478, 3) of the face at rest, in its pixels.
        view: what is shown; its longer side has about `MAX_SIDE_PX` at most.
    """

    photograph: Photograph
    landmarks: NDArray[np.float64]
    view: PixelBox

    def draw(self, motion: MotionSignal, lips: str = "relative") -> PreviewFrame:
        """The first frame of a motion, as `plan_photograph` and `animate` show it.

        Args:
            lips: see `Photograph.render`.
        """
        rest = measure_rotation(self.photograph.pose.rotation)
        numbers = motion.frame(0)
        degrees, is_beyond = limit_rotation(numbers.rotation_degrees, rest)
        numbers = replace(numbers, rotation_degrees=degrees)
        frame = self.photograph.render(numbers, lips=lips)
        points = move_landmarks(self.photograph, self.landmarks, numbers, lips)[:, :2]
        image = frame.image[self.view.slices]
        shares = (points - (self.view.left, self.view.top)) / image.shape[1::-1]
        left, right = (_box_around(shares[list(eye)]) for eye in (LEFT_EYE, RIGHT_EYE))
        return PreviewFrame(image, _box_around(shares), (left, right), is_beyond)


def open_preview(image: Tensor, face: Face, landmarker: Landmarker, mesh: FaceMesh) -> Preview:
    """An image (3, H, W) in 0…1 and the face in it, ready to be moved and looked at.

    Raises:
        FaceError: see `open_photograph`.
    """
    height, width = int(image.shape[1]), int(image.shape[2])
    view = _choose_view(face, (height, width))
    scale = MAX_SIDE_PX / max(view.shape)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        pixels = cv2.resize(to_pixels(image), size, interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(pixels).movedim(-1, 0)
        face = _scale_face(face, np.array(size) / (width, height))
        view = _choose_view(face, (size[1], size[0]))
    photograph = open_photograph(image, face, landmarker, mesh)
    return Preview(photograph, np.asarray(face.landmarks, np.float64), view)


def _choose_view(face: Face, shape: tuple[int, int]) -> PixelBox:
    """The whole picture, or all that moves with the face where that is a small part."""
    picture_box = PixelBox(0, 0, shape[1], shape[0])
    corners = np.array(enlarge_box(face.box, MOVING_SCALE)).reshape(2, 2)
    view = PixelBox.around(corners, 0, shape) or picture_box
    return view if max(view.shape) < CLOSE_UP_SHARE * max(shape) else picture_box


def _scale_face(face: Face, ratios: NDArray[np.float64]) -> Face:
    """In an image of another size; ratios (2,) of widths and heights."""
    assert face.landmarks is not None  # else it were refused
    depth_ratio = ratios.mean()
    x0, y0, x1, y1 = (np.array(face.box) * np.tile(ratios, 2)).tolist()
    landmarks = face.landmarks * np.append(ratios, depth_ratio)
    return replace(face, box=(x0, y0, x1, y1), landmarks=landmarks.astype(np.float32))


def _box_around(points: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = np.concatenate([points.min(0), points.max(0)]).tolist()
    return x0, y0, x1, y1
