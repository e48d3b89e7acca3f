"""A face of a picture on a face of a clip."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from comfy_api.latest import io
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core import faces, limits
from ...actalker_core.errors import check_choice
from ...actalker_core.faces.face import ORDERS
from ...actalker_core.models.tgdm.pipeline import PLACES
from ...actalker_core.models.tgdm.sampling import Sampling
from ...actalker_core.models.tgdm.swap import Swap, SwapTarget, choose_frames, swap_frames
from ..common import checks, convert, files, sockets
from ..common.node_text import show_warnings
from ..common.progress import Bar, show_stages
from ..face.portrait import check_landmark_face, find_landmarks, landmark_face_inputs
from .bridge.network import check_network

FOLLOWING, SWAPPING = "Following the face", "Swapping"
STAGES = {FOLLOWING: 50.0, SWAPPING: 100.0}
"""Stage -> its part of the time."""

Image = NDArray[np.uint8]


class FaceSwap(checks.Node):
    """A source's face, a target's frames -> frames, mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Face Swap",
            "photograph",
            "Puts the face of a picture on a face of a clip, finished by a network; all else stays "
            "bit for bit. Only with the consent of both people.",
            [
                sockets.TGDM.Input("tgdm", tooltip="Load TGDM, or Train Personal for the source."),
                io.Image.Input("source_image", tooltip="Whose face; the first of a batch."),
                sockets.frames_input(
                    "target_frames", "Who gets it: IMAGE, also of several frames, or VIDEO."
                ),
                sockets.driving_fps_input(),
                io.Combo.Input(
                    "source_face",
                    options=list(ORDERS),
                    default=ORDERS[0],
                    tooltip="Which face of the source, if there are several.",
                ),
                *landmark_face_inputs("Which face of the target, in its first frame."),
                io.Int.Input(
                    "steps",
                    default=Sampling().steps,
                    **limits.REFINE_STEPS.widget,
                    tooltip="Of diffusion after the first answer, for fine detail; one pass each.",
                ),
                io.Combo.Input(
                    "place",
                    options=list(PLACES),
                    tooltip="What the network may change: all of the face, or what the source does "
                    "not show of it alone.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    **limits.SEED.widget,
                    control_after_generate=True,
                    tooltip="Of the one noise that serves all frames.",
                ),
                sockets.max_frames_input("At most so many frames of the target. 0 is all."),
            ],
            [
                io.Image.Output(
                    "swap_frames", tooltip="The target with the source's face. Say that it is one."
                ),
                io.Mask.Output("changed_mask", tooltip="Every pixel that is not the target's."),
            ],
            aliases=["faceswap", "reface", "deepfake", "identity transfer", "head swap"],
            hidden=[io.Hidden.unique_id],
            advanced=["face_index", "max_frames"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        tgdm: Any,
        source_image: Tensor,
        target_frames: object,
        frames_per_second: float,
        source_face: str,
        face: str,
        face_index: int,
        steps: int,
        place: str,
        seed: int,
        max_frames: int,
    ) -> io.NodeOutput:
        """The first of (b, h, w, c), on the face that is followed through the target."""
        check_choice("place", place, PLACES)
        check_choice("source_face", source_face, ORDERS)
        choice = check_landmark_face(face, face_index)
        sampling = Sampling(steps)
        network = check_network(tgdm, "Face Swap")
        source = convert.first_image(source_image)
        source_landmarks = find_landmarks(source, source_face, 0, "source image")
        clip = convert.stream_frames(
            target_frames, frames_per_second, max_frames=max_frames or None
        )
        landmarker = files.open_landmarker()
        with show_stages(cls, STAGES):
            count = Bar(clip.count, FOLLOWING).count
            track = faces.track_face(landmarker, clip, choice, on_frame=count, fps=clip.fps)
            landmarks = track.landmarks
            assert landmarks is not None  # the landmarker finds no face without them
            target = SwapTarget(landmarks, landmarker.blendshapes(landmarks), choose_frames(track))
            swap = Swap(
                network.load(),
                files.open_face_mesh(),
                convert.to_bytes(source),
                source_landmarks,
                sampling,
                limits.SEED.check(seed),
                place,
            )
            frames = TargetPixels(clip)

            def read() -> Iterator[tuple[Image, Image]]:
                pairs = zip(frames, swap_frames(swap, target, frames), strict=False)
                for before, after in pairs:
                    yield after, (before != after).any(-1).astype(np.uint8) * 255

            bar = Bar(len(track), SWAPPING)
            outputs = convert.collect_images(read(), len(track), bar.show)
        return io.NodeOutput(*outputs)


class TargetPixels:
    """The frames (H, W, 3) of a clip in 0…255; each reading begins anew."""

    def __init__(self, clip: convert.FrameStream) -> None:
        self._clip = clip

    def __iter__(self) -> Iterator[Image]:
        return map(convert.to_bytes, self._clip)
