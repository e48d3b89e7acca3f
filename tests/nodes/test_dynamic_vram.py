"""ComfyUI's dynamic VRAM: layers without weights until they are loaded, and weights streamed."""

import gc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.tiny_config import tiny_config
from torch import Tensor

STEPS, SEED = 2, 3

Trip = Callable[[], tuple[Tensor, Tensor]]


@pytest.fixture(scope="module", autouse=True)
def memory(comfy: Comfy) -> Any:
    """Where ComfyUI says whether it is on."""
    return pytest.importorskip("comfy.memory_management", reason="ComfyUI without dynamic VRAM")


@pytest.fixture(scope="module")
def trip(comfy: Comfy, make_conditioning: Any) -> Trip:
    """LoadModel -> Decode with a model of its own: latents and frames."""

    def run() -> tuple[Tensor, Tensor]:
        model, encoders, vae = comfy.call("LoadModel", checkpoint="built-in")
        conditioning, latent, *_ = make_conditioning(models=(model, encoders, vae))
        inputs = {"conditioning": conditioning, "latent": latent, "steps": STEPS, "seed": SEED}
        latent = comfy.call("Sampler", model=model, **inputs)[0]
        return latent["samples"], comfy.call("Decode", vae=vae, latent=latent)[0]

    return run


@pytest.fixture(scope="module")
def expected(trip: Trip, memory: Any) -> tuple[Tensor, Tensor]:
    """Without dynamic VRAM."""
    with pytest.MonkeyPatch.context() as off, torch.inference_mode():
        off.setattr(memory, "aimdo_enabled", False)
        return trip()


@pytest.fixture
def dynamic(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers as ComfyUI makes them on an NVIDIA GPU."""
    monkeypatch.setattr(memory, "aimdo_enabled", True)


@pytest.fixture
def streaming(dynamic: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MODELs as ComfyUI makes them there, on the CPU, which it would refuse.

    Real: which weights it streams, which it moves, what it puts back. Not: pages on a GPU.
    """
    import comfy.model_management as manage
    import comfy.model_patcher

    buffers = pytest.importorskip("comfy_aimdo.host_buffer")
    newer = comfy.model_patcher.ModelPatcherDynamic
    hollow = SimpleNamespace(size=0, truncate=lambda *_, **__: None)
    monkeypatch.setattr(buffers, "HostBuffer", lambda *_: hollow)
    monkeypatch.setattr(manage, "pinned_hostbuf_size", lambda size: 0)
    monkeypatch.setattr(manage, "is_device_cpu", lambda device: False)
    monkeypatch.setattr(newer, "partially_unload", lambda self, *_: self.restore_loaded_backups())
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", newer)
    yield
    manage.unload_all_models()
    gc.collect()


def assert_equal(outputs: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    for a, b in zip(outputs, expected, strict=True):
        assert b.std() > 0.01
        assert torch.equal(a, b)


def test_layers_have_no_weights_before_they_are_loaded(comfy: Comfy, dynamic: None) -> None:
    """Else the tests below would test nothing."""
    layers = comfy.node_module("actalker.bridge.model").Layers
    assert layers.Linear(2, 2).weight is None


def test_the_whole_trip_gives_the_same_frames(dynamic: None, trip: Trip, expected: Any) -> None:
    assert_equal(trip(), expected)


def test_every_network_has_its_weights(comfy: Comfy, dynamic: None) -> None:
    model, encoders, vae = comfy.call("LoadModel", checkpoint="built-in")
    for network in (model.model, encoders.load(), vae.first_stage_model):
        weights = dict(network.named_parameters())
        assert weights
        assert not any(weight.is_meta for weight in weights.values())
        for name, layer in network.named_modules():
            assert getattr(layer, "weight", 0) is not None, name


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp8_e4m3fn"])
def test_weights_keep_the_type_that_was_chosen(comfy: Comfy, dynamic: None, dtype: str) -> None:
    model = comfy.call("LoadModel", checkpoint="built-in", dtype=dtype)[0]
    expected_dtype = comfy.node_module("actalker.bridge.load").DTYPES[dtype]
    linear = [m for m in model.model.modules() if isinstance(m, torch.nn.Linear)]
    assert {layer.weight.dtype for layer in linear} == {expected_dtype}


def test_a_foreign_tensor_is_still_refused(comfy: Comfy, dynamic: None) -> None:
    single, tiny = (
        comfy.core("models.actalker.checkpoint.single_file"),
        tiny_config(comfy.core("models.actalker.config")),
    )
    weights = dict(comfy.core("models.actalker.networks").ACTalker(tiny).state_dict())
    weights["unet.foreign"] = torch.zeros(1)
    path = comfy.base / "models" / "actalker" / "foreign.safetensors"
    single.save(weights, tiny, path, torch.float32)
    try:
        with pytest.raises(comfy.core("errors").CheckpointError, match=r"unet\.foreign"):
            comfy.call("LoadModel", checkpoint=path.name)
    finally:
        path.unlink()


def test_comfyui_s_own_patcher_streams_the_denoiser(
    comfy: Comfy, streaming: None, trip: Trip, expected: Any
) -> None:
    assert comfy.call("LoadModel", checkpoint="built-in")[0].is_dynamic()
    assert_equal(trip(), expected)


def test_an_unloaded_denoiser_comes_back_the_same(
    comfy: Comfy, streaming: None, make_conditioning: Any
) -> None:
    import comfy.model_management as manage

    models = comfy.call("LoadModel", checkpoint="built-in")
    conditioning, latent, *_ = make_conditioning(models=models)
    inputs = {"conditioning": conditioning, "latent": latent, "steps": STEPS, "seed": SEED}
    first = comfy.call("Sampler", model=models[0], **inputs)[0]["samples"]
    before = {name: weight.clone() for name, weight in models[0].model.state_dict().items()}
    manage.unload_all_models()
    for name, weight in models[0].model.state_dict().items():
        assert torch.equal(weight, before[name]), name
    assert torch.equal(first, comfy.call("Sampler", model=models[0], **inputs)[0]["samples"])


def test_a_model_that_streams_nothing_can_be_made_of_it(comfy: Comfy, streaming: None) -> None:
    """As TorchCompileModel and hooks ask for."""
    model = comfy.call("LoadModel", checkpoint="built-in")[0]
    plain = model.clone(disable_dynamic=True)
    assert not plain.is_dynamic()
    for name, weight in model.model.state_dict().items():
        assert torch.equal(weight, plain.model.state_dict()[name]), name


def test_no_streamed_weight_is_read_after_it_is_given_back(
    comfy: Comfy, dynamic: None, trip: Trip, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One buffer for all layers, as a stream may have: whatever is read too late is no number."""
    import comfy.ops

    cast, layers = comfy.ops.cast_bias_weight, []

    def lend(layer: Any, *inputs: Any, offloadable: bool = False, **more: Any) -> Any:
        assert offloadable
        assert not layers, "two layers' weights at once"
        weight, bias = (
            None if tensor is None else tensor.clone()
            for tensor in cast(layer, *inputs, **more)[:2]
        )
        layers.append(layer)
        return weight, bias, ("a stream", None, None)

    def take_back(layer: Any, weight: Tensor, bias: Tensor | None, stream: Any) -> None:
        assert layers.pop() is layer
        for tensor in (weight, bias):
            if tensor is not None:
                tensor.fill_(torch.nan)

    monkeypatch.setattr(comfy.ops, "cast_bias_weight", lend)
    monkeypatch.setattr(comfy.ops, "uncast_bias_weight", take_back)
    assert_equal(trip(), expected)
    assert not layers
