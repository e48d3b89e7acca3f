"""Files that are not what they claim, and results that are no numbers, in a ComfyUI."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.host import REPOSITORY, Comfy
from helpers.node_files import list_signal_files

CASES = REPOSITORY / "tests" / "data" / "cases"
HOSTILE_MODELS = ("cfg_no_channels", "cfg_hang_layers")


@pytest.fixture(params=HOSTILE_MODELS)
def hostile_model(request: pytest.FixtureRequest, comfy: Comfy) -> Iterator[str]:
    name = f"{request.param}.safetensors"
    path = comfy.base / "models" / "actalker" / name
    shutil.copy(CASES / name, path)
    yield name
    path.unlink()


def test_a_checkpoint_that_claims_nonsense_is_refused(comfy: Comfy, hostile_model: str) -> None:
    with pytest.raises(comfy.core("errors").CheckpointError, match=hostile_model):
        comfy.call("LoadModel", checkpoint=hostile_model)


def test_signals_of_another_type_are_refused(comfy: Comfy) -> None:
    path = comfy.base / "input" / "sig_bool.safetensors"
    shutil.copy(CASES / path.name, path)
    try:
        with pytest.raises(comfy.core("errors").MediaError, match="bool"):
            comfy.call("LoadSignals", signals_file=path.name)
    finally:
        path.unlink()


@pytest.mark.parametrize("content", [b"", b"\xff" * 4096, b"{" * 64, b"\0" * 8])
def test_files_that_cannot_be_read_are_not_listed(comfy: Comfy, content: bytes) -> None:
    paths = [comfy.base / "models" / "actalker" / "odd.safetensors"]
    paths.append(comfy.base / "input" / "odd.safetensors")
    for path in paths:
        path.write_bytes(content)
    try:
        checkpoints = comfy.node_module("actalker.load").list_checkpoints()
        names = checkpoints + list_signal_files(comfy)
        assert not any("odd" in name for name in names)
    finally:
        for path in paths:
            path.unlink()


@pytest.fixture
def model_without_numbers(models: Any) -> Iterator[Any]:
    """The MODEL with one number of its denoiser that is none."""
    bias = models[0].model.diffusion_model.unet.conv_out.bias
    values = bias.clone()
    bias[0] = torch.nan
    yield models[0]
    bias.copy_(values)


def test_a_denoiser_that_makes_no_numbers_is_named(
    comfy: Comfy, model_without_numbers: Any, make_conditioning: Any
) -> None:
    conditioning, latent, *_ = make_conditioning()
    with pytest.raises(comfy.core("errors").NotFiniteError, match="step 1 of 3, window 1 of 1"):
        comfy.call(
            "Sampler",
            model=model_without_numbers,
            conditioning=conditioning,
            latent=latent,
            steps=3,
        )


def test_a_sampler_of_comfyui_ends_with_the_same_word(
    comfy: Comfy, model_without_numbers: Any, make_conditioning: Any
) -> None:
    conditioning, latent, *_ = make_conditioning()
    sampler = comfy.nodes.NODE_CLASS_MAPPINGS["KSampler"]()
    with pytest.raises(comfy.core("errors").NotFiniteError, match="step 1 of 2"):
        sampler.sample(
            model_without_numbers,
            0,
            2,
            1.0,
            "euler",
            "karras",
            conditioning,
            conditioning,
            latent,
            1.0,
        )


def test_latents_that_are_no_numbers_are_refused(
    comfy: Comfy, models: Any, make_conditioning: Any
) -> None:
    conditioning, latent, *_ = make_conditioning()
    bad = {"samples": torch.full_like(latent["samples"], torch.nan)}
    error = comfy.core("errors").NotFiniteError
    with pytest.raises(error, match="LATENT: expected finite"):
        comfy.call("Sampler", model=models[0], conditioning=conditioning, latent=bad, steps=2)
    with pytest.raises(error, match="Decode: expected finite"):
        comfy.call("Decode", vae=models[2], latent=bad)


def test_a_vae_that_makes_no_numbers_is_named(
    comfy: Comfy, models: Any, make_conditioning: Any
) -> None:
    bias = models[2].first_stage_model.network.decoder.conv_out.bias
    values = bias.clone()
    bias[0] = torch.inf
    try:
        with pytest.raises(comfy.core("errors").NotFiniteError, match="in frames 1 to 3"):
            comfy.call("Decode", vae=models[2], latent=make_conditioning()[1], frames_per_chunk=3)
    finally:
        bias.copy_(values)
