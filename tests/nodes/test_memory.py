"""Weights that do not fit, weights in other types, models that leave, and work that is stopped."""

import gc
import random
from typing import Any

import psutil
import pytest
import torch
from helpers.host import Comfy, image, speech
from torch import Tensor

FRAMES, STEPS, SEED = 4, 2, 3
SIDE_PX = 128
"""Smaller pictures make the small model chaotic, so that a rounding would change the clip."""
LOOSE = {"A_logs", "Ds", "dt_projs_bias", "dt_projs_weight", "x_proj_weight", "mix_factor"}
"""Parameters that no layer of ComfyUI holds."""
OFF = {
    f"{n}_scale_{e}": 1.0 for n in ("appearance", "audio", "expression") for e in ("start", "end")
}
REPEATS = 20


@pytest.fixture
def manage(comfy: Comfy) -> Any:
    import comfy.model_management as manage

    return manage


@pytest.fixture(scope="module")
def portrait_and_signals(comfy: Comfy, models: Any) -> dict[str, Any]:
    """Portrait, identity and signals."""
    encoders = models[1]
    with torch.inference_mode():
        options = {"short_side_px": SIDE_PX, "face": "whole picture"}
        portrait = comfy.call("PreparePortrait", image=image(), **options)[0]
        motion = comfy.call(
            "EncodeMotion", encoders=encoders, frames=image(frames=24), face="whole picture"
        )
        return {
            "portrait": portrait,
            "identity": comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0],
            "audio_signal": comfy.call("EncodeAudio", encoders=encoders, audio=speech())[0],
            "expression_signal": motion[0],
            "pose_signal": motion[1],
        }


def clip_of(
    comfy: Comfy, models: Any, portrait_and_signals: dict[str, Any], frames: int = FRAMES
) -> Any:
    with torch.inference_mode():
        options = {"encoders": models[1], "vae": models[2], "max_frames": frames}
        return comfy.call("Conditioning", **options, **portrait_and_signals)[:2]


@pytest.fixture(scope="module")
def clip(comfy: Comfy, models: Any, portrait_and_signals: dict[str, Any]) -> Any:
    """CONDITIONING and LATENT."""
    return clip_of(comfy, models, portrait_and_signals)


def sample_latent(comfy: Comfy, model: Any, clip: Any, **more: Any) -> Tensor:
    inputs = {"model": model, "conditioning": clip[0], "latent": clip[1]}
    settings = {"seed": SEED, "steps": STEPS} | more
    return comfy.call("Sampler", **inputs, **settings)[0]["samples"]


@pytest.fixture(scope="module")
def expected(comfy: Comfy, models: Any, clip: Any) -> Tensor:
    with torch.inference_mode():
        return sample_latent(comfy, models[0], clip)


# Weights that do not fit --------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_weights_that_do_not_fit_give_the_same_clip(
    comfy: Comfy,
    models: Any,
    clip: Any,
    expected: Tensor,
    manage: Any,
    share: float,
    dtype: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = models[0] if dtype == "fp32" else of_type(comfy, dtype)[0]
    reference = expected if dtype == "fp32" else sample_latent(comfy, model, clip)
    budget, load = int(model.model_size() * share), type(model).load
    partial = []

    def load_partially(
        self: Any, device_to: Any = None, lowvram_model_memory: int = 0, *rest: Any, **more: Any
    ) -> Any:
        if self.model is not model.model:
            return load(self, device_to, lowvram_model_memory, *rest, **more)
        result = load(self, device_to, budget)
        partial.append(self.model.model_lowvram)
        return result

    manage.unload_all_models()
    monkeypatch.setattr(type(model), "load", load_partially)
    latent = sample_latent(comfy, model, clip)
    assert partial
    assert all(partial)
    assert model.loaded_size() <= budget
    assert torch.allclose(latent, reference, atol=1e-5)
    manage.unload_all_models()
    monkeypatch.undo()
    assert torch.allclose(sample_latent(comfy, model, clip), reference, atol=1e-5)


def test_only_the_scans_hold_parameters_that_are_not_streamed(models: Any) -> None:
    names = {
        f"{name}.{param}"
        for *_, name, module, params in models[0]._load_list()
        if hasattr(module, "comfy_cast_weights")
        for param in params
    }
    left = {name for name, _ in models[0].model.named_parameters()} - names
    assert {name.rsplit(".", 1)[-1] for name in left} <= LOOSE


def test_what_is_not_streamed_is_small(models: Any) -> None:
    sizes = {n: p.numel() for n, p in models[0].model.named_parameters()}
    loose = sum(size for n, size in sizes.items() if n.rsplit(".", 1)[-1] in LOOSE)
    assert loose < 0.1 * sum(sizes.values())


# Types --------------------------------------------------------------------------------------------


def of_type(comfy: Comfy, dtype: str) -> Any:
    return comfy.call("LoadModel", checkpoint="built-in", dtype=dtype)


def likeness(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def test_float32_is_exact(comfy: Comfy, clip: Any, expected: Tensor) -> None:
    assert torch.equal(sample_latent(comfy, of_type(comfy, "fp32")[0], clip), expected)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_is_close(comfy: Comfy, clip: Any, expected: Tensor, dtype: str) -> None:
    latent = sample_latent(comfy, of_type(comfy, dtype)[0], clip)
    assert latent.isfinite().all()
    assert likeness(latent, expected) > 0.99


def test_eight_bits_give_finite_latents(comfy: Comfy, clip: Any, expected: Tensor) -> None:
    latent = sample_latent(comfy, of_type(comfy, "fp8_e4m3fn")[0], clip)
    assert latent.isfinite().all()
    assert likeness(latent, expected) > 0.5


@pytest.mark.parametrize(
    ("dtype", "size"), [("fp16", 2), ("bf16", 2), ("fp32", 4), ("fp8_e4m3fn", 1)]
)
def test_weights_are_stored_in_the_type_that_was_chosen(
    comfy: Comfy, dtype: str, size: int
) -> None:
    model = of_type(comfy, dtype)[0]
    layers = {
        name: param
        for name, param in model.model.named_parameters()
        if name.endswith(".weight") and param.ndim > 1
    }
    assert layers
    assert {param.dtype.itemsize for param in layers.values()} == {size}
    exact = [p for n, p in model.model.named_parameters() if n.endswith(("A_logs", ".Ds"))]
    assert exact
    assert {param.dtype for param in exact} == {torch.float32}


def test_smaller_types_need_less_memory(comfy: Comfy) -> None:
    types = ("fp32", "fp16", "fp8_e4m3fn")
    full, half, eight = (of_type(comfy, dtype)[0].model_size() for dtype in types)
    assert eight < half < full
    assert half < 0.6 * full
    assert eight < 0.4 * full


# Models that leave --------------------------------------------------------------------------------


def test_a_model_that_left_gives_the_same_clip(
    comfy: Comfy, models: Any, clip: Any, expected: Tensor, manage: Any
) -> None:
    manage.unload_all_models()
    assert torch.equal(sample_latent(comfy, models[0], clip), expected)


def test_encoders_and_vae_that_left_give_the_same(
    comfy: Comfy, models: Any, portrait_and_signals: Any, clip: Any, manage: Any
) -> None:
    frames = comfy.call("Decode", vae=models[2], latent=clip[1])[0]
    manage.unload_all_models()
    again = comfy.call("EncodeAudio", encoders=models[1], audio=speech())[0]
    assert torch.equal(again.states, portrait_and_signals["audio_signal"].states)
    manage.unload_all_models()
    assert torch.equal(comfy.call("Decode", vae=models[2], latent=clip[1])[0], frames)
    manage.unload_all_models()
    conditioning_and_latent = clip_of(comfy, models, portrait_and_signals)
    assert torch.equal(conditioning_and_latent[1]["samples"], clip[1]["samples"])
    tokens = [c[0][1]["actalker"].audio.tokens for c in (conditioning_and_latent[0], clip[0])]
    assert torch.equal(*tokens)


def test_models_that_nothing_refers_to_are_let_go(comfy: Comfy, manage: Any) -> None:
    import weakref

    model, encoders, vae = of_type(comfy, "fp32")
    references = [weakref.ref(thing) for thing in (model.model, vae.first_stage_model)]
    encoders.load()
    del model, encoders, vae
    gc.collect()
    manage.cleanup_models_gc()
    manage.cleanup_models()
    gc.collect()
    assert [ref() is None for ref in references] == [True, True]


# What sampling asks for ---------------------------------------------------------------------------


def peak_request(
    comfy: Comfy,
    model: Any,
    clip: Any,
    monkeypatch: pytest.MonkeyPatch,
    window: tuple[int, int, str],
    **scales: float,
) -> float:
    """The most memory that ComfyUI is told of while a clip is sampled."""
    frames, overlap, mode = window
    cut = comfy.call(
        "Windows", model=model, window_frames=frames, overlap_frames=overlap, mode=mode
    )[0]
    kind, asks = type(model.model), []
    memory_required = kind.memory_required

    def note(self: Any, *rest: Any, **more: Any) -> float:
        asks.append(memory_required(self, *rest, **more))
        return asks[-1]

    with monkeypatch.context() as patch:
        patch.setattr(kind, "memory_required", note)
        sample_latent(comfy, cut, clip, steps=1, **scales)
    return max(asks)


def test_memory_grows_with_the_window(
    comfy: Comfy, models: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = [
        peak_request(comfy, models[0], clip, monkeypatch, (frames, 0, "tight"), **OFF)
        for frames in (1, 2, 4)
    ]
    assert asks[1] == pytest.approx(2 * asks[0], rel=0.1)
    assert asks[2] == pytest.approx(4 * asks[0], rel=0.1)


def test_memory_grows_with_the_passes(
    comfy: Comfy, models: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = peak_request(comfy, models[0], clip, monkeypatch, (2, 0, "tight"), **OFF)
    four = peak_request(comfy, models[0], clip, monkeypatch, (2, 0, "tight"))
    assert four == pytest.approx(2 * two, rel=0.1)


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_preflight_estimates_what_sampling_asks_for(
    comfy: Comfy, models: Any, clip: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = comfy.core("diffusion.windows").Windows(2, 0, mode=mode)
    estimate = models[0].model.estimate_activations(clip[0][0][1]["actalker"], windows, passes=4)
    assert peak_request(comfy, models[0], clip, monkeypatch, (2, 0, mode)) == pytest.approx(
        estimate
    )


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_memory_does_not_grow_with_the_clip_beyond_the_window(
    comfy: Comfy,
    models: Any,
    portrait_and_signals: Any,
    clip: Any,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer = clip_of(comfy, models, portrait_and_signals, 3 * FRAMES)
    asks = [
        peak_request(comfy, models[0], conditioning_and_latent, monkeypatch, (2, 0, mode), **OFF)
        for conditioning_and_latent in (clip, longer)
    ]
    assert asks[0] == pytest.approx(asks[1], rel=0.01)


def test_a_clip_shorter_than_the_window_asks_for_itself_alone(
    comfy: Comfy, models: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = [
        peak_request(comfy, models[0], clip, monkeypatch, (frames, 0, "tight"), **OFF)
        for frames in (FRAMES, 25)
    ]
    assert asks[0] == pytest.approx(asks[1], rel=0.01)


# Work that is stopped -----------------------------------------------------------------------------


def graph_of(comfy: Comfy, change: int) -> dict[str, Any]:
    """A clip that has nothing in common with that of another change, but its model."""
    encoders, vae, face = ["load", 1], ["load", 2], "whole picture"
    node, color = comfy.node, 0x404040 + change
    size = {"width": 64, "height": 64, "color": color}
    return {
        "load": node("LoadModel", checkpoint="built-in"),
        "picture": node("EmptyImage", batch_size=1, **size),
        "driving": node("EmptyImage", batch_size=12, **size),
        "sound": node("EmptyAudio", duration=1.0 + change / 1000, sample_rate=16_000, channels=1),
        "portrait": node("PreparePortrait", image=["picture", 0], short_side_px=64, face=face),
        "identity": node("EncodeIdentity", encoders=encoders, portrait=["portrait", 0]),
        "encode_audio": node("EncodeAudio", encoders=encoders, audio=["sound", 0]),
        "encode_motion": node(
            "EncodeMotion",
            encoders=encoders,
            frames=["driving", 0],
            frames_per_second=12.5,
            face=face,
        ),
        "conditioning": node(
            "Conditioning",
            encoders=encoders,
            vae=vae,
            portrait=["portrait", 0],
            identity=["identity", 0],
            audio_signal=["encode_audio", 0],
            expression_signal=["encode_motion", 0],
            pose_signal=["encode_motion", 1],
            max_frames=FRAMES,
        ),
        "sampler": node(
            "Sampler",
            model=["load", 0],
            conditioning=["conditioning", 0],
            latent=["conditioning", 1],
            steps=3,
        ),
        "decode": node("Decode", vae=vae, latent=["sampler", 0], frames_per_chunk=1),
        "preview": node("PreviewImage", images=["decode", 0]),
    }


class Stop:
    """Presses cancel at a report of a node, as the button does."""

    def __init__(self, manage: Any, name: str, after: int) -> None:
        self.manage, self.name, self.left = manage, name, after
        self.is_pressed = False

    def __call__(self, running: str, done: int, total: int) -> None:
        self.manage.throw_exception_if_processing_interrupted()
        if running != self.name:
            return
        self.left -= 1
        if self.left < 0 and not self.is_pressed:
            self.is_pressed = True
            self.manage.interrupt_current_processing(True)


REPORTS = {"encode_audio": 1, "encode_motion": 4, "sampler": 3, "decode": 4}
"""Nodes that are stopped, and how often each reports."""


def resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def test_work_that_is_stopped_leaves_nothing_behind(comfy: Comfy, manage: Any) -> None:
    chance, sizes = random.Random(0), []
    for i in range(REPEATS):
        name = list(REPORTS)[i % len(REPORTS)]
        graph = graph_of(comfy, i)
        stop = Stop(manage, name, chance.randrange(REPORTS[name]))
        with comfy.report_progress(stop):
            run = comfy.queue(graph)
        assert stop.is_pressed, name
        assert not run.success, name
        assert run.error is None, (name, run.message)
        assert "execution_interrupted" in [event for event, _ in run.events], name
        again = comfy.queue(graph)
        assert again.success, (name, again.message)
        sizes.append(resident())
    assert sizes[-1] < 1.05 * sizes[1]


def test_a_stopped_clip_comes_out_as_one_that_was_not(comfy: Comfy, manage: Any) -> None:
    run = comfy.queue(graph_of(comfy, 100))
    assert run.success
    expected = comfy.output("decode")
    graph = graph_of(comfy, 101)
    with comfy.report_progress(Stop(manage, "sampler", 1)):
        assert not comfy.queue(graph).success
    again = graph_of(comfy, 100)
    assert comfy.queue(again).success
    assert torch.equal(comfy.output("decode"), expected)


@pytest.mark.parametrize("name", REPORTS)
def test_each_long_node_reports_its_progress(comfy: Comfy, name: str) -> None:
    reports: list[tuple[int, int]] = []

    def note(running: str, done: int, total: int) -> None:
        if running == name:
            reports.append((done, total))

    with comfy.report_progress(note):
        run = comfy.queue(graph_of(comfy, 200 + list(REPORTS).index(name)))
    assert run.success
    assert len(reports) >= REPORTS[name]
    assert reports[-1][0] == reports[-1][1]
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
