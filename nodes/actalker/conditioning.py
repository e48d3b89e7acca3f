"""Everything that the model reads, as CONDITIONING and LATENT."""

from typing import Any

import comfy.sd
from comfy_api.latest import io
from torch import Tensor

from ...actalker_core.control.curves import Curve
from ...actalker_core.control.signals import DrivingSignal
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.limits import FPS
from ...actalker_core.models.actalker.conditioning import condition
from ...actalker_core.models.actalker.defaults import list_warnings
from ...actalker_core.models.actalker.plan import VideoPlan
from ..common import checks, convert, sockets
from ..common.defaults import to_option
from ..common.node_text import log_warnings, show_warnings
from .bridge.load import EncoderBox
from .bridge.model import CONDITIONING_KEY
from .layout import (
    ALLOW_PHOTOGRAPH,
    PLAN_KEY,
    length_inputs,
    make_signals,
    photograph_input,
    plan,
    refuse_photograph,
    regions_of_masks,
    signal_inputs,
)

KNOWN_FIRST = ("encoders", "portrait", ALLOW_PHOTOGRAPH)
"""Inputs that tell whether a photograph has to be refused. Others may come from an encoder: masks
that follow a driving clip, frames that are counted and sound that is cut by Encode Audio."""


class Conditioning(checks.Node):
    """Portrait, signals, masks and gates -> CONDITIONING and LATENT."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        schema = sockets.schema(
            "Conditioning",
            "control",
            "Brings portrait, signals, regions and gates together for a clip. The shortest signal "
            "ends it.",
            [
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                io.Vae.Input("vae", tooltip="Of Load Model."),
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
                sockets.Identity.Input("identity", tooltip="Of Encode Identity."),
                *length_inputs(),
                *signal_inputs("if it is driven", node="Conditioning"),
                io.Mask.Input(
                    "audio_mask",
                    optional=True,
                    tooltip="Where the audio acts: Region Masks or any MASK over image or "
                    "portrait; one, or one per frame. Without one: paper.",
                ),
                io.Mask.Input(
                    "expression_mask", optional=True, tooltip="The same for expression and pose."
                ),
                sockets.Gates.Input(
                    "gates", optional=True, tooltip="When each signal acts. Without: throughout."
                ),
                io.Audio.Input(
                    "audio", optional=True, tooltip="What is heard; comes out as long as the video."
                ),
                photograph_input(),
            ],
            [
                io.Conditioning.Output("conditioning", tooltip="For Guider or Sampler."),
                io.Latent.Output("latent", tooltip="The portrait in every frame, to start from."),
                io.Int.Output("frame_count", tooltip="Frames of the video."),
                io.Float.Output("video_fps", tooltip="For Create Video."),
                io.Audio.Output("trimmed_audio", tooltip="For Create Video; empty without audio."),
            ],
            hidden=[io.Hidden.unique_id],
            aliases=["talking head", "audio driven", "portrait animation", "image to video"],
            advanced=[ALLOW_PHOTOGRAPH],
        )
        for socket in schema.inputs:
            socket.lazy = socket.id not in KNOWN_FIRST or None
        return schema

    @classmethod
    def check_lazy_status(
        cls,
        encoders: EncoderBox,
        portrait: Portrait,
        allow_photograph: bool = False,
        **inputs: object,
    ) -> list[str]:
        """Refuse a photograph, then ask for all else: no encoder has run yet."""
        refuse_photograph(encoders.config, portrait, allow_photograph)
        return list(inputs)

    @classmethod
    @show_warnings
    def execute(
        cls,
        encoders: EncoderBox,
        vae: comfy.sd.VAE,
        portrait: Portrait,
        identity: Tensor,
        fps: float,
        max_frames: int,
        extend: str,
        audio_signal: DrivingSignal | None = None,
        expression_signal: DrivingSignal | None = None,
        pose_signal: DrivingSignal | None = None,
        audio_mask: Tensor | None = None,
        expression_mask: Tensor | None = None,
        gates: tuple[Curve, Curve] | None = None,
        audio: dict[str, Any] | None = None,
        allow_photograph: bool = False,
    ) -> io.NodeOutput:
        """Lay out over time, then project to tokens; identity (1, c), masks (f, h, w)."""
        side_px = min(portrait.height, portrait.width)
        log_warnings(list_warnings(encoders.config, short_side_px=side_px, fps=to_option(fps, FPS)))
        video = plan(
            portrait,
            make_signals(audio_signal, expression_signal, pose_signal),
            encoders.config.sampling,
            fps=fps,
            max_frames=max_frames,
            extend=extend,
            gates=gates,
            regions=regions_of_masks(audio_mask, expression_mask),
            sound=None if audio is None else convert.from_audio(audio, "Conditioning"),
        )
        conditioning, latent = make_conditioning(encoders, vae, identity, video)
        sound = None if video.sound is None else convert.to_audio(video.sound)
        return io.NodeOutput(conditioning, latent, video.frames, video.fps, sound)


def make_conditioning(
    encoders: EncoderBox, vae: comfy.sd.VAE, identity: Tensor, video: VideoPlan
) -> tuple[list[Any], dict[str, Any]]:
    """CONDITIONING and LATENT (frames, 4, h, w) of a plan and an identity (1, c), on the CPU."""
    latent = vae.encode(convert.to_image(video.portrait.image[None])).float().cpu()
    conditioning = condition(encoders.load(), video, latent, identity).to(latent.device)
    samples = latent.repeat(video.frames, 1, 1, 1)
    return [[conditioning.identity, {CONDITIONING_KEY: conditioning, PLAN_KEY: video}]], {
        "samples": samples
    }
