"""The whole trip in one box, for a first day."""

from typing import Any

import comfy.sd
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.regions import DEFAULT_STYLE, STYLES
from ...actalker_core.faces.portrait import prepare_portrait
from ...actalker_core.models.actalker.defaults import default_guidance, list_warnings
from ...actalker_core.models.actalker.encode import encode_signals
from ...actalker_core.models.actalker.plan import EXTENSIONS, RegionChoice
from ..common import convert, sockets
from ..common.defaults import to_option
from ..common.node_text import warn
from ..common.progress import Bar
from ..face.portrait import WHOLE_IMAGE, face_inputs, find_portrait_face
from .bridge.guider import NestedGuider, Schedule, sample
from .bridge.load import EncoderBox
from .bridge.model import check_model
from .bridge.vae import decode
from .conditioning import make_conditioning
from .encode import encode_identity, track_face
from .layout import END, plan


class Talk(io.ComfyNode):
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
                    "picture takes both as they are, for drawn faces that nothing finds."
                ),
                sockets.driving_fps_input(),
                io.Audio.Input("audio", optional=True, tooltip="Speech, for the lips."),
                sockets.frames_input(
                    "driving_frames",
                    "A clip for expression and head: IMAGE of any loader, or VIDEO.",
                    optional=True,
                ),
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
            advanced=["fps", "extend", "face_index"],
            essentials=sockets.VIDEO_GENERATION,
        )

    @classmethod
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
    ) -> io.NodeOutput:
        """What the single nodes do, one after another, to the first image of (b, h, w, c)."""
        config = check_model(model).config
        typed_side_px = to_option(short_side_px, limits.SHORT_SIDE_PX)
        typed_fps = to_option(fps, limits.FPS)
        warnings = list_warnings(config, short_side_px=typed_side_px, fps=typed_fps)
        warning = warn(cls, warnings)
        fps = typed_fps or config.sampling.fps
        image = convert.first_image(portrait_image)
        portrait = prepare_portrait(
            image,
            find_portrait_face(image, face, face_index),
            typed_side_px or config.sampling.short_side_px,
        )
        sound = None if audio is None else convert.from_audio(audio, "Talk")
        frames, track = None, None
        if driving_frames is not None:
            clip = convert.read_frames(driving_frames, frames_per_second, fps, max_frames or None)
            frames = clip.images
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
        identity = encode_identity(encoders, portrait)
        conditioning, latent = make_conditioning(encoders, vae, identity, video)
        guider = NestedGuider(model, conditioning, default_guidance(config))
        schedule = Schedule(to_option(steps, limits.STEPS) or config.sampling.steps)
        latents = sample(guider, latent, seed, schedule)
        images = decode(vae, latents["samples"])
        sound_out = None if video.sound is None else convert.to_audio(video.sound)
        return io.NodeOutput(images, sound_out, fps, ui=warning)
