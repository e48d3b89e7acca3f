"""Newer ComfyUI's nodes that give devices weights of their own, on a CPU that counts as two."""

import copy
import importlib
import logging
import threading
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import (
    EXACT_SIDE_PX,
    assert_same,
    by_node,
    conditioned_on,
    cut,
    native,
    prepare,
)

FIRST, SECOND = torch.device("cpu"), torch.device("cpu", 0)
"""Two names of one device, which ComfyUI takes for two."""
Networks = dict[str, set[int]]


@pytest.fixture(autouse=True)
def two_devices(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    if "SelectModelDevice" not in comfy.nodes.NODE_CLASS_MAPPINGS:
        pytest.skip("This ComfyUI has no such nodes.")
    management = importlib.import_module("comfy.model_management")
    devices = [FIRST, SECOND]
    monkeypatch.setattr(management, "get_all_torch_devices", lambda exclude_current=False: devices)


@pytest.fixture
def networks(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Networks:
    """Which networks ran, by the thread that ran them."""
    unet, ran = comfy.node_module("actalker.bridge.model").WindowedUNet, {}
    forward = unet.forward

    def record(self: Any, *inputs: Any, **more: Any) -> Any:
        ran.setdefault(threading.current_thread().name, set()).add(id(self))
        return forward(self, *inputs, **more)

    monkeypatch.setattr(unet, "forward", record)
    return ran


@pytest.fixture(scope="module")
def clip(comfy: Comfy, models: Any) -> Any:
    """CONDITIONING and LATENT, of a size in which rounding does not decide."""
    return conditioned_on(comfy, models, prepare(comfy, models, EXACT_SIDE_PX))


def test_passes_dealt_to_two_devices_give_the_same_clip(
    comfy: Comfy, models: Any, clip: Any, networks: Networks
) -> None:
    model = cut(comfy, models[0], "tight", 3, 1, 1)
    alone = by_node(comfy, model, *clip)
    networks.clear()
    dealt = native(comfy, "MultiGPU_WorkUnits", model=model, max_gpus=2)[0]
    latent = by_node(comfy, dealt, *clip)
    assert_same(latent, alone)
    assert len(networks) == 2
    assert len(set.union(*networks.values())) == 2, "each device has weights of its own"


def test_what_passes_read_goes_to_their_device(comfy: Comfy, clip: Any) -> None:
    model, meta = comfy.node_module("actalker.bridge.model"), torch.device("meta")
    read = model.PassInput(clip[0][0][1][model.CONDITIONING_KEY], (1, 2))
    copy = read.to(meta)
    tensors = (copy.conditioning.image_latent, copy.conditioning.audio.tokens)
    assert {tensor.device for tensor in tensors} == {meta}
    assert copy.passes == read.passes
    assert read.to(meta).conditioning is copy.conditioning, "at each window the same copy"


def test_a_model_for_another_device_samples_the_same_clip(
    comfy: Comfy, models: Any, clip: Any, networks: Networks
) -> None:
    model = cut(comfy, models[0], "cyclic", 3, 1, 1)
    alone = by_node(comfy, model, *clip)
    model_copy = model.deepclone_multigpu(new_load_device=SECOND)
    networks.clear()
    assert_same(by_node(comfy, model_copy, *clip), alone)
    assert set.union(*networks.values()) == {id(model_copy.model.diffusion_model)}
    assert model_copy.model is not model.model


def test_a_model_that_was_told_to_stay_on_the_cpu_samples_the_same_clip(
    comfy: Comfy, models: Any, clip: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        model_copy = native(comfy, "SelectModelDevice", model=models[0], device="cpu")[0]
    assert "unchanged" not in caplog.text
    assert_same(by_node(comfy, model_copy, *clip), by_node(comfy, models[0], *clip))


def test_a_vae_for_another_device_decodes_the_same_frames(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    """As Select VAE Device does it, which takes no device that is called a CPU."""
    vae, vae_copy = models[2], copy.copy(models[2])
    vae_copy.patcher = vae.patcher.deepclone_multigpu(new_load_device=SECOND)
    vae_copy.first_stage_model, vae_copy.device = vae_copy.patcher.model, SECOND
    assert vae_copy.first_stage_model is not vae.first_stage_model
    frames = [
        comfy.call("Decode", vae=vae_of_device, latent=clip[1])[0]
        for vae_of_device in (vae, vae_copy)
    ]
    torch.testing.assert_close(*frames)


def test_a_model_without_dynamic_weights_is_read_anew(comfy: Comfy, models: Any) -> None:
    again = models[0].clone(disable_dynamic=True, force_deepcopy=True)
    assert again.model is not models[0].model
    first, second = (patcher.model.diffusion_model.state_dict() for patcher in (models[0], again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
