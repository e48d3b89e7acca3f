"""A photograph that moves: what is worked out once, and one frame from its numbers."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..faces.blendshapes import NAMES
from .deform import Deformation
from .drawn_eyes import RIM_PX, fit_drawn_eyes
from .extension import extend_face
from .eyes import complete_eyes, draw_eye
from .folds import draw_folds, shade_folds
from .mesh import VERTEX_COUNT, FaceMesh
from .mouth import MouthPixels, draw_mouth, measure_mouth
from .numbers import FrameNumbers
from .planes import PixelBox
from .pose import HeadPose, check_landmarks, fit_pose, move_pose, to_head_space, to_image
from .raster import sample_image
from .rig import Rig, lid_openings, limit_gaze
from .warp import Warp, WarpMaps

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class RenderedFrame:
    """One frame.

    Attributes:
        image: (H, W, 3) of the photograph's size.
        invented_mask: (H, W) 255 where no pixel of the photograph stands for what is shown: inside
            the mouth, behind lids, on lids that close, and where the background is uncovered.
    """

    image: Pixels
    invented_mask: Pixels


class Photograph:
    """A face in a photograph, ready to be moved.

    Rendering changes nothing in it, so that several frames may be rendered at once in threads.

    Args:
        image: (H, W, 3) in 0…255.
        landmarks: (478, 3) of the face in it, in pixels.
        mesh: the canonical face.
        rig: what moves it; None makes one, which several photographs may share.
        blendshapes: (52,) of the face in it, so that a face that smiles does not smile twice.
        own_teeth: whether a mouth that opens shows the photograph's teeth, where it shows some.

    Attributes:
        landmarks: (478, 3) of the face at rest, in pixels.
        blendshapes: (52,) of the face at rest.
        pose: of the head at rest.
        vertices: (468, 3) of the face at rest, in centimetres of the head.
        face_width: of the landmarks' box, in pixels.
        box: of the image that rendering can change.

    Raises:
        InputError: an image or landmarks of another shape.
    """

    def __init__(
        self,
        image: Pixels,
        landmarks: NDArray[np.floating],
        mesh: FaceMesh,
        rig: Rig | None = None,
        blendshapes: NDArray[np.floating] | None = None,
        *,
        own_teeth: bool = True,
    ) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"Photograph: expected an image (H, W, 3) of bytes, got {image.dtype} of the shape "
                f"{image.shape}. Convert it to RGB."
            )
        points = check_landmarks(landmarks)
        self.image = np.ascontiguousarray(image)
        self.landmarks: Floats = points
        self.blendshapes: Floats = np.zeros(len(NAMES)) if blendshapes is None else blendshapes
        self.pose: HeadPose = fit_pose(points, mesh)
        outline_points = fit_drawn_eyes(self.image, points)
        rim = 0.0 if outline_points is points else RIM_PX / float(self.pose.scale)
        head = to_head_space(outline_points, self.pose)
        self.vertices: Floats = head[:VERTEX_COUNT]
        self.face_width = float(np.ptp(points[:, 0]))
        size = image.shape[:2]
        self._extension = extend_face(self.vertices, self.pose, size)
        shift = np.zeros((VERTEX_COUNT, 3))
        rest = self._extension.place(to_image(self.vertices, self.pose), shift, self.pose)
        box = PixelBox.around(rest[:, :2], 1, size)
        if box is None:
            raise InputError("Photograph: expected a face in the image, got landmarks outside it.")
        self.box: PixelBox = box
        self._warp = Warp(
            rest[:, :2], self._extension.triangles, mesh.triangles, self.face_width, size
        )
        rig = Rig(mesh) if rig is None else rig
        self._deformation = Deformation(self.vertices, mesh, rig, blendshapes)
        self._folds = shade_folds(self.vertices, self.pose, size)
        self._eyes = complete_eyes(self.image, head, self.pose, rim)
        mouth = measure_mouth(self.image, self.vertices, self.pose)
        self._mouth = mouth if own_teeth else replace(mouth, own_share=0.0)

    def render(
        self, numbers: FrameNumbers, *, lips: str = "relative", mouth: MouthPixels | None = None
    ) -> RenderedFrame:
        """One frame, (H, W, 3), and what of it is invented, (H, W).

        Args:
            numbers: changes from the photograph.
            lips: whether lips move on from where the photograph has them, or from shut ones.
            mouth: a driver's frame whose inside of the mouth is shown.
        """
        vertices = self.move(numbers, lips)
        pose = move_pose(
            self.pose,
            numbers.rotation_degrees,
            numbers.translation,
            numbers.scale,
            self.face_width,
        )
        face = to_image(vertices, pose)
        shift = pose.scale * (vertices - self.vertices) @ pose.rotation.T
        points = self._extension.place(face, shift, pose)
        frame = self.image.copy()
        invented_mask = np.zeros(frame.shape[:2], np.uint8)
        warp = self._warp.move(points)
        if warp is not None:
            region = frame[warp.box.slices]
            region[:] = sample_image(self.image, warp.maps)
            self._warp.soften(region, warp, face[:, :2])
            invented_mask[warp.box.slices] = warp.smears
            shapes = self._deformation.saturate(numbers.blendshapes)
            draw_folds(frame, self._folds, shapes, face[:, :2], float(pose.scale), warp)
        self._draw_eyes(frame, invented_mask, vertices, pose, numbers, warp)
        draw_mouth(
            frame,
            invented_mask,
            self.image,
            self._mouth,
            vertices,
            self.vertices,
            pose,
            self.pose,
            mouth,
        )
        return RenderedFrame(frame, invented_mask)

    def move(self, numbers: FrameNumbers, lips: str = "relative") -> Floats:
        """(468, 3) the vertices of the face, in centimetres of the head; see `Deformation`."""
        return self._deformation.move(numbers, lips)

    def _draw_eyes(
        self,
        frame: Pixels,
        invented_mask: Pixels,
        vertices: Floats,
        pose: HeadPose,
        numbers: FrameNumbers,
        warp: WarpMaps | None,
    ) -> None:
        openings = lid_openings(numbers.blendshapes, numbers.gaze).tolist()
        gazes = limit_gaze(numbers.gaze).reshape(2, 2).tolist()
        for eye, opening, gaze in zip(self._eyes, openings, gazes, strict=True):
            closure = float(np.clip(1 - opening, 0, 1))
            lids = vertices[list(eye.outline)]
            draw_eye(frame, invented_mask, eye, lids, pose, gaze, closure, opening - 1, warp)
