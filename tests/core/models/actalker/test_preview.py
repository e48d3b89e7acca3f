"""A preview without the autoencoder looks like what that decodes."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from actalker_core.models.actalker.checkpoint import load_built_in
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.preview import PREVIEW_SCALE, show_latents
from actalker_core.models.actalker.vae import encode_image
from actalker_core.training.preview import draw_faces, fit_preview

UNSEEN_SEED = 10_000


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return load_built_in()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return draw_faces(6, UNSEEN_SEED)


@pytest.fixture(scope="module")
def latents(model: ACTalker, images: Tensor) -> Tensor:
    encoded_images = [encode_image(model.vae, image[None]) for image in images]
    return torch.cat(encoded_images) * model.vae.scaling_factor


def error_255(preview: Tensor, images: Tensor) -> float:
    """Mean error of a preview against images as small as it is."""
    return float(
        (preview - F.interpolate(images, preview.shape[2:], mode="area")).abs().mean() * 255
    )


def test_the_built_in_model_is_shown_in_its_colours(
    model: ACTalker, images: Tensor, latents: Tensor
) -> None:
    preview = show_latents(model.config, latents)
    assert preview.shape == (6, 3, PREVIEW_SCALE * 16, PREVIEW_SCALE * 16)
    assert error_255(preview, images) < 16
    mixed_up = error_255(preview, images.roll(1, dims=0))
    assert mixed_up > 2 * error_255(preview, images), "each face looks like itself"


def test_what_is_stored_is_a_fit_to_the_autoencoder(
    model: ACTalker, images: Tensor, latents: Tensor
) -> None:
    weight, bias = fit_preview(model.vae, draw_faces(12, 1))
    padded_latents = F.pad(latents, (1, 1, 1, 1), mode="replicate")
    anew = F.pixel_shuffle(F.conv2d(padded_latents, weight, bias), PREVIEW_SCALE)
    stored_error = error_255(show_latents(model.config, latents), images)
    assert stored_error < error_255(anew.clamp(0, 1), images) + 1


def test_latents_of_svd_are_shown_by_the_table_of_its_family() -> None:
    """Each colour where its own latent makes it bright; one pixel for each latent."""
    config = VARIANTS["released"]
    grey = show_latents(config, torch.zeros(2, 4, 6, 5))
    torch.testing.assert_close(grey, torch.full((2, 3, 6, 5), 0.5))
    latent = torch.tensor([0.5, 0.5, 0.0, -1.2])[None, :, None, None]
    red, green, blue = show_latents(config, latent)[0, :, 0, 0].tolist()
    expected = [(0.3512 + 0.3250) / 2 + 1.2 * 0.2120, (0.2297 + 0.4974) / 2 + 1.2 * 0.2616]
    assert (red, green) == pytest.approx([0.5 + value / 2 for value in expected])
    assert blue == 1.0, "what is too bright is cut"


def test_another_small_model_without_its_autoencoder_takes_the_table() -> None:
    small = VARIANTS["built-in"]
    unknown_config = replace(small, vae=replace(small.vae, layers_per_block=2))
    assert show_latents(unknown_config, torch.zeros(1, 4, 8, 8)).shape == (1, 3, 8, 8)
