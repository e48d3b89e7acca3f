"""Images <-> latents: how the temporal autoencoder is used here."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...ops.finite import check_decoded, check_encoded, check_latents
from .autoencoder import TemporalAutoencoder
from .config import VAEConfig


def build_vae(config: VAEConfig) -> TemporalAutoencoder:
    """An untrained autoencoder of the given sizes."""
    return TemporalAutoencoder(config).train(False)


@torch.inference_mode()
def encode_image(vae: TemporalAutoencoder, image: Tensor) -> Tensor:
    """The most likely latent of images, unscaled: (b, 3, H, W) in 0…1 -> (b, 4, H/8, W/8).

    Raises:
        NotFiniteError: it is NaN or infinite.
    """
    like = vae.quant_conv.weight
    latent = vae.encode((image * 2 - 1).to(like))
    return check_encoded("Autoencoder", latent.float())


@torch.inference_mode()
def decode_frames(vae: TemporalAutoencoder, latents: Tensor, chunk_frames: int) -> Iterator[Tensor]:
    """Frames of a video, chunk by chunk: a whole video would not fit into memory.

    Args:
        latents: (f, 4, h, w), scaled as the sampler leaves them.
        chunk_frames: frames decoded together; the decoder sees no neighbours beyond a chunk.

    Yields:
        (f', 3, 8h, 8w) in 0…1 on the CPU, f' ≤ chunk_frames.

    Raises:
        NotFiniteError: latents or images are NaN or infinite.
    """
    like, first = vae.quant_conv.weight, 1
    check_latents(latents, "Decoding")
    for chunk in (latents / vae.scaling_factor).split(chunk_frames):
        frames = vae.decode(chunk.to(like), chunk.shape[0])
        yield (check_decoded(frames.float(), first) / 2 + 0.5).clamp(0, 1).cpu()
        first += len(frames)
