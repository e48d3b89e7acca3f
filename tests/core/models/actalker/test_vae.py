"""The autoencoder at its edges, and against diffusers'."""

import pytest
import torch
from helpers.formula import fill_weights
from helpers.tiny import TINY

from actalker_core.models.actalker.config import VARIANTS, VAEConfig
from actalker_core.models.actalker.vae import build_vae, decode_frames, encode_image

CONFIGS = {"tiny": TINY.vae, "built-in": VARIANTS["built-in"].vae}


def test_pictures_and_latents_have_the_right_shapes() -> None:
    vae = fill_weights(build_vae(TINY.vae), 7)
    assert encode_image(vae, torch.rand(2, 3, 64, 128)).shape == (2, 4, 8, 16)
    chunks = list(decode_frames(vae, torch.randn(5, 4, 8, 16), chunk_frames=2))
    assert [tuple(c.shape) for c in chunks] == [(n, 3, 64, 128) for n in (2, 2, 1)]
    assert all(c.min() >= 0 and c.max() <= 1 for c in chunks)


def test_frames_are_decoded_only_when_they_are_read() -> None:
    vae = fill_weights(build_vae(TINY.vae), 7)
    chunks = decode_frames(vae, torch.randn(4, 4, 8, 8), chunk_frames=2)
    vae.decode = None
    with pytest.raises(TypeError):
        next(chunks)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_it_computes_what_diffusers_autoencoder_computes(config: VAEConfig) -> None:
    from diffusers import AutoencoderKLTemporalDecoder

    peer = AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * len(config.block_out_channels),
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
    ).eval()
    fill_weights(peer, 7)
    vae = build_vae(config)
    vae.load_state_dict(peer.state_dict())
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    latents = torch.randn(6, 4, 8, 8, generator=generator)
    with torch.inference_mode():
        mode = peer.encode(images).latent_dist.mode()
        torch.testing.assert_close(vae.encode(images), mode, rtol=0, atol=2e-5)
        frames = peer.decode(latents, num_frames=3).sample
        torch.testing.assert_close(vae.decode(latents, 3), frames, rtol=0, atol=2e-5)
