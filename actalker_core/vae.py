"""Pictures <-> latents: diffusers' temporal autoencoder, and how it is used here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .config import VAEConfig
from .errors import ACTalkerError
from .finite import check_decoded, check_encoded, check_latents

if TYPE_CHECKING:
    from diffusers import AutoencoderKLTemporalDecoder


def build_vae(config: VAEConfig) -> "AutoencoderKLTemporalDecoder":
    """An untrained autoencoder of the given sizes.

    Raises:
        ACTalkerError: the installed diffusers and torch do not fit each other.
    """
    try:
        from diffusers import AutoencoderKLTemporalDecoder
    except (ImportError, RuntimeError, AttributeError, ValueError) as error:
        raise ACTalkerError(
            f"diffusers cannot be used beside torch {torch.__version__}: {error}. With a torch "
            "below 2.6, install an older one: pip install 'diffusers<0.37'."
        ) from error

    return AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * len(config.block_out_channels),
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        scaling_factor=config.scaling_factor,
    ).train(False)


@torch.inference_mode()
def encode_image(vae: "AutoencoderKLTemporalDecoder", image: Tensor) -> Tensor:
    """The most likely latent of pictures, unscaled: (n, 3, H, W) in 0…1 -> (n, 4, H/8, W/8).

    Raises:
        NotFiniteError: it is NaN or infinite.
    """
    like = vae.quant_conv.weight
    latent: Tensor = vae.encode((image * 2 - 1).to(like)).latent_dist.mode()
    return check_encoded("Autoencoder", latent.float())


@torch.inference_mode()
def decode_frames(
    vae: "AutoencoderKLTemporalDecoder", latents: Tensor, chunk_frames: int
) -> Iterator[Tensor]:
    """Frames of a video, chunk by chunk; only one chunk is ever held.

    Args:
        latents: (frames, 4, h, w), scaled as the sampler leaves them.
        chunk_frames: frames decoded together; the decoder mixes within a chunk.

    Yields:
        (n, 3, 8h, 8w) in 0…1 on the CPU, n ≤ chunk_frames.

    Raises:
        NotFiniteError: latents or pictures are NaN or infinite.
    """
    like, first = vae.quant_conv.weight, 1
    check_latents(latents, "Decoding")
    for chunk in (latents / vae.config.scaling_factor).split(chunk_frames):
        frames = vae.decode(chunk.to(like), num_frames=chunk.shape[0]).sample
        yield (check_decoded(frames.float(), first) / 2 + 0.5).clamp(0, 1).cpu()
        first += len(frames)
