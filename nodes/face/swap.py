"""The start of a face swap."""

from collections.abc import Iterator

import numpy as np
from comfy_api.latest import io
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core import faces
from ...actalker_core.geometry.swap import start_swap
from ..common import checks, convert, files, sockets
from ..common.node_text import show_warnings
from ..common.progress import Bar
from .portrait import check_landmark_face, find_landmarks, landmark_face_inputs


class SwapStart(checks.Node):
    """A source's skin on a target's geometry -> image and mask for inpainting."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Swap Start",
            "geometry",
            "Puts the skin of one face on the geometry and into the light of another, as the start "
            "of an inpainting. Only with the consent of both people.",
            [
                io.Image.Input("source_image", tooltip="Whose skin; the first of a batch."),
                sockets.frames_input(
                    "target_frames", "Whose geometry and light: IMAGE, also of several, or VIDEO."
                ),
                sockets.driving_fps_input(),
                *landmark_face_inputs("Which face of the target; of the source it is the largest."),
                sockets.max_frames_input("At most so many frames of the target. 0 is all."),
            ],
            [
                io.Image.Output("swap_images", tooltip="Where an inpainting starts from."),
                io.Mask.Output("inpaint_mask", tooltip="What to paint anew: the face and its rim."),
                io.Mask.Output(
                    "invented_mask",
                    tooltip="The part of it that the source does not show: rim, eyes, mouth.",
                ),
            ],
            aliases=["face swap", "faceswap", "reface", "inpaint face", "identity transfer"],
            hidden=[io.Hidden.unique_id],
            advanced=["face_index"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        source_image: Tensor,
        target_frames: object,
        frames_per_second: float,
        face: str,
        face_index: int,
        max_frames: int,
    ) -> io.NodeOutput:
        """The first of (b, h, w, c), on the face that is followed through the target."""
        choice = check_landmark_face(face, face_index)
        mesh = files.open_face_mesh()
        source = convert.first_image(source_image)
        source_landmarks = find_landmarks(source, "largest", 0, "source image")
        target = convert.stream_frames(
            target_frames, frames_per_second, max_frames=max_frames or None
        )
        bar = Bar(2 * target.count)
        track = faces.track_face(
            files.open_landmarker(), target, choice, on_frame=bar.count, fps=target.fps
        )
        landmarks = track.landmarks
        assert landmarks is not None  # the landmarker finds no face without them
        source_pixels = convert.to_bytes(source)

        def swap() -> Iterator[tuple[NDArray[np.uint8], ...]]:
            for image, points in zip(target, landmarks, strict=True):
                start = start_swap(
                    source_pixels,
                    source_landmarks,
                    convert.to_bytes(image),
                    points,
                    mesh,
                )
                yield start.image, start.inpaint_mask, start.invented_mask

        return io.NodeOutput(
            *convert.collect_images(
                swap(), len(track), lambda image, done: bar.show(image, len(track) + done)
            )
        )
