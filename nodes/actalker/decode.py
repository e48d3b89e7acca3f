"""Latents -> frames."""

import comfy.sd
from comfy_api.latest import io

from ..common import sockets
from .bridge.vae import decode


class Decode(io.ComfyNode):
    """VAE, LATENT -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Decode",
            "sampling",
            "Decodes the frames of a video, a fixed number at a time, so that the result does not "
            "depend on free memory.",
            [
                io.Vae.Input("vae", tooltip="Of Load Model."),
                io.Latent.Input("latent", tooltip="Of Sampler or SamplerCustomAdvanced."),
                io.Int.Input(
                    "frames_per_chunk",
                    default=10,
                    min=1,
                    max=1000,
                    tooltip="Frames decoded together. 10 as released; fewer need less memory and "
                    "may flicker.",
                ),
            ],
            [io.Image.Output("frames", tooltip="For Create Video or Paste Back.")],
            aliases=["vae decode", "latent to video", "latent to image"],
            advanced=["frames_per_chunk"],
        )

    @classmethod
    def execute(cls, vae: comfy.sd.VAE, latent: dict, frames_per_chunk: int) -> io.NodeOutput:
        """One call."""
        return io.NodeOutput(decode(vae, latent["samples"], frames_per_chunk))
