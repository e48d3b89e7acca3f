"""SVD's temporal autoencoder as a real VAE, the same network and steps as on the command line."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import comfy.ldm.models.autoencoder
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch
from torch import Tensor, nn

from ....actalker_core.errors import InputError
from ....actalker_core.limits import DECODE_FRAMES
from ....actalker_core.models.actalker.autoencoder import TemporalAutoencoder
from ....actalker_core.models.actalker.config import ModelConfig, SamplingConfig, VAEConfig
from ....actalker_core.ops.finite import check_decoded, check_latents
from ...common.progress import Bar

DECODING = "Decoding"
"""The stage's name."""

SMALLEST = {
    "embed_dim": 4,
    "ddconfig": {
        "double_z": True,
        "z_channels": 4,
        "resolution": 64,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    },
}
"""An autoencoder that ComfyUI builds itself, whose place is taken at once."""
ENCODE_BYTES_PER_PIXEL, DECODE_BYTES_PER_PIXEL = 1800, 2200
"""Activations in one byte per number, per pixel of the image, for the released width."""
MemoryUse = Callable[[Sequence[int], torch.dtype], float]
"""(shape, type) of what is encoded or decoded -> bytes."""


class TemporalNetwork(nn.Module):
    """The autoencoder with the two calls that ComfyUI makes."""

    def __init__(self, network: TemporalAutoencoder) -> None:
        super().__init__()
        self.network = network

    def encode(self, pixels: Tensor) -> Tensor:
        """(b, 3, H, W) in −1…1 -> (b, 4, H/8, W/8): the most likely latent."""
        return self.network.encode(pixels)

    def decode(self, latents: Tensor, **_: object) -> Tensor:
        """(f, 4, h, w) frames that belong together -> (f, 3, 8h, 8w)."""
        return self.network.decode(latents, latents.shape[0])


class TemporalVAE(comfy.sd.VAE):
    """Decodes a fixed number of frames at a time, so that results do not depend on free memory."""

    def __init__(self, network: TemporalAutoencoder, config: ModelConfig) -> None:
        smallest = comfy.ldm.models.autoencoder.AutoencoderKL(**SMALLEST)
        super().__init__(sd=smallest.state_dict(), config={"params": SMALLEST})
        self.frames_per_chunk = config.sampling.decode_frames
        self.first_stage_model = TemporalNetwork(network).to(self.vae_dtype).train(False)
        self.patcher = comfy.model_patcher.ModelPatcher(
            self.first_stage_model,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )
        width = config.vae.block_out_channels[0] / VAEConfig().block_out_channels[0]
        self.memory_used_encode: MemoryUse = lambda shape, dtype: _bytes(
            shape[-2] * shape[-1], dtype, width * ENCODE_BYTES_PER_PIXEL
        )
        self.memory_used_decode: MemoryUse = lambda shape, dtype: _bytes(
            shape[-2] * shape[-1] * 64, dtype, width * DECODE_BYTES_PER_PIXEL
        )

    def decode(self, samples_in: Tensor, vae_options: dict[str, Any] | None = None) -> Tensor:
        """(f, 4, h, w) -> (f, H, W, 3) in 0…1."""
        return torch.cat(list(self.decode_chunks(samples_in, self.frames_per_chunk)))

    def decode_chunks(self, samples: Tensor, frames: int) -> Iterator[Tensor]:
        """(f, 4, h, w) -> chunks (f, H, W, 3) in 0…1.

        Raises:
            InputError: latents of another shape.
            NotFiniteError: images that are NaN or infinite.
        """
        channels = self.latent_channels
        if samples.ndim != 4 or samples.shape[1] != channels or not samples.numel():
            raise InputError(
                f"LATENT: expected (frames, {channels}, height, width), all of 1 or more, got "
                f"{tuple(samples.shape)}. Connect the latent of Sampler (ACTalker)."
            )
        frame_bytes = self.memory_used_decode(samples.shape, self.vae_dtype)
        comfy.model_management.load_models_gpu(
            [self.patcher],
            memory_required=frame_bytes * min(frames, len(samples)),
            force_full_load=True,
        )
        first = 1
        for chunk in samples.split(frames):
            frames_out = self.first_stage_model.decode(chunk.to(self.device, self.vae_dtype))
            check_decoded(frames_out, first)
            first += len(chunk)
            yield self.process_output(frames_out.to(self.output_device).float()).movedim(1, -1)


def _bytes(pixels: int, dtype: torch.dtype, bytes_per_pixel: float) -> float:
    return pixels * bytes_per_pixel * comfy.model_management.dtype_size(dtype)


def decode(vae: comfy.sd.VAE, samples: Tensor, frames_per_chunk: int | None = None) -> Tensor:
    """Latents (f, 4, h, w) -> (f, H, W, 3) in 0…1, a fixed number of frames at a time.

    With a progress bar that can cancel.

    Args:
        frames_per_chunk: of another pack's VAE too; None for the model's own.

    Raises:
        InputError: a number outside `limits.DECODE_FRAMES`.
        NotFiniteError: latents or images are NaN or infinite.
    """
    check_latents(samples, "Decode")
    if frames_per_chunk is None:
        usual = SamplingConfig().decode_frames
        frames_per_chunk = vae.frames_per_chunk if isinstance(vae, TemporalVAE) else usual
    DECODE_FRAMES.check(frames_per_chunk)
    chunks = (
        vae.decode_chunks(samples, frames_per_chunk)
        if isinstance(vae, TemporalVAE)
        else map(vae.decode, samples.split(frames_per_chunk))
    )
    bar, frames_out, done = Bar(len(samples), DECODING), [], 0
    for chunk in chunks:
        frames_out.append(check_decoded(chunk, done + 1))
        done += len(chunk)
        bar.count(done)
    return torch.cat(frames_out)
