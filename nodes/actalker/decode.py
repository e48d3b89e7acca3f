"""Latents -> frames."""

from typing import Any

import comfy.sd
from comfy_api.latest import io

from ...actalker_core import limits
from ..common import checks, sockets
from ..common.defaults import to_option
from ..common.progress import show_stages
from .bridge.vae import DECODING, decode


class Decode(checks.Node):
    """VAE, LATENT -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Decode",
            "sampling",
            "Decodes the frames of a video, a fixed number at a time, so that the result does not "
            "depend on free memory.",
            [
                io.Vae.Input("vae", tooltip="Of Load Model."),
                io.Latent.Input("latent", tooltip="Of Sampler or SamplerCustomAdvanced."),
                sockets.own_input(
                    "frames_per_chunk",
                    limits.DECODE_FRAMES,
                    "Frames decoded together; fewer need less memory and may flicker.",
                ),
            ],
            [io.Image.Output("frames", tooltip="For Create Video or Paste Back.")],
            hidden=[io.Hidden.unique_id],
            aliases=["vae decode", "latent to video", "latent to image"],
            advanced=["frames_per_chunk"],
        )

    @classmethod
    def execute(
        cls, vae: comfy.sd.VAE, latent: dict[str, Any], frames_per_chunk: int
    ) -> io.NodeOutput:
        chunk = to_option(frames_per_chunk, limits.DECODE_FRAMES)
        with show_stages(cls, {DECODING: 1.0}):
            return io.NodeOutput(decode(vae, latent["samples"], chunk))
