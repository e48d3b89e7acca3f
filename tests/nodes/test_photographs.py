"""The built-in model refuses a photograph before the wait; who wants it nevertheless gets it."""

from typing import Any

import pytest
import torch
from helpers.hopper import load_hopper
from helpers.host import Comfy, image, speech
from helpers.recorded_faces import needs_model

WHOLE_PICTURE = {"face": "whole picture"}


@pytest.fixture(autouse=True)
def built_in(comfy: Comfy, models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model of the tests takes the place of the built-in one."""
    variants = comfy.core("models.actalker.config").VARIANTS
    monkeypatch.setitem(variants, "built-in", models[1].config)


@pytest.fixture
def loads(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What ComfyUI is asked to bring to the device that computes."""
    import comfy.model_management as management

    patchers: list[Any] = []
    load = management.load_models_gpu

    def record(models: list[Any], *arguments: Any, **more: Any) -> Any:
        patchers.extend(models)
        return load(models, *arguments, **more)

    monkeypatch.setattr(management, "load_models_gpu", record)
    return patchers


def draw_square() -> torch.Tensor:
    """An IMAGE of two flat areas, as a drawing has them."""
    pixels = torch.full((1, 64, 64, 3), 0.8)
    pixels[:, 20:44, 20:44] = 0.2
    return pixels


def make_graph(comfy: Comfy, node: str, **widgets: Any) -> dict[str, Any]:
    """A graph of a shaded picture; its last node is `Talk` or the chain that ends in a sampler."""
    load = {"load": comfy.node("LoadModel", checkpoint="built-in")}
    demo = {"demo": comfy.node("DemoMedia", seconds=0.2)}
    model, encoders, vae = (["load", slot] for slot in range(3))
    photograph = ["demo", 5]
    choice = WHOLE_PICTURE | {"short_side_px": 64}
    if node == "Talk":
        talk = comfy.node(
            "Talk",
            model=model,
            encoders=encoders,
            vae=vae,
            portrait_image=photograph,
            audio=["demo", 2],
            steps=1,
            max_frames=1,
            **choice,
            **widgets,
        )
        return load | demo | {"Talk": talk, "end": comfy.node("PreviewImage", images=["Talk", 0])}
    return (
        load
        | demo
        | {
            "portrait": comfy.node("PreparePortrait", image=photograph, **choice),
            "identity": comfy.node("EncodeIdentity", encoders=encoders, portrait=["portrait", 0]),
            "audio": comfy.node("EncodeAudio", encoders=encoders, audio=["demo", 2]),
            "motion": comfy.node(
                "EncodeMotion", encoders=encoders, frames=["demo", 3], **WHOLE_PICTURE
            ),
            "masks": comfy.node(
                "RegionMasks", portrait=["portrait", 0], own_audio_mask=["demo", 1]
            ),
            "Conditioning": comfy.node(
                "Conditioning",
                encoders=encoders,
                vae=vae,
                portrait=["portrait", 0],
                identity=["identity", 0],
                audio_signal=["audio", 0],
                expression_signal=["motion", 0],
                audio_mask=["masks", 0],
                max_frames=["audio", 1],
                audio=["audio", 2],
                **widgets,
            ),
            "sample": comfy.node(
                "Sampler",
                model=model,
                conditioning=["Conditioning", 0],
                latent=["Conditioning", 1],
                steps=1,
            ),
            "end": comfy.node("PreviewAny", source=["sample", 0]),
        }
    )


@pytest.fixture(autouse=True)
def photograph(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture as steep everywhere as a photograph's skin, whatever matplotlib brings."""
    pixels = image(64, 64)
    monkeypatch.setattr(comfy.node_module("actalker.demo"), "_load_photograph", lambda: pixels)


@pytest.mark.parametrize("node", ["Talk", "Conditioning"])
def test_a_photograph_is_refused_before_anything_is_encoded(
    comfy: Comfy, loads: list[Any], node: str
) -> None:
    run = comfy.queue(make_graph(comfy, node))
    assert not run.success
    assert run.error["node_id"] == node
    for word in ("Animate Photo", "released weights", "allow_photograph"):
        assert word in run.message
    assert run.ran[-1] == node
    assert not {"identity", "audio", "motion", "masks"} & set(run.ran)
    assert not loads


@needs_model
@pytest.mark.usefixtures("landmarker")
@pytest.mark.parametrize("node", ["Talk", "Conditioning"])
def test_a_whole_picture_is_refused_by_the_face_in_it(
    comfy: Comfy, loads: list[Any], monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    pixels = load_hopper()[None].movedim(1, -1)
    monkeypatch.setattr(comfy.node_module("actalker.demo"), "_load_photograph", lambda: pixels)
    graph = make_graph(comfy, node)
    graph["demo"]["inputs"]["person"] = 1  # so that what was drawn before is not taken again
    run = comfy.queue(graph)
    assert run.error["node_id"] == node
    assert "Animate Photo" in run.message
    assert not loads


def test_what_is_not_refused_is_encoded_once(comfy: Comfy) -> None:
    run = comfy.queue(make_graph(comfy, "Conditioning", allow_photograph=True))
    for name in ("identity", "audio", "motion", "masks"):
        assert run.ran.count(name) == 1
        assert run.ran.index("Conditioning") < run.ran.index(name) < run.ran.index("sample")


@pytest.mark.parametrize("node", ["Talk", "Conditioning"])
def test_a_photograph_is_animated_where_it_is_allowed(comfy: Comfy, node: str) -> None:
    run = comfy.queue(make_graph(comfy, node, allow_photograph=True))
    assert run.success, run.message


def test_a_drawing_is_animated(comfy: Comfy, models: Any) -> None:
    model, encoders, vae = models
    frames = comfy.call(
        "Talk",
        model=model,
        encoders=encoders,
        vae=vae,
        portrait_image=draw_square(),
        audio=speech(0.5),
        face="whole picture",
        short_side_px=64,
        steps=1,
        max_frames=1,
    )[0]
    assert frames.shape == (1, 64, 64, 3)
