"""The autoencoder at its edges; what it computes is diffusers' business."""

import sys

import pytest
import torch
from formula import filled

from actalker_core.config import VARIANTS
from actalker_core.errors import ACTalkerError
from actalker_core.vae import build_vae, decode_frames, encode_image

TINY = VARIANTS["tiny"].vae


def test_pictures_and_latents_have_the_right_shapes() -> None:
    vae = filled(build_vae(TINY), 7)
    assert encode_image(vae, torch.rand(2, 3, 64, 128)).shape == (2, 4, 8, 16)
    chunks = list(decode_frames(vae, torch.randn(5, 4, 8, 16), chunk_frames=2))
    assert [tuple(c.shape) for c in chunks] == [(n, 3, 64, 128) for n in (2, 2, 1)]
    assert all(c.min() >= 0 and c.max() <= 1 for c in chunks)


def test_frames_are_decoded_only_when_they_are_read() -> None:
    vae = filled(build_vae(TINY), 7)
    chunks = decode_frames(vae, torch.randn(4, 4, 8, 8), chunk_frames=2)
    vae.decode = None
    with pytest.raises(TypeError):
        next(chunks)


def test_a_diffusers_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ACTalkerError, match="install an older one: pip install"):
        build_vae(TINY)
