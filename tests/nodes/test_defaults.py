"""A widget that is left alone takes the model's own value; what is typed is kept, and warned of."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.host import Comfy, image, speech

SIDE_PX, STEPS, FPS, WINDOW, SHIFT, CHUNK = 64, 2, 10.0, 3, 2, 2
SCALES = {"appearance": 1.5, "audio": 2.5, "expression": 1.25}
WHOLE_IMAGE = "whole picture"
Key = tuple[str, str]

SCALE_WIDGETS = {
    (node, f"{name}_scale_{end}"): (scale, scale + 0.5)
    for node in ("Guider", "Sampler", "Preflight")
    for name, scale in SCALES.items()
    for end in ("start", "end")
}
WIDGETS: dict[Key, tuple[float, float]] = {
    ("Talk", "steps"): (STEPS, 1),
    ("Talk", "short_side_px"): (SIDE_PX, 128),
    ("Talk", "fps"): (FPS, 8.0),
    ("PreparePortrait", "short_side_px"): (SIDE_PX, 128),
    ("EncodeAudio", "fps"): (FPS, 8.0),
    ("EncodeMotion", "signal_fps"): (FPS, 8.0),
    ("TextExpression", "signal_fps"): (FPS, 8.0),
    ("SignalMonitor", "fps"): (FPS, 8.0),
    ("Conditioning", "fps"): (FPS, 8.0),
    ("Windows", "window_frames"): (WINDOW, 2),
    ("Windows", "shift_frames"): (SHIFT, 0),
    ("Preflight", "steps"): (STEPS, 3),
    ("Sampler", "steps"): (STEPS, 1),
    ("Decode", "frames_per_chunk"): (CHUNK, 4),
    **SCALE_WIDGETS,
}
"""The model's own value, and another one."""
ESTIMATES = {key for key in SCALE_WIDGETS if key[0] == "Preflight"}
"""Its report counts passes, which these values do not change."""
OWN_NUMBERS = {
    *("steps", "short_side_px", "fps", "signal_fps"),
    *("window_frames", "shift_frames", "frames_per_chunk"),
    *(key for _, key in SCALE_WIDGETS),
}
MODEL_FREE = (
    *(("AnimatePhoto", "fps"), ("MotionToFrames", "fps")),
    *(("RefineWithTGDM", "steps"), ("TrainPersonal", "steps"), ("FaceSwap", "steps")),
)
"""Numbers of nodes without such a model, whose 0 is that of the clip or the motion, or none."""


@pytest.fixture(scope="module")
def usable(comfy: Comfy, models: Any) -> Iterator[dict[str, dict[str, Any]]]:
    """Inputs of each node, for a model whose values are those of no other."""
    model, encoders, vae = models
    usual, chunk = encoders.config, vae.frames_per_chunk
    sampling = replace(
        usual.sampling,
        short_side_px=SIDE_PX,
        steps=STEPS,
        fps=FPS,
        shift_frames=SHIFT,
        **{f"{name}_scale": scale for name, scale in SCALES.items()},
    )
    unet = replace(usual.unet, num_frames=WINDOW)
    model.model.config = encoders.config = replace(usual, sampling=sampling, unet=unet)
    vae.frames_per_chunk = CHUNK
    with torch.inference_mode():
        yield _inputs(comfy, model, encoders, vae)
    model.model.config = encoders.config = usual
    vae.frames_per_chunk = chunk


def _inputs(comfy: Comfy, model: Any, encoders: Any, vae: Any) -> dict[str, dict[str, Any]]:
    picture, sound, clip = image(), speech(0.5), image(frames=12)
    prepare = {"image": picture, "face": WHOLE_IMAGE, "encoders": encoders}
    portrait = comfy.call("PreparePortrait", **prepare)[0]
    watch = {"encoders": encoders, "frames": clip, "face": WHOLE_IMAGE}
    expression, pose, *_ = comfy.call("EncodeMotion", **watch)
    hear = {"encoders": encoders, "audio": sound}
    signals = {
        "portrait": portrait,
        "audio_signal": comfy.call("EncodeAudio", **hear)[0],
        "expression_signal": expression,
        "pose_signal": pose,
        "encoders": encoders,
    }
    identity = comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0]
    condition = signals | {"vae": vae, "identity": identity}
    conditioning, latent, *_ = comfy.call("Conditioning", **condition)
    moments = {"moments": "0s: neutral; 0.3s: joyful"}
    bank = comfy.call("BankOfSignal", expression_signal=expression, **moments)[0]
    model_and_conditioning = {"model": model, "conditioning": conditioning}
    parts = {"model": model, "encoders": encoders, "vae": vae}
    driving = {"portrait_image": picture, "audio": sound, "driving_frames": clip}
    return {
        "Talk": parts | driving | {"face": WHOLE_IMAGE},
        "PreparePortrait": prepare,
        "EncodeAudio": hear,
        "EncodeMotion": watch,
        "TextExpression": {"bank": bank, "seconds": 0.5, "text": "0s: neutral"}
        | {"encoders": encoders},
        "SignalMonitor": signals,
        "Conditioning": condition,
        "Windows": {"model": model},
        "Preflight": model_and_conditioning | {"measure_time": False},
        "Guider": model_and_conditioning,
        "Sampler": model_and_conditioning | {"latent": latent},
        "Decode": {"vae": vae, "latent": latent},
    }


def run(comfy: Comfy, node: str, inputs: dict[str, Any]) -> Any:
    """All that the node answers, its text besides its outputs."""
    kind = comfy.nodes.NODE_CLASS_MAPPINGS[f"ACTalker_{node}"]
    return kind.EXECUTE_NORMALIZED(**comfy.fill_widgets(f"ACTalker_{node}", inputs))


def read_texts(output: Any) -> Sequence[str]:
    """What a node's answer shows on it."""
    texts = output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui or {}
    return texts.get("text", ())


def comparable(value: Any) -> Any:
    """Numbers in place of objects that are never equal."""
    if hasattr(value, "guidance"):
        return value.guidance
    if hasattr(value, "model_options"):
        return value.model_options.get("transformer_options", {}).get("actalker_windows")
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, torch.Tensor):
        return value.shape, value.flatten().tolist()
    if isinstance(value, str):  # a report, whose third line tells the memory that is free
        return value.splitlines()[:2]
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if is_dataclass(value):
        return comparable(vars(value))
    return value


def outcome(comfy: Comfy, usable: Any, node: str, **values: float) -> Any:
    return comparable(run(comfy, node, usable[node] | values).args)


# Values -------------------------------------------------------------------------------------------


def test_these_are_all_numbers_that_a_model_has_of_its_own(comfy: Comfy) -> None:
    defaults = {
        (node.removeprefix("ACTalker_"), key): options["default"]
        for node in comfy.nodes.NODE_CLASS_MAPPINGS
        if node.startswith("ACTalker_")
        for kind in ("required", "optional")
        for key, (_, *more) in comfy.info(node)["input"].get(kind, {}).items()
        for options in more
        if key in OWN_NUMBERS
    }
    expected = {key: -1 if key[1] == "shift_frames" else 0 for key in WIDGETS}
    assert defaults == expected | dict.fromkeys(MODEL_FREE, 0)


@pytest.mark.parametrize(("node", "key"), WIDGETS)
def test_a_widget_left_alone_takes_the_model_s_own_value(
    comfy: Comfy, usable: Any, node: str, key: str
) -> None:
    default, alternative = WIDGETS[node, key]
    left = outcome(comfy, usable, node)
    assert left == outcome(comfy, usable, node, **{key: default})
    if (node, key) not in ESTIMATES:
        assert left != outcome(comfy, usable, node, **{key: alternative})


@pytest.mark.parametrize(
    ("node", "key", "value"),
    [
        *(("Talk", "fps", 0.5), ("Talk", "short_side_px", 63), ("Conditioning", "fps", 0.5)),
        *(("PreparePortrait", "short_side_px", 1), ("EncodeMotion", "signal_fps", 0.5)),
        *(("SignalMonitor", "fps", 0.5), ("TextExpression", "signal_fps", 0.5)),
    ],
)
def test_a_number_below_its_limits_is_refused_with_what_leaves_it_to_the_model(
    comfy: Comfy, usable: Any, node: str, key: str, value: float
) -> None:
    error = comfy.core("errors").InputError
    with pytest.raises(error, match=f"expected .*, or 0 for the model's own, got '?{value}"):
        run(comfy, node, usable[node] | {key: value})


def test_a_strength_that_is_typed_stays_to_the_end(comfy: Comfy, usable: Any) -> None:
    values = {"audio_scale_start": 4.0}
    end_values = values | {"audio_scale_end": 4.0}
    assert outcome(comfy, usable, "Guider", **values) == outcome(
        comfy, usable, "Guider", **end_values
    )


def test_a_typed_strength_is_that_of_the_guidance(comfy: Comfy, usable: Any) -> None:
    values = {"audio_scale_start": 4.0, "audio_scale_end": 1.0}
    (guider,) = run(comfy, "Guider", usable["Guider"] | values).args
    assert guider.guidance.audio == (4.0, 1.0)
    assert guider.guidance.expression == (SCALES["expression"],) * 2


@pytest.mark.parametrize(
    ("node", "key"),
    [
        ("PreparePortrait", "short_side_px"),
        ("TextExpression", "signal_fps"),
        ("SignalMonitor", "fps"),
    ],
)
def test_without_encoders_a_number_has_to_be_typed(
    comfy: Comfy, usable: Any, node: str, key: str
) -> None:
    alone = {name: socket for name, socket in usable[node].items() if name != "encoders"}
    with pytest.raises(comfy.core("errors").InputError, match=f"{key} is 0.*Connect encoders"):
        run(comfy, node, alone)
    default, _ = WIDGETS[node, key]
    assert comparable(run(comfy, node, alone | {key: default}).args) == outcome(comfy, usable, node)


@pytest.mark.parametrize("style", ["face", "paper", "halves"])
def test_regions_are_drawn_for_the_model_whose_encoders_are_connected(
    comfy: Comfy, usable: Any, style: str
) -> None:
    inputs = usable["SignalMonitor"]
    encoders = inputs["encoders"]
    face = comfy.core("faces").Face((20, 20, 40, 40), confidence=1.0)
    inputs_of_masks = {"portrait": replace(inputs["portrait"], face=face), "style": style}
    masks = [run(comfy, "RegionMasks", inputs_of_masks | {"encoders": encoders}).args[1].sum()]
    usual = encoders.config
    encoders.config = replace(usual, sampling=replace(usual.sampling, face_enlarged=2.0))
    masks.append(run(comfy, "RegionMasks", inputs_of_masks | {"encoders": encoders}).args[1].sum())
    encoders.config = usual
    assert masks[0] == run(comfy, "RegionMasks", inputs_of_masks).args[1].sum()
    assert masks[1] > 1.5 * masks[0]


# Warnings -----------------------------------------------------------------------------------------

BEYOND = [
    ("Talk", {"short_side_px": 128}, "Size: .* 64 px, got 128"),
    ("Talk", {"fps": 30.0}, "Frame rate: .* 10 fps, got 30"),
    ("PreparePortrait", {"short_side_px": 128}, "Size: .* 64 px, got 128"),
    ("Conditioning", {"fps": 30.0}, "Frame rate: .* 10 fps, got 30"),
    ("Windows", {"window_frames": 9}, "Windows: .* 3 frames at a time, got 9"),
    ("Guider", {"audio_scale_start": 20.0}, "audio scale of this model is 2.5, got 20"),
    ("Sampler", {"expression_scale_end": 20.0}, "expression scale of this model is 1.25, got 20"),
]


@pytest.mark.parametrize(("node", "values", "expected"), BEYOND)
def test_what_the_model_cannot_do_is_warned_of_on_the_node(
    comfy: Comfy,
    usable: Any,
    node: str,
    values: dict[str, float],
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        (text,) = read_texts(run(comfy, node, usable[node] | values))
    assert re.search(expected, text)
    lines = [line for line in caplog.messages if re.search(expected, line)]
    assert len(lines) == 1


@pytest.mark.parametrize("node", sorted({node for node, *_ in BEYOND}))
def test_the_model_s_own_values_are_not_warned_of(comfy: Comfy, usable: Any, node: str) -> None:
    assert not read_texts(run(comfy, node, usable[node]))


def test_a_portrait_of_another_size_is_warned_of_where_the_model_is_known(
    comfy: Comfy, usable: Any
) -> None:
    small = {"image": image(), "face": WHOLE_IMAGE, "short_side_px": 128}
    output = run(comfy, "PreparePortrait", small)
    assert not read_texts(output)
    inputs = usable["Conditioning"] | {"portrait": output.args[0]}
    (text,) = read_texts(run(comfy, "Conditioning", inputs))
    assert text.startswith("Size")


def test_a_warning_comes_with_the_result_of_a_queued_graph(comfy: Comfy) -> None:
    graph = {
        "load": comfy.node("LoadModel", checkpoint="built-in"),
        "picture": comfy.node("EmptyImage", width=64, height=64, color=0x123456),
        "portrait": comfy.node(
            "PreparePortrait",
            image=["picture", 0],
            encoders=["load", 1],
            face=WHOLE_IMAGE,
            short_side_px=64,
        ),
        "shown": comfy.node("PreviewImage", images=["portrait", 1]),
    }
    ran = comfy.queue(graph)
    assert ran.success, ran.message
    assert "128 px, got 64" in ran.ui["portrait"]["text"][0]
