"""Geometry of a face as images."""

from collections.abc import Iterator

import numpy as np
from comfy_api.latest import io
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core.control.motion.signal import MotionSignal
from ...actalker_core.errors import check_choice
from ...actalker_core.geometry.attributes import ATTRIBUTES, draw_attribute, draw_face_mask
from ...actalker_core.geometry.landmarks import move_landmarks, place_canonical
from ...actalker_core.geometry.numbers import FrameNumbers
from ...actalker_core.geometry.photograph import Photograph
from ...actalker_core.limits import SHORT_SIDE_PX
from ..common import checks, convert, files, sockets
from ..common.node_text import show_warnings
from ..common.progress import Bar
from ..face.motion import check_motion
from ..face.photograph import open_portrait
from ..face.portrait import check_landmark_face, landmark_face_inputs

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class GeometryImages(checks.Node):
    """Motion, on a portrait or on nobody -> images of the geometry."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Geometry Images",
            "geometry",
            "Draws what a face does without whose it is: images that ControlNets, img2img and "
            "other diffusion models take as a condition.",
            [
                io.Combo.Input(
                    "attribute",
                    options=list(ATTRIBUTES),
                    tooltip="shaded: a face of clay. normals: a normal map. uv, canonical: a point "
                    "of the face keeps its colour. semantic: a colour for each part. lines: the "
                    "drawing that ControlNetMediaPipeFace reads.",
                ),
                io.Int.Input(
                    "width",
                    default=512,
                    **SHORT_SIDE_PX.widget,
                    step=8,
                    tooltip="Of the images, without a portrait; with one they have its size.",
                ),
                io.Int.Input(
                    "height", default=512, **SHORT_SIDE_PX.widget, step=8, tooltip="As width."
                ),
                *landmark_face_inputs("Which face of the portrait."),
                sockets.max_frames_input("Draw at most so many frames. 0 draws all."),
                sockets.Motion.Input(
                    "motion", optional=True, tooltip="What the face does; without one it rests."
                ),
                io.Image.Input(
                    "portrait_image",
                    optional=True,
                    tooltip="Whose face; without one it is nobody's in particular.",
                ),
            ],
            [
                io.Image.Output("geometry_images", tooltip="One for each frame of the motion."),
                io.Mask.Output("face_mask", tooltip="Where the face is in each of them."),
            ],
            aliases=[
                "controlnet",
                "normal map",
                "face mesh",
                "face landmarks",
                "uv map",
                "segmentation",
                "mediapipe face",
                "3d face",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["face_index", "max_frames"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        attribute: str,
        width: int,
        height: int,
        face: str,
        face_index: int,
        max_frames: int,
        motion: MotionSignal | None = None,
        portrait_image: Tensor | None = None,
    ) -> io.NodeOutput:
        """On the first image of (b, h, w, c), or on the canonical face."""
        check_choice("attribute", attribute, ATTRIBUTES)
        check_landmark_face(face, face_index)
        mesh = files.open_face_mesh()
        landmarks: NDArray[np.floating]
        if portrait_image is None:
            shape = SHORT_SIDE_PX.check(height), SHORT_SIDE_PX.check(width)
            landmarks = place_canonical(mesh, shape)
            photograph = Photograph(np.zeros((*shape, 3), np.uint8), landmarks, mesh)
        else:
            photograph, landmarks = open_portrait(portrait_image, face, face_index)
            shape = photograph.image.shape[:2]
        numbers = list_numbers(motion, "Geometry Images", max_frames)

        def draw() -> Iterator[Pair]:
            for frame in numbers:
                points = move_landmarks(photograph, landmarks, frame)
                drawing = draw_attribute(attribute, points, mesh, shape)
                yield drawing, draw_face_mask(points, mesh, shape)

        return io.NodeOutput(*convert.collect_images(draw(), len(numbers), Bar(len(numbers)).show))


def list_numbers(motion: MotionSignal | None, node: str, max_frames: int) -> list[FrameNumbers]:
    """The numbers of each frame of a motion; without one, of a face at rest."""
    if motion is None:
        return [FrameNumbers.rest()]
    checked_motion = check_motion(motion, f"{node}, motion")
    count = min(len(checked_motion), max_frames or len(checked_motion))
    return [checked_motion.frame(i) for i in range(count)]
