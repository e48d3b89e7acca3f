"""Something to animate where nothing is at hand."""

import logging

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core.control.regions import box_mask
from ...actalker_core.errors import MediaError, check_choice
from ...actalker_core.media import load_image
from ...actalker_core.synthetic import demo
from ..common import checks, convert, sockets
from ..common.peaks import describe_sound

log = logging.getLogger(__name__)

MAX_PERSON = 9999
MOVEMENTS = {"head and face": (True, True), "head": (True, False), "face": (False, True)}


class DemoMedia(checks.Node):
    """A drawn portrait, speech, a driving clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Demo Media",
            "start",
            "A drawn portrait, synthetic speech and a driving clip, so that a graph runs without "
            "any file. Replace it by Load Image, Load Audio and Load Video.",
            [
                sockets.fraction_input("seconds", 2.0, 0.1, 60.0, "Of sound and clip.", 0.1),
                io.Combo.Input(
                    "movement",
                    options=list(MOVEMENTS),
                    tooltip="What moves in the clip: the head turns, the face moves, or both.",
                ),
                io.Int.Input(
                    "person",
                    default=0,
                    min=0,
                    max=MAX_PERSON,
                    tooltip="Another number draws somebody else, who says something else.",
                ),
            ],
            [
                io.Image.Output("portrait_image", tooltip="For Prepare Portrait or Talk."),
                io.Mask.Output("face_mask", tooltip="Where its face is, in white."),
                io.Audio.Output("speech", tooltip="For Encode Audio or Talk."),
                io.Image.Output("driving_frames", tooltip="For Encode Motion or Talk."),
                io.Float.Output("driving_fps", tooltip="Frames per second of the clip."),
                io.Image.Output(
                    "photograph", tooltip="A real one, of Grace Hopper, for Animate Photo."
                ),
            ],
            aliases=["example media", "sample portrait", "test speech", "placeholder"],
        )

    @classmethod
    def execute(cls, seconds: float, movement: str, person: int = 0) -> io.NodeOutput:
        """Draw and speak."""
        check_choice("movement", movement, MOVEMENTS)
        head, face = MOVEMENTS[movement]
        seed = demo.SEED + 2 * person
        portrait = demo.render_portrait(seed)
        speech = demo.make_speech(seconds, seed)
        return io.NodeOutput(
            convert.to_image(portrait[None]),
            convert.to_mask(box_mask(demo.locate_face(seed), *portrait.shape[1:])),
            convert.to_audio(speech),
            convert.to_image(demo.render_driving_frames(seconds, seed, head=head, face=face)),
            demo.FPS,
            _load_photograph(),
            ui=describe_sound(speech),
        )


def _load_photograph() -> Tensor | None:
    """IMAGE (1, h, w, 3) of a portrait in the public domain; None where nothing brings it."""
    try:
        return convert.to_image(load_image(demo.find_photograph())[None])
    except MediaError as error:  # the drawn portrait does without
        log.warning("%s", error)
        return None
