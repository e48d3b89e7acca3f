"""The whole trip in one box, for a first day."""

from typing import Any

import comfy.sd
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.regions import DEFAULT_STYLE, STYLES
from ...actalker_core.faces.face import advise
from ...actalker_core.faces.portrait import prepare_portrait
from ...actalker_core.models.actalker.defaults import default_guidance, list_warnings
from ...actalker_core.models.actalker.encode import encode_signals
from ...actalker_core.models.actalker.plan import EXTENSIONS, RegionChoice
from ..common import checks, convert, sockets
from ..common.defaults import to_option
from ..common.node_text import log_warnings, show_warnings
from ..common.progress import Bar, show_stages
from ..face.portrait import WHOLE_ADVICE, WHOLE_IMAGE, face_inputs, find_portrait_face
from .bridge.guider import SAMPLING, NestedGuider, Schedule, sample
from .bridge.load import EncoderBox
from .bridge.model import check_model
from .bridge.vae import DECODING, decode
from .conditioning import make_conditioning
from .encode import FOLLOWING, encode_identity, track_face
from .layout import ALLOW_PHOTOGRAPH, END, photograph_input, plan, refuse_photograph

FINDING, ENCODING_PORTRAIT = "Finding the face", "Encoding the portrait"
STAGES = {
    FINDING: 2.0,
    FOLLOWING: 12.0,
    "Encoding audio": 2.0,
    "Encoding expression": 4.0,
    "Encoding head pose": 4.0,
    ENCODING_PORTRAIT: 2.0,
    SAMPLING: 100.0,
    DECODING: 30.0,
}
"""Stage -> its part of the time; those without their input are left out."""
OF_CLIP = ("Encoding expression", "Encoding head pose")


class Talk(checks.Node):
    """Model, portrait, speech and driving clip -> frames, sound, fps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Talk",
            "start",
            "Portrait, speech and a driving clip in, video out: the whole trip in one box. Speech "
            "or clip may be left out.",
            [
                io.Model.Input("model", tooltip="Of Load Model or Windows."),
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                io.Vae.Input("vae", tooltip="Of Load Model."),
                io.Image.Input("portrait_image", tooltip="The image to animate."),
                *sockets.noise_inputs(),
                sockets.short_side_input("Shorter side of the video, in steps of 64."),
                io.Int.Input(
                    "max_frames",
                    default=0,
                    min=0,
                    max=limits.FRAMES.maximum,
                    tooltip="At most so many frames. 0 is as long as speech and clip last.",
                ),
                sockets.fps_input("fps", "Of the video."),
                io.Combo.Input(
                    "regions",
                    options=list(STYLES),
                    default=DEFAULT_STYLE,
                    tooltip="Who owns what if both drive: paper gives the mouth to the speech and "
                    "the rest of the face to the clip. See Region Masks.",
                ),
                io.Combo.Input(
                    "extend",
                    options=[END, *EXTENSIONS],
                    tooltip="What a clip does that is shorter than the speech: end the video, "
                    "hold, loop, or go forth and back.",
                ),
                *face_inputs(
                    "Which face of the portrait; in the clip the largest is followed. whole "
                    "picture takes both as they are, for faces that are not found."
                ),
                sockets.driving_fps_input(),
                checks.with_check(
                    io.Audio.Input("audio", optional=True, tooltip="Speech, for the lips."),
                    check_all=checks.require_one(
                        "Talk", ("audio", "driving_frames"), "Connect speech, a clip, or both."
                    ),
                ),
                sockets.frames_input(
                    "driving_frames",
                    "A clip for expression and head: IMAGE of any loader, or VIDEO.",
                    optional=True,
                ),
                photograph_input(),
            ],
            [
                io.Image.Output("frames", tooltip="For Create Video."),
                io.Audio.Output("trimmed_audio", tooltip="As long as the frames."),
                io.Float.Output("video_fps", tooltip="For Create Video."),
            ],
            aliases=[
                "lip sync",
                "talking head",
                "talking avatar",
                "audio driven",
                "speech to video",
                "portrait animation",
                "animate portrait",
                "face reenactment",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["fps", "extend", "face_index", ALLOW_PHOTOGRAPH],
            essentials=sockets.VIDEO_GENERATION,
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        model: ModelPatcher,
        encoders: EncoderBox,
        vae: comfy.sd.VAE,
        portrait_image: Tensor,
        seed: int,
        steps: int,
        short_side_px: int,
        max_frames: int,
        fps: float,
        regions: str,
        extend: str,
        face: str,
        face_index: int,
        frames_per_second: float,
        audio: dict[str, Any] | None = None,
        driving_frames: object = None,
        allow_photograph: bool = False,
    ) -> io.NodeOutput:
        """What the single nodes do, one after another, to the first image of (b, h, w, c)."""
        config = check_model(model).config
        typed_side_px = to_option(short_side_px, limits.SHORT_SIDE_PX)
        typed_fps = to_option(fps, limits.FPS)
        log_warnings(list_warnings(config, short_side_px=typed_side_px, fps=typed_fps))
        fps = typed_fps or config.sampling.fps
        missing = set() if audio is not None else {"Encoding audio"}
        if driving_frames is None:
            missing |= {FOLLOWING, *OF_CLIP}
        stages = {name: part for name, part in STAGES.items() if name not in missing}
        with show_stages(cls, stages) as bar:
            bar.report(FINDING, 0, 1)
            image = convert.first_image(portrait_image)
            portrait = prepare_portrait(
                image,
                find_portrait_face(image, face, face_index),
                typed_side_px or config.sampling.short_side_px,
            )
            refuse_photograph(config, portrait, allow_photograph)
            sound = None if audio is None else convert.from_audio(audio, "Talk")
            frames, track = None, None
            if driving_frames is not None:
                clip = convert.read_frames(
                    driving_frames, frames_per_second, fps, max_frames or None
                )
                frames = clip.images
                with advise(WHOLE_ADVICE):
                    track = None if face == WHOLE_IMAGE else track_face(clip, "largest", 0)
            signals = encode_signals(
                encoders.load(),
                audio=sound,
                driving=frames,
                driving_face=track,
                fps=fps,
                report=Bar().report,
            )
            video = plan(
                portrait,
                signals,
                config.sampling,
                fps=fps,
                max_frames=max_frames,
                extend=extend,
                regions=RegionChoice(regions),
                sound=sound,
            )
            bar.report(ENCODING_PORTRAIT, 0, 1)
            identity = encode_identity(encoders, portrait)
            conditioning, latent = make_conditioning(encoders, vae, identity, video)
            guider = NestedGuider(model, conditioning, default_guidance(config))
            schedule = Schedule(to_option(steps, limits.STEPS) or config.sampling.steps)
            latents = sample(guider, latent, seed, schedule)
            images = decode(vae, latents["samples"])
        sound_out = None if video.sound is None else convert.to_audio(video.sound)
        return io.NodeOutput(images, sound_out, fps)
