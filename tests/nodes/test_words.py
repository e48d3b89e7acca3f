"""What people write, or a graph brings, gets a clear word on the node and harms no log."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from helpers.node_motion import usable_motion

SURROGATE = "a\ud800b"
NO_TEXTS = [None, 5, 1.5, ["a", 1], {"a": [1]}, True]


@pytest.fixture(scope="module")
def usable(comfy: Comfy, models: Any, portrait: Any) -> dict[str, dict[str, Any]]:
    """Inputs with which each node that takes a text or a choice works."""
    model, encoders, _ = models
    with torch.inference_mode():
        motion = comfy.call(
            "EncodeMotion", encoders=encoders, frames=image(frames=12), face="whole picture"
        )
        bank = comfy.call(
            "BankOfSignal", expression_signal=motion[0], moments="0s: neutral; 0.3s: joyful"
        )[0]
    (comfy.base / "models" / "actalker" / "release").mkdir(exist_ok=True)
    whole_image = {"face": "whole picture"}
    return {
        "Curve": {"audio": speech(0.5)},
        "PreparePortrait": whole_image | {"image": image(), "short_side_px": 64},
        "EncodeMotion": whole_image | {"encoders": encoders, "frames": image(frames=2)},
        "EncodeAudio": {"encoders": encoders, "audio": speech(0.5)},
        "ExpressionBank": whole_image | {"encoders": encoders, "images": image()},
        "BankOfSignal": {"expression_signal": motion[0]},
        "TextExpression": {"bank": bank, "encoders": encoders},
        "RegionMasks": {"portrait": portrait},
        "SaveSignals": {"expression_signal": motion[0]},
        "LoadSignals": {},
        "LoadModel": {"checkpoint": "built-in"},
        "ConvertCheckpoint": {"folder": "release"},
        "EditSignal": {"expression_signal": motion[0]},
        "Windows": {"model": model},
        "DemoMedia": {},
        **usable_motion(comfy),
    }


TEXTS = [
    ("Curve", "curve_text"),
    ("PreparePortrait", "face_box"),
    ("EncodeMotion", "face_box"),
    ("ExpressionBank", "captions"),
    ("BankOfSignal", "moments"),
    ("TextExpression", "text"),
    ("RegionMasks", "audio_region"),
    ("RegionMasks", "expression_region"),
    ("RegionMasks", "audio_drawing"),
    ("RegionMasks", "expression_drawing"),
    ("SaveSignals", "filename_prefix"),
    ("ConvertCheckpoint", "file_name"),
    ("AnimatePhoto", "text"),
    ("AnimatePhoto", "mix"),
    ("MotionFromWords", "text"),
    ("FaceEditor", "more_numbers"),
    ("FaceEditor", "keys"),
    ("SaveMotion", "filename_prefix"),
    ("TrainPersonal", "file_name"),
]
CHOICES = [
    ("LoadSignals", "signals_file"),
    ("LoadModel", "checkpoint"),
    ("LoadModel", "dtype"),
    ("LoadTGDM", "checkpoint"),
    ("RefineWithTGDM", "place"),
    ("LoadModel", "scan_backend"),
    ("ConvertCheckpoint", "folder"),
    ("ConvertCheckpoint", "svd"),
    ("ConvertCheckpoint", "stored_dtype"),
    ("ExpressionBank", "clip_folder"),
    ("ExpressionBank", "face"),
    ("TextExpression", "match_by"),
    ("RegionMasks", "style"),
    ("RegionMasks", "signals"),
    ("EditSignal", "edit"),
    ("EncodeAudio", "cut"),
    ("PreparePortrait", "face"),
    ("Windows", "mode"),
    ("DemoMedia", "movement"),
    ("EditMotion", "group"),
    ("EditMotion", "edit"),
    ("LoadMotion", "motion_file"),
    ("GeometryImages", "attribute"),
]


def test_every_text_of_every_node_is_tried_here(comfy: Comfy) -> None:
    texts = {
        (node.removeprefix("ACTalker_"), key)
        for node in comfy.nodes.NODE_CLASS_MAPPINGS
        if node.startswith("ACTalker_")
        for kind in ("required", "optional")
        for key, (io_type, *_) in comfy.info(node)["input"].get(kind, {}).items()
        if io_type == "STRING"
    }
    assert texts == set(TEXTS)


def read_refusal(comfy: Comfy, node: str, inputs: dict[str, Any]) -> str:
    with pytest.raises(comfy.core("errors").ACTalkerError) as error:
        comfy.call(node, **inputs)
    message = str(error.value)
    assert message.isprintable()
    assert message.encode()
    assert len(message) <= 600
    assert "expected" in message
    return message


@pytest.mark.parametrize("value", NO_TEXTS, ids=repr)
@pytest.mark.parametrize(("node", "key"), TEXTS + CHOICES)
def test_what_is_no_text_is_refused(
    comfy: Comfy, usable: Any, node: str, key: str, value: Any
) -> None:
    read_refusal(comfy, node, usable[node] | {key: value})


BAD = [SURROGATE, "\udfff", "x\0y", "a\nb\u202ec"]


@pytest.mark.parametrize("text", BAD, ids=ascii)
@pytest.mark.parametrize(("node", "key"), TEXTS + CHOICES)
def test_what_cannot_be_written_is_refused_in_words_that_can(
    comfy: Comfy, usable: Any, node: str, key: str, text: str
) -> None:
    if (node, key) == ("ExpressionBank", "captions") and SURROGATE[1] not in text:
        text += SURROGATE  # other captions are fine
    read_refusal(comfy, node, usable[node] | {key: text})


@pytest.mark.parametrize(("node", "key"), TEXTS + CHOICES)
def test_a_very_long_text_is_quoted_in_part(comfy: Comfy, usable: Any, node: str, key: str) -> None:
    assert "x" * 90 not in read_refusal(comfy, node, usable[node] | {key: "x" * 1_000_000})


@pytest.mark.parametrize(
    ("node", "key"),
    [
        ("PreparePortrait", "expand"),
        ("PreparePortrait", "aspect"),
        ("EncodeMotion", "signal_fps"),
        ("EncodeMotion", "frames_per_second"),
        ("EncodeAudio", "fps"),
        ("EncodeAudio", "max_seconds"),
        ("TextExpression", "seconds"),
        ("TextExpression", "strength"),
        ("TextExpression", "signal_fps"),
        ("EditSignal", "value"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_numbers_that_are_none_are_refused(
    comfy: Comfy, usable: Any, node: str, key: str, value: float
) -> None:
    read_refusal(comfy, node, usable[node] | {key: value})


WIDGETS = {
    ("Sampler", "steps"): "STEPS",
    ("Sampler", "seed"): "SEED",
    ("Sampler", "denoise"): "DENOISE",
    ("Sampler", "audio_scale_end"): "GUIDANCE",
    ("Preflight", "steps"): "STEPS",
    ("Windows", "window_frames"): "WINDOW_FRAMES",
    ("Windows", "overlap_frames"): "OVERLAP_FRAMES",
    ("Windows", "shift_frames"): "SHIFT_FRAMES",
    ("Faster", "guide_to_sigma"): "SIGMA",
    ("Faster", "reuse_every_steps"): "REUSE_STEPS",
    ("PreparePortrait", "short_side_px"): "SHORT_SIDE_PX",
    ("PasteBack", "feather_px"): "FEATHER_PX",
    ("RegionMasks", "grow_px"): "GROW_PX",
    ("EncodeMotion", "signal_fps"): "FPS",
    ("Talk", "fps"): "FPS",
    ("RefineWithTGDM", "steps"): "REFINE_STEPS",
    ("RefineWithTGDM", "noise"): "REFINE_NOISE",
    ("FaceSwap", "steps"): "REFINE_STEPS",
    ("TrainPersonal", "steps"): "TRAINING_STEPS",
    ("TrainPersonal", "minutes"): "TRAINING_MINUTES",
    ("RefineWithTGDM", "texture_scale"): "GUIDANCE",
    ("RefineWithTGDM", "geometry_scale"): "GUIDANCE",
    ("RefineWithTGDM", "seed"): "SEED",
}


@pytest.mark.parametrize(("node", "key"), WIDGETS)
def test_widgets_end_where_the_core_does(comfy: Comfy, node: str, key: str) -> None:
    _, options = comfy.info(f"ACTalker_{node}")["input"]["required"][key]
    limit = getattr(comfy.core("limits"), WIDGETS[node, key])
    least = min(limit.minimum, options["default"])  # which may stand for the model's own
    assert (options["min"], options["max"]) == (least, limit.maximum)


# Names --------------------------------------------------------------------------------------------

NAMES = [
    "C:name", "a\\b", "CON", "nul", "com1.x", "LPT9", ".hidden", "a/../b", "/a", "a//b", "a/.b",
    "x" * 256, "é" * 128, "a<b", 'a"b', "a|b", "a?", "a*", "tab\tbed", "\x7f\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_some_system_refuses_are_refused_on_every(
    comfy: Comfy, usable: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {folder: sorted(folder.rglob("*")) for folder in (comfy.base, tmp_path)}
    read_refusal(comfy, "ConvertCheckpoint", usable["ConvertCheckpoint"] | {"file_name": name})
    read_refusal(comfy, "ConvertCheckpoint", usable["ConvertCheckpoint"] | {"folder": name})
    read_refusal(comfy, "TrainPersonal", usable["TrainPersonal"] | {"file_name": name})
    read_refusal(comfy, "LoadModel", {"checkpoint": name})
    read_refusal(comfy, "LoadTGDM", {"checkpoint": name})
    read_refusal(comfy, "LoadSignals", {"signals_file": f"{name}.safetensors"})
    if name not in ("CON", "nul", "LPT9"):  # beginnings of a name may be so
        read_refusal(comfy, "SaveSignals", usable["SaveSignals"] | {"filename_prefix": name})
    read_refusal(comfy, "SaveSignals", usable["SaveSignals"] | {"filename_prefix": f"{name}/x"})
    assert {folder: sorted(folder.rglob("*")) for folder in before} == before


@pytest.mark.parametrize(
    "prefix", ["", "a", "sub/", "sub/a.b", "é图", "CONSOLE", "%width%", "x" * 200]
)
def test_usual_prefixes_save(comfy: Comfy, usable: Any, prefix: str) -> None:
    path = Path(comfy.call("SaveSignals", **usable["SaveSignals"], filename_prefix=prefix)[0])
    assert path.is_file()
    assert path.is_relative_to(comfy.base / "output")
    path.unlink()


# Numbers of a curve -------------------------------------------------------------------------------


def test_a_number_for_each_of_many_frames_needs_no_text(comfy: Comfy) -> None:
    values = torch.rand(50_000, dtype=torch.float64).tolist()
    curve = comfy.call("Curve", curve_text="invert 0.5", numbers=values)[0]
    assert torch.allclose(curve.sample(50_000, 25), torch.tensor(values).float() * 0.5)


@pytest.mark.parametrize("numbers", [["a"], [None], "0.5", [[1]], [1.5], [-0.1], [float("nan")]])
def test_numbers_that_are_no_strengths_are_refused(comfy: Comfy, numbers: Any) -> None:
    read_refusal(comfy, "Curve", {"curve_text": "1", "numbers": numbers})


# ComfyUI's log ------------------------------------------------------------------------------------


@pytest.fixture
def strict_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    """A log as ComfyUI sets it up: it raises at what cannot be encoded, its own reports too."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr("sys.stderr", stream)
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


GRAPH: dict[str, Any] = {
    "curve": {"class_type": "ACTalker_Curve", "inputs": {"curve_text": "1"}},
    "load": {"class_type": "ACTalker_LoadSignals", "inputs": {"signals_file": "none"}},
    "save": {
        "class_type": "ACTalker_SaveSignals",
        "inputs": {"filename_prefix": "x", "expression_signal": ["load", 1]},
    },
}


@pytest.mark.parametrize("text", [SURROGATE, "\udcff.safetensors", "../\ud800"], ids=ascii)
@pytest.mark.parametrize(("node", "key"), [("load", "signals_file"), ("save", "filename_prefix")])
def test_the_queue_outlives_what_cannot_be_encoded(
    comfy: Comfy, usable: Any, strict_log: io.TextIOWrapper, node: str, key: str, text: str
) -> None:
    path = Path(comfy.call("SaveSignals", **usable["SaveSignals"], filename_prefix="in")[0])
    inputs_by_name = {name: GRAPH[name]["inputs"] for name in ("load", "save")}
    inputs = (
        {**inputs_by_name["load"], "signals_file": f"{path.name} [output]"},
        dict(inputs_by_name["save"]),
    )
    by_name = dict(zip(("load", "save"), inputs, strict=True))
    by_name[node][key] = text
    run = comfy.queue({n: GRAPH[n] | {"inputs": i} for n, i in by_name.items()})
    assert not run.success
    if run.events:  # newer ones refuse what is not in the list before it runs
        assert run.message.strip().isprintable()
        assert "expected" in run.message
    strict_log.flush()
    path.unlink()
