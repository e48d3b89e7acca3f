"""What cannot be used is refused on the node, in words that say what to do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from safetensors.torch import save_file

NONSENSE = "nonsense"
WHOLE = "whole picture"


@pytest.fixture(scope="module")
def given(comfy: Comfy, loaded: Any, portrait: Any) -> dict[str, Any]:
    """One thing of each kind that nodes take."""
    model, encoders, vae = loaded
    with torch.inference_mode():
        audio = comfy.call("EncodeAudio", encoders=encoders, audio=speech(0.5))[0]
        moved = comfy.call("EncodeMotion", encoders=encoders, frames=image(frames=12), face=WHOLE)
        return {
            "model": model,
            "encoders": encoders,
            "vae": vae,
            "portrait": portrait,
            "identity": comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0],
            "audio": audio,
            "expression": moved[0],
            "pose": moved[1],
            "bank": comfy.call(
                "BankOfSignal", expression_signal=moved[0], moments="0s: neutral; 0.3s: joyful"
            )[0],
        }


@pytest.fixture(scope="module")
def conditioning_inputs(given: dict[str, Any]) -> dict[str, Any]:
    names = ("encoders", "vae", "portrait", "identity")
    signals = {f"{name}_signal": given[name] for name in ("audio", "expression", "pose")}
    return {name: given[name] for name in names} | signals | {"max_frames": 4}


@pytest.fixture(scope="module")
def clip(comfy: Comfy, conditioning_inputs: dict[str, Any]) -> Any:
    """CONDITIONING and LATENT."""
    with torch.inference_mode():
        return comfy.call("Conditioning", **conditioning_inputs)[:2]


@pytest.fixture(scope="module")
def usable(
    comfy: Comfy, given: dict[str, Any], conditioning_inputs: dict[str, Any], clip: Any
) -> dict[str, dict[str, Any]]:
    """Inputs with which each node works, as far as it has choices."""
    (comfy.base / "models" / "actalker" / "release").mkdir(exist_ok=True)
    parts = {name: given[name] for name in ("model", "encoders", "vae")}
    sampled = {"model": given["model"], "conditioning": clip[0]}
    small = {"short_side_px": 64, "face": WHOLE}
    driven = {"audio": speech(0.5), "driving_frames": image(frames=4)}
    return {
        "Talk": parts | small | driven | {"portrait_image": image(), "steps": 1, "max_frames": 1},
        "LoadModel": {"checkpoint": "built-in"},
        "ConvertCheckpoint": {"folder": "release", "file_name": "made"},
        "PreparePortrait": small | {"image": image()},
        "EncodeAudio": {"encoders": given["encoders"], "audio": speech(0.5)},
        "EncodeMotion": {"encoders": given["encoders"], "frames": image(frames=4), "face": WHOLE},
        "ExpressionBank": {"encoders": given["encoders"], "images": image(), "face": WHOLE},
        "TextExpression": {"bank": given["bank"], "match_by": "CLIP", "signal_fps": 12.5},
        "EditSignal": {"expression_signal": given["expression"]},
        "LoadSignals": {},
        "RegionMasks": {"portrait": given["portrait"]},
        "Conditioning": conditioning_inputs,
        "SignalMonitor": {
            "portrait": given["portrait"],
            "audio_signal": given["audio"],
            "expression_signal": given["expression"],
            "fps": 12.5,
        },
        "Windows": {"model": given["model"]},
        "Sampler": sampled | {"latent": clip[1], "steps": 1},
        "DemoMedia": {},
    }


def refused(comfy: Comfy, node: str, **inputs: Any) -> str:
    """What the node says; only errors that the pack or ComfyUI raises on purpose are allowed."""
    wanted = (comfy.core("errors").ACTalkerError, FileNotFoundError)
    with pytest.raises(wanted) as caught:
        comfy.call(node, **inputs)
    message = str(caught.value)
    assert len(message) > 25
    assert message[0] != "("
    return message


# Choices ------------------------------------------------------------------------------------------


def choices() -> list[tuple[str, str]]:
    return [
        ("Talk", "regions"),
        ("Talk", "extend"),
        ("Talk", "face"),
        ("LoadModel", "checkpoint"),
        ("LoadModel", "dtype"),
        ("LoadModel", "scan_backend"),
        ("ConvertCheckpoint", "folder"),
        ("ConvertCheckpoint", "svd"),
        ("ConvertCheckpoint", "stored_dtype"),
        ("PreparePortrait", "face"),
        ("EncodeAudio", "cut"),
        ("EncodeMotion", "face"),
        ("ExpressionBank", "face"),
        ("ExpressionBank", "clip_folder"),
        ("TextExpression", "match_by"),
        ("TextExpression", "clip_folder"),
        ("EditSignal", "edit"),
        ("LoadSignals", "signals_file"),
        ("RegionMasks", "style"),
        ("RegionMasks", "signals"),
        ("Conditioning", "extend"),
        ("SignalMonitor", "extend"),
        ("Windows", "mode"),
        ("Sampler", "sampler_name"),
        ("Sampler", "scheduler"),
        ("DemoMedia", "movement"),
    ]


def combos(comfy: Comfy) -> set[tuple[str, str]]:
    """All that nodes have."""
    return {
        (node.removeprefix("ACTalker_"), key)
        for node in comfy.nodes.NODE_CLASS_MAPPINGS
        if node.startswith("ACTalker_")
        for kind in ("required", "optional")
        for key, (io_type, *_) in comfy.info(node)["input"].get(kind, {}).items()
        if isinstance(io_type, list) or io_type == "COMBO"
    }


def test_every_choice_of_every_node_is_tried_here(comfy: Comfy) -> None:
    assert combos(comfy) <= set(choices())


@pytest.mark.parametrize(("node", "key"), choices())
def test_an_unknown_choice_is_named_with_what_there_is(
    comfy: Comfy, usable: Any, node: str, key: str
) -> None:
    if (node, key) not in combos(comfy):
        pytest.skip("the node has no such choice")
    message = refused(comfy, node, **(usable[node] | {key: NONSENSE}))
    assert NONSENSE in message
    assert "expected" in message.lower() or "not found" in message


def test_an_unknown_choice_in_a_graph_is_named_on_the_node(comfy: Comfy) -> None:
    graph = {
        "media": comfy.node("EmptyImage", width=64, height=64, batch_size=1, color=0),
        "portrait": comfy.node(
            "PreparePortrait", image=["media", 0], face=NONSENSE, short_side_px=64
        ),
        "preview": comfy.node("PreviewImage", images=["portrait", 1]),
    }
    run = comfy.queue(graph)
    assert not run.success
    assert NONSENSE in run.message
    assert run.error["node_id"] == "portrait"


# Checkpoints --------------------------------------------------------------------------------------


@pytest.fixture
def models(comfy: Comfy) -> Path:
    return comfy.base / "models" / "actalker"


def test_a_missing_checkpoint_is_named_with_its_folder(comfy: Comfy, models: Path) -> None:
    message = refused(comfy, "LoadModel", checkpoint="gone.safetensors")
    assert "gone.safetensors" in message
    assert str(models) in message


@pytest.mark.parametrize("kind", ["text", "empty", "foreign", "pickle"])
def test_a_wrong_file_is_named(comfy: Comfy, models: Path, kind: str) -> None:
    file = models / f"{kind}.safetensors"
    if kind == "foreign":
        save_file({"model.weight": torch.zeros(2)}, file)
    else:
        content = {"text": b"hello " * 99, "empty": b"", "pickle": b"\x80\x02}q\x00."}
        file.write_bytes(content[kind])
    message = refused(comfy, "LoadModel", checkpoint=file.name)
    file.unlink()
    assert file.name in message
    assert re.search("expected|Download|Convert", message)


def test_a_missing_checkpoint_in_a_graph_is_named_on_the_node(comfy: Comfy) -> None:
    graph = {
        "load": comfy.node("LoadModel", checkpoint="gone.safetensors"),
        "image": comfy.node("EmptyImage", width=64, height=64, batch_size=1, color=0),
        "encode": comfy.node("VAEEncode", pixels=["image", 0], vae=["load", 2]),
        "decode": comfy.node("VAEDecode", samples=["encode", 0], vae=["load", 2]),
        "preview": comfy.node("PreviewImage", images=["decode", 0]),
    }
    run = comfy.queue(graph)
    assert not run.success
    assert "gone.safetensors" in run.message
    assert run.error["node_id"] == "load"


@pytest.mark.parametrize("name", ["../up", "a/b", "/tmp/absolute", "", ".hidden", ".."])
def test_a_new_checkpoint_stays_in_its_folder(
    comfy: Comfy, usable: Any, models: Path, name: str
) -> None:
    before = sorted(models.rglob("*"))
    message = refused(
        comfy, "ConvertCheckpoint", **(usable["ConvertCheckpoint"] | {"file_name": name})
    )
    assert re.search("[Ff]ile name|name", message)
    assert sorted(models.rglob("*")) == before
    assert not Path("/tmp/absolute.safetensors").exists()


def test_converting_an_empty_folder_says_what_is_missing(comfy: Comfy, usable: Any) -> None:
    message = refused(comfy, "ConvertCheckpoint", **usable["ConvertCheckpoint"])
    assert "release" in message


def test_converting_nothing_says_where_to_put_the_files(comfy: Comfy) -> None:
    assert "models/actalker" in refused(comfy, "ConvertCheckpoint", folder="none")


@pytest.mark.parametrize("folder", ["../..", "/etc", "release/../../.."])
def test_a_release_outside_the_folder_is_refused(comfy: Comfy, usable: Any, folder: str) -> None:
    assert folder in refused(comfy, "ConvertCheckpoint", folder=folder, file_name="made")


def test_registering_keeps_folders_and_extensions_that_are_there(comfy: Comfy) -> None:
    import folder_paths

    before = folder_paths.folder_names_and_paths["actalker"]
    try:
        folder_paths.folder_names_and_paths["actalker"] = (["/elsewhere"], {".bin"})
        comfy.node_module("common.files").register_folder()
        comfy.node_module("common.files").register_folder()
        paths, extensions = folder_paths.folder_names_and_paths["actalker"]
        assert paths == ["/elsewhere", str(Path(folder_paths.models_dir) / "actalker")]
        assert extensions == {".bin", ".safetensors"}
    finally:
        folder_paths.folder_names_and_paths["actalker"] = before


def test_a_checkpoint_of_another_folder_is_found(
    comfy: Comfy, tmp_path: Path, models: Path
) -> None:
    import folder_paths

    (tmp_path / "other").mkdir()
    file = tmp_path / "other" / "far.safetensors"
    file.write_bytes(b"no checkpoint")
    folder_paths.add_model_folder_path("actalker", str(tmp_path))
    try:
        assert comfy.node_module("common.files").model_path("other/far.safetensors") == file
    finally:
        folder_paths.folder_names_and_paths["actalker"][0].remove(str(tmp_path))


# Files of signals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../x.safetensors", "{base}/secret.safetensors", "", "."])
@pytest.mark.parametrize("mark", ["", " [output]"])
def test_signals_outside_the_folders_are_refused(
    comfy: Comfy, given: Any, name: str, mark: str
) -> None:
    secret = comfy.base / "secret.safetensors"
    comfy.core("control.signals").save_signals(
        secret, comfy.core("control.signals").Signals(given["audio"])
    )
    (comfy.base / "x.safetensors").write_bytes(secret.read_bytes())
    message = refused(comfy, "LoadSignals", signals_file=name.format(base=comfy.base) + mark)
    assert ("output" if mark else "input") in message


@pytest.mark.parametrize("content", [b"", b"hello", "foreign"])
def test_a_file_that_holds_no_signals_is_named(comfy: Comfy, content: bytes | str) -> None:
    file = comfy.base / "input" / "wrong.safetensors"
    if isinstance(content, str):
        save_file({"x": torch.zeros(1)}, file)
    else:
        file.write_bytes(content)
    assert "wrong.safetensors" in refused(comfy, "LoadSignals", signals_file=file.name)
    file.unlink()


def test_signals_are_not_saved_outside_the_output_folder(comfy: Comfy, given: Any) -> None:
    for prefix in ("../../outside", "/tmp/actalker_outside"):
        with pytest.raises(Exception, match=r"(?i)output|outside"):
            comfy.call("SaveSignals", filename_prefix=prefix, audio_signal=given["audio"])
    assert not list(Path("/tmp").glob("actalker_outside*"))


def test_saving_no_signals_is_refused(comfy: Comfy) -> None:
    assert "signal" in refused(comfy, "SaveSignals", filename_prefix="none")


# Faces --------------------------------------------------------------------------------------------


def is_there_a_finder(comfy: Comfy) -> bool:
    return bool(comfy.core("faces.finder").HaarFinder.is_available())


@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion", "ExpressionBank", "Talk"])
def test_without_a_finder_the_file_to_fetch_is_named(comfy: Comfy, usable: Any, node: str) -> None:
    if is_there_a_finder(comfy):
        pytest.skip("this OpenCV finds faces itself")
    face = "find" if node == "ExpressionBank" else "largest"
    message = refused(comfy, node, **(usable[node] | {"face": face}))
    assert "face_landmarker.task" in message
    assert str(comfy.base / "models" / "actalker") in message


def test_a_finder_that_finds_nothing_says_so(
    comfy: Comfy, usable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def find(self, image: Any, depth: str = "all") -> list:
            return []

        def find_near(self, image: Any, box: Any) -> None:
            return None

    for name in ("face.portrait", "actalker.encode", "common.files"):
        monkeypatch.setattr(comfy.node_module(name), "face_finder", Blind)
    for node in ("PreparePortrait", "EncodeMotion", "Talk", "ExpressionBank"):
        face = "find" if node == "ExpressionBank" else "largest"
        assert "face" in refused(comfy, node, **(usable[node] | {"face": face}))


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "50,50,10,10", "200,200,300,300", "nan,0,1,1"]
)
@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion"])
def test_a_malformed_box_is_refused(comfy: Comfy, usable: Any, node: str, box: str) -> None:
    message = refused(comfy, node, **(usable[node] | {"face_box": box}))
    assert "ox" in message


@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion"])
def test_a_mask_that_shows_no_face_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    for mask in (torch.zeros(1, 96, 80), torch.ones(1, 10, 10)):
        assert "mask" in refused(comfy, node, **(usable[node] | {"face_mask": mask})).lower()


# Masks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["audio_mask", "expression_mask"])
def test_a_mask_of_another_size_is_refused_with_both_sizes(
    comfy: Comfy, conditioning_inputs: Any, name: str
) -> None:
    mask = torch.ones(1, 10, 12)
    message = refused(comfy, "Conditioning", **(conditioning_inputs | {name: mask}))
    assert "12x10" in message
    assert "80x96" in message
    assert "64x64" in message


@pytest.mark.parametrize("name", ["audio_mask", "expression_mask"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_wrong_number_of_masks_is_refused(
    comfy: Comfy, conditioning_inputs: Any, name: str, count: int
) -> None:
    mask = torch.ones(count, 64, 64)
    message = refused(comfy, "Conditioning", **(conditioning_inputs | {name: mask}))
    assert f"got {count}" in message
    assert "1 or 4" in message


def test_own_masks_of_another_size_are_refused(comfy: Comfy, given: Any) -> None:
    for name in ("own_audio_mask", "own_expression_mask"):
        mask = {name: torch.ones(1, 10, 12)}
        assert "12x10" in refused(comfy, "RegionMasks", portrait=given["portrait"], **mask)


@pytest.mark.parametrize("text", ["nose+", "chin", "lips!", "lips++eyes"])
def test_a_region_that_cannot_be_read_is_named(comfy: Comfy, given: Any, text: str) -> None:
    message = refused(comfy, "RegionMasks", portrait=given["portrait"], audio_region=text)
    assert "expected" in message


def test_frames_of_another_size_do_not_paste_back(comfy: Comfy, given: Any) -> None:
    right = {"frames": image(64, 64), "original": image(), "portrait": given["portrait"]}
    comfy.call("PasteBack", **right)
    for wrong in (
        {"frames": image(32, 32)},
        {"original": image(64, 64)},
        {"mask": torch.ones(1, 5, 5)},
    ):
        refused(comfy, "PasteBack", **(right | wrong))


# Sound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["EncodeAudio", "Talk", "Conditioning", "Curve"])
def test_sound_without_samples_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    silent = {"waveform": torch.zeros(1, 1, 0), "sample_rate": 16_000}
    message = refused(comfy, node, **(usable.get(node, {}) | {"audio": silent}))
    assert "AUDIO" in message
    assert "Load Audio" in message


def test_no_sound_is_refused(comfy: Comfy, usable: Any) -> None:
    message = refused(comfy, "EncodeAudio", **(usable["EncodeAudio"] | {"audio": None}))
    assert "AUDIO" in message


@pytest.mark.parametrize(
    "sound",
    [
        {"waveform": torch.full((1, 1, 8000), float("nan")), "sample_rate": 16_000},
        {"waveform": torch.zeros(1, 1, 8000), "sample_rate": 0},
        {"waveform": torch.zeros(8000), "sample_rate": 16_000},
        {"waveform": torch.zeros(1, 1, 100), "sample_rate": 16_000},
    ],
    ids=["NaN", "no rate", "no channels", "shorter than a frame"],
)
def test_strange_sound_is_refused_or_finite(comfy: Comfy, usable: Any, sound: Any) -> None:
    inputs = usable["EncodeAudio"] | {"audio": sound}
    try:
        found = comfy.call("EncodeAudio", **inputs)
    except comfy.core("errors").ACTalkerError:
        return
    assert found[0].states.isfinite().all()


def test_an_envelope_without_a_sound_is_refused(comfy: Comfy) -> None:
    assert "connect audio" in refused(comfy, "Curve", curve_text="envelope")


# Signals and curves -------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["Conditioning", "SignalMonitor"])
def test_no_signal_at_all_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    names = ("audio_signal", "expression_signal", "pose_signal")
    message = refused(comfy, node, **(usable[node] | dict.fromkeys(names)))
    assert "drives the portrait" in message


def test_gates_that_are_both_shut_are_refused(comfy: Comfy, conditioning_inputs: Any) -> None:
    shut = comfy.call("Curve", curve_text="0")[0]
    gates = comfy.call("Gates", audio_curve=shut, expression_curve=shut)[0]
    message = refused(comfy, "Conditioning", **(conditioning_inputs | {"gates": gates}))
    assert "gates are 0" in message
    assert "Open" in message


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("0:1, 2:5", 8),
        ("x", 1),
        ("1 * ", None),
        ("0:1, 1", 6),
        ("0:1 wobble", 5),
        ("envelope attack=fast", 17),
        ("invert", None),
        ("", None),
        ("-1", 1),
        ("0:1, 0:0", 6),
        ("nan", 1),
    ],
)
def test_a_malformed_curve_is_refused_with_the_place(
    comfy: Comfy, text: str, character: int | None
) -> None:
    message = refused(comfy, "Curve", curve_text=text, audio=speech(0.5))
    assert re.search(r"at character \d+", message)
    if character is not None:
        assert f"at character {character}," in message


@pytest.mark.parametrize("numbers", [float("nan"), [0.5, 7.0], [], [float("inf")]])
def test_numbers_that_are_no_strengths_are_refused(comfy: Comfy, numbers: Any) -> None:
    refused(comfy, "Curve", curve_text="1", numbers=numbers)


SIGNAL_INPUTS = [
    ("Conditioning", "audio_signal", "expression"),
    ("Conditioning", "expression_signal", "pose"),
    ("Conditioning", "pose_signal", "audio"),
    ("SignalMonitor", "audio_signal", "pose"),
    ("SaveSignals", "pose_signal", "expression"),
    ("BankOfSignal", "expression_signal", "audio"),
    ("EditSignal", "pose_signal", "audio"),
    ("MixSignals", "first_audio_signal", "expression"),
    ("MixSignals", "second_pose_signal", "audio"),
]


@pytest.mark.parametrize(("node", "name", "kind"), SIGNAL_INPUTS)
def test_a_signal_of_another_kind_is_refused(
    comfy: Comfy, usable: Any, given: Any, node: str, name: str, kind: str
) -> None:
    message = refused(comfy, node, **(usable.get(node, {}) | {name: given[kind]}))
    assert name in message
    assert type(given[kind]).__name__ in message


def test_what_has_no_second_of_its_kind_does_not_mix(comfy: Comfy, given: Any) -> None:
    once = {"first_audio_signal": given["audio"], "second_pose_signal": given["pose"]}
    message = refused(comfy, "MixSignals", **once)
    assert "first audio" in message
    assert "second pose" in message


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("EditSignal", ["expression_signal"]),
        ("MixSignals", ["first_expression_signal", "second_expression_signal"]),
        ("BankOfSignal", ["expression_signal"]),
    ],
)
def test_an_empty_output_of_load_signals_is_refused(
    comfy: Comfy, given: Any, node: str, names: list[str]
) -> None:
    for name in names:
        inputs = dict.fromkeys(names, given["expression"]) | {name: None}
        refused(comfy, node, **inputs)


def test_a_signal_of_another_model_is_refused(
    comfy: Comfy, conditioning_inputs: Any, given: Any
) -> None:
    signals = comfy.core("control.signals")
    foreign = signals.ExpressionSignal(12.5, "another model", torch.zeros(8, 7))
    inputs = conditioning_inputs | {"expression_signal": foreign}
    assert "Encode" in refused(comfy, "Conditioning", **inputs)


@pytest.mark.parametrize(
    ("edit", "value", "second"),
    [
        ("resample", 0.0, 0.0),
        ("resample", -5.0, 0.0),
        ("resample", 1e9, 0.0),
        ("resample", float("nan"), 0.0),
        ("trim", 0.4, 0.1),
        ("trim", 0.0, 0.0),
        ("trim", 99.0, 100.0),
        ("trim", -1.0, 0.2),
        ("hold", 0.0, 0.0),
        ("loop", -1.0, 0.0),
        ("ping-pong", 1e9, 0.0),
        ("smooth", -1.0, 0.0),
        ("scale", 1.0, 99.0),
        ("offset", 1e12, 0.0),
    ],
)
def test_nonsense_edits_are_refused(
    comfy: Comfy, given: Any, edit: str, value: float, second: float
) -> None:
    values = {"value": value, "second_value": second}
    assert "expected" in refused(
        comfy, "EditSignal", expression_signal=given["expression"], edit=edit, **values
    )


@pytest.mark.parametrize("text", ["", "joyful:", "0s joyful; 0s: sad", "-1s: joyful", "0s: blorp"])
def test_words_that_cannot_be_read_are_refused(comfy: Comfy, given: Any, text: str) -> None:
    refused(comfy, "TextExpression", bank=given["bank"], text=text)


def test_moments_beyond_the_clip_are_refused(comfy: Comfy, given: Any) -> None:
    moments = {"expression_signal": given["expression"], "moments": "0s: neutral; 99s: joyful"}
    assert "99" in refused(comfy, "BankOfSignal", **moments)


def test_captions_of_another_number_are_refused(comfy: Comfy, usable: Any) -> None:
    inputs = usable["ExpressionBank"] | {"images": image(frames=3), "captions": "joyful\nsad"}
    message = refused(comfy, "ExpressionBank", **inputs)
    assert "3" in message
    assert "2" in message


# Pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "picture",
    [
        image(1, 1),
        image(8, 200),
        torch.zeros(0, 64, 64, 3),
        torch.zeros(64, 64, 3),
        torch.zeros(1, 64, 64, 2),
        torch.zeros(1, 64, 64, 0),
    ],
    ids=["one pixel", "too low", "no frames", "no batch", "two channels", "no channels"],
)
def test_a_picture_that_shows_nothing_is_refused(comfy: Comfy, picture: Any) -> None:
    refused(comfy, "PreparePortrait", image=picture, short_side_px=64, face=WHOLE)


def with_alpha() -> Any:
    return torch.cat([image(), torch.full((1, 96, 80, 1), 0.5)], dim=-1)


def holed() -> Any:
    picture = image()
    picture[:, 10:20, 10:20] = float("nan")
    picture[:, 30:40, 10:20] = float("inf")
    return picture


PICTURES: dict[str, Callable[[], Any]] = {
    "RGBA": with_alpha,
    "grey": lambda: image()[..., :1],
    "fp16": lambda: image().half(),
    "NaN": holed,
    "beyond 0…1": lambda: image() * 3 - 1,
}


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_pictures_become_portraits(comfy: Comfy, given: Any, kind: str) -> None:
    found = comfy.call("PreparePortrait", image=PICTURES[kind](), short_side_px=64, face=WHOLE)
    assert found[1].shape == (1, 64, 64, 3)
    assert found[1].dtype == torch.float32
    assert found[1].isfinite().all()
    assert found[1].min() >= 0
    assert found[1].max() <= 1
    identity = comfy.call("EncodeIdentity", encoders=given["encoders"], portrait=found[0])[0]
    assert identity.isfinite().all()


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_frames_can_be_watched(comfy: Comfy, usable: Any, kind: str) -> None:
    frames = PICTURES[kind]().repeat(4, 1, 1, 1)
    found = comfy.call("EncodeMotion", **(usable["EncodeMotion"] | {"frames": frames}))
    assert found[0].features.isfinite().all()
    assert found[1].rotation_degrees.isfinite().all()


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_frames_can_be_pasted_back(comfy: Comfy, given: Any, kind: str) -> None:
    pair = {"frames": image(64, 64), "original": PICTURES[kind](), "portrait": given["portrait"]}
    assert comfy.call("PasteBack", **pair)[0].shape == (1, 96, 80, 3)


def test_holes_in_a_mask_leave_no_holes_in_the_frames(comfy: Comfy, given: Any) -> None:
    mask = torch.ones(1, 64, 64)
    mask[:, 5:9, 5:9] = float("nan")
    pair = {"frames": image(64, 64), "original": image(), "portrait": given["portrait"]}
    assert comfy.call("PasteBack", mask=mask, **pair)[0].isfinite().all()
    regions = comfy.call("RegionMasks", portrait=given["portrait"], own_audio_mask=mask)
    assert regions[0].isfinite().all()


def test_strange_pictures_make_a_bank(comfy: Comfy, usable: Any) -> None:
    for make in PICTURES.values():
        bank = comfy.call("ExpressionBank", **(usable["ExpressionBank"] | {"images": make()}))[0]
        words = {"bank": bank, "text": "picture 0", "seconds": 0.5, "signal_fps": 12.5}
        assert comfy.call("TextExpression", **words)[0].features.isfinite().all()


def test_wrong_driving_frames_are_refused(comfy: Comfy, usable: Any) -> None:
    for frames in (torch.zeros(0, 64, 64, 3), torch.zeros(64, 64, 3)):
        refused(comfy, "EncodeMotion", **(usable["EncodeMotion"] | {"frames": frames}))


# Numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "overlap"), [(-1, 0), (4, 4), (4, 9), (4, -1)])
def test_windows_that_do_not_advance_are_refused(
    comfy: Comfy, given: Any, length: int, overlap: int
) -> None:
    cut = {"model": given["model"], "window_frames": length, "overlap_frames": overlap}
    assert "expected" in refused(comfy, "Windows", **cut)


@pytest.mark.parametrize("side", [-64, 63, 100])
def test_a_side_that_is_no_multiple_is_refused(comfy: Comfy, usable: Any, side: int) -> None:
    message = refused(
        comfy, "PreparePortrait", **(usable["PreparePortrait"] | {"short_side_px": side})
    )
    assert "64" in message
    assert str(side) in message


@pytest.mark.parametrize("shape", [(4, 16, 8, 8), (4, 8, 8)])
def test_a_latent_that_is_none_of_svd_is_refused(
    comfy: Comfy, given: Any, shape: tuple[int, ...]
) -> None:
    refused(comfy, "Decode", vae=given["vae"], latent={"samples": torch.zeros(shape)})
