"""Frames that geometry has moved, finished by a network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.motion.signal import MotionSignal
from ...actalker_core.errors import InputError, check_choice, quote
from ...actalker_core.geometry.deform import LIPS
from ...actalker_core.geometry.numbers import FrameNumbers
from ...actalker_core.geometry.photograph import RenderedFrame
from ...actalker_core.geometry.portrait import check_mask
from ...actalker_core.models.tgdm.pipeline import PLACES, Refinement, refine_frames
from ...actalker_core.models.tgdm.sampling import Sampling
from ..common import checks, convert, sockets
from ..common.node_text import show_warnings
from ..common.progress import Bar, show_stages
from ..face.motion import check_motion, lips_input
from ..face.photograph import open_portrait
from ..face.portrait import landmark_face_inputs
from .bridge.network import check_network

NODE = "Refine With TGDM"
FINDING, REFINING = "Finding the face", "Refining"
STAGES = {FINDING: 2.0, REFINING: 100.0}
"""Stage -> its part of the time."""


def _check_place(values: checks.Values) -> None:
    """What is invented has to be known where nothing else may change."""
    if values.get("place") == "invented" and "invented_mask" not in values:
        raise InputError(
            f"{NODE}, place: expected invented_mask for {quote('invented')}, got none. Connect "
            "that of the node that moved the photograph, or choose all."
        )


class RefineWithTGDM(checks.Node):
    """Moved frames -> finished frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        usual = Sampling()
        return sockets.schema(
            NODE,
            "photograph",
            "Finishes frames of a photograph that geometry has moved: a network makes the inside "
            "of the mouth, lids, hair, and what a turned head uncovers.",
            [
                sockets.TGDM.Input("tgdm", tooltip="Load TGDM, or Train Personal for a person."),
                io.Image.Input("portrait_image", tooltip="The photograph that was moved."),
                io.Image.Input("frames", tooltip="Of Animate Photo or Motion To Frames."),
                sockets.Motion.Input(
                    "motion", tooltip="What they show: video_motion, or shown_motion."
                ),
                io.Int.Input(
                    "steps",
                    default=usual.steps,
                    **limits.REFINE_STEPS.widget,
                    tooltip="Of diffusion after the first answer, for fine detail; one pass each. "
                    "0 is that answer alone: near, steady, a little soft.",
                ),
                io.Float.Input(
                    "noise",
                    default=usual.noise,
                    **limits.REFINE_NOISE.widget,
                    step=0.01,
                    tooltip="How much the steps make anew. Without steps it does nothing.",
                ),
                checks.with_check(
                    io.Combo.Input(
                        "place",
                        options=list(PLACES),
                        tooltip="What may change: all, or pixels alone that the photograph does "
                        "not show.",
                    ),
                    check_all=_check_place,
                ),
                *(
                    io.Float.Input(
                        f"{name}_scale",
                        default=scale,
                        **limits.GUIDANCE.widget,
                        step=0.05,
                        tooltip=f"Above 1 pushes towards {aim}; another than 1 costs a pass more.",
                    )
                    for name, scale, aim in (
                        ("texture", usual.texture_scale, "the photograph's texture"),
                        ("geometry", usual.geometry_scale, "the geometry"),
                    )
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    **limits.SEED.widget,
                    control_after_generate=True,
                    tooltip="Of the one noise that serves all frames, so that they do not boil.",
                ),
                lips_input(),
                *landmark_face_inputs("Which face, as in the node that moved it."),
                io.Mask.Input(
                    "invented_mask",
                    optional=True,
                    tooltip="Of the node that moved it: pixels that the photograph does not show.",
                ),
                io.Mask.Input(
                    "region_mask",
                    optional=True,
                    tooltip="Where the photograph may change, in white.",
                ),
            ],
            [io.Image.Output("finished_frames", tooltip="Of the same size, for Create Video.")],
            aliases=[
                "enhance frames",
                "photo refiner",
                "face restore",
                "inpaint mouth",
                "talking head",
                "tgdm",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["texture_scale", "geometry_scale", "lips", "face_index"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        tgdm: Any,
        portrait_image: Tensor,
        frames: Tensor,
        motion: MotionSignal,
        steps: int,
        noise: float,
        place: str,
        texture_scale: float,
        geometry_scale: float,
        seed: int,
        lips: str,
        face: str,
        face_index: int,
        invented_mask: Tensor | None = None,
        region_mask: Tensor | None = None,
    ) -> io.NodeOutput:
        """Frames (f, h, w, c) of the first portrait (b, h, w, c), with masks (f, h, w)."""
        check_choice("place", place, PLACES)
        if invented_mask is None:
            _check_place({"place": place})
        check_choice("lips", lips, LIPS)
        network = check_network(tgdm, NODE)
        checked_motion = check_motion(motion, f"{NODE}, motion")
        sampling = Sampling(steps, noise, texture_scale, geometry_scale)
        region = convert.from_mask(region_mask)
        with show_stages(cls, STAGES) as bar:
            bar.report(FINDING, 0, 1)
            photograph, _ = open_portrait(portrait_image, face, face_index)
            height, width = photograph.image.shape[:2]
            count = len(checked_motion)
            _check_shape("frames", frames, (count, height, width))
            if invented_mask is not None:
                _check_shape("invented_mask", invented_mask, (count, height, width))
            refinement = Refinement(
                network.load(),
                photograph,
                sampling,
                limits.SEED.check(seed),
                place,
                lips,
                None if region is None else check_mask(region[0, 0], photograph),
            )

            blank = np.zeros((height, width), np.uint8)

            def read() -> Iterator[tuple[RenderedFrame, FrameNumbers]]:
                for i in range(count):
                    image = convert.to_bytes(convert.from_image(frames[i : i + 1])[0])
                    mask = None if invented_mask is None else invented_mask[i : i + 1]
                    shares = convert.from_mask(mask)
                    pixels = blank if shares is None else convert.to_bytes(shares[0])[..., 0]
                    yield RenderedFrame(image, pixels), checked_motion.frame(i)

            rows = ((image,) for image in refine_frames(refinement, read()))
            images = convert.collect_images(rows, count, Bar(count, REFINING).show)
        return io.NodeOutput(*images)


def _check_shape(name: str, images: Any, expected: tuple[int, int, int]) -> None:
    """Refuse images (f, h, w, …) that are not those which the motion made of the photograph.

    Raises:
        InputError: another count or size, or no images.
    """
    got = tuple(images.shape[:3]) if isinstance(images, Tensor) else ()
    if got != expected:
        frames, height, width = expected
        text = f"{got[0]} of {got[2]}x{got[1]}" if len(got) == 3 else type(images).__name__
        raise InputError(
            f"{NODE}, {name}: expected {frames} of {width}x{height} pixels, as many as the motion "
            f"has and as large as the photograph, got {text}. Connect frames, invented_mask and "
            "motion of one node, and the photograph that it moved."
        )
