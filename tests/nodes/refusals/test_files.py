"""Choices, checkpoints and files that cannot be used are named, with what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.node_refusals import NONSENSE, read_refusal
from safetensors.torch import save_file

# Choices -----------------------------------------------------------------------------------------


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
        *(("AnimatePhoto", key) for key in ("extend", "lips", "mouth", "face")),
        *(("MotionFromClip", key) for key in ("face", "lips")),
        ("MotionFromWords", "clip_folder"),
        *(("FaceEditor", key) for key in ("lips", "face")),
        *(("EditMotion", key) for key in ("group", "edit")),
        ("LoadMotion", "motion_file"),
        *(("MotionToFrames", key) for key in ("lips", "face")),
        ("LoadTGDM", "checkpoint"),
        ("TrainPersonal", "face"),
        *(("FaceSwap", key) for key in ("face", "source_face", "place")),
        *(("RefineWithTGDM", key) for key in ("place", "lips", "face")),
        *(("GeometryImages", key) for key in ("attribute", "face")),
        ("SwapStart", "face"),
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
    message = read_refusal(comfy, node, **(usable[node] | {key: NONSENSE}))
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


# Checkpoints -------------------------------------------------------------------------------------


@pytest.fixture
def models_folder(comfy: Comfy) -> Path:
    return comfy.base / "models" / "actalker"


def test_a_missing_checkpoint_is_named_with_its_folder(comfy: Comfy, models_folder: Path) -> None:
    message = read_refusal(comfy, "LoadModel", checkpoint="gone.safetensors")
    assert "gone.safetensors" in message
    assert str(models_folder) in message


@pytest.mark.parametrize("kind", ["text", "empty", "foreign", "pickle"])
def test_a_wrong_file_is_named(comfy: Comfy, models_folder: Path, kind: str) -> None:
    file = models_folder / f"{kind}.safetensors"
    if kind == "foreign":
        save_file({"model.weight": torch.zeros(2)}, file)
    else:
        content = {"text": b"hello " * 99, "empty": b"", "pickle": b"\x80\x02}q\x00."}
        file.write_bytes(content[kind])
    message = read_refusal(comfy, "LoadModel", checkpoint=file.name)
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
    comfy: Comfy, usable: Any, models_folder: Path, name: str
) -> None:
    before = sorted(models_folder.rglob("*"))
    message = read_refusal(
        comfy, "ConvertCheckpoint", **(usable["ConvertCheckpoint"] | {"file_name": name})
    )
    assert re.search("[Ff]ile name|name", message)
    assert sorted(models_folder.rglob("*")) == before
    assert not Path("/tmp/absolute.safetensors").exists()


def test_converting_an_empty_folder_says_what_is_missing(comfy: Comfy, usable: Any) -> None:
    message = read_refusal(comfy, "ConvertCheckpoint", **usable["ConvertCheckpoint"])
    assert "release" in message


def test_converting_nothing_says_where_to_put_the_files(comfy: Comfy) -> None:
    assert "models/actalker" in read_refusal(comfy, "ConvertCheckpoint", folder="none")


@pytest.mark.parametrize("folder", ["../..", "/etc", "release/../../.."])
def test_a_release_outside_the_folder_is_refused(comfy: Comfy, usable: Any, folder: str) -> None:
    assert folder in read_refusal(comfy, "ConvertCheckpoint", folder=folder, file_name="made")


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
    comfy: Comfy, tmp_path: Path, models_folder: Path
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


# Files of signals --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../x.safetensors", "{base}/secret.safetensors", "", "."])
@pytest.mark.parametrize("mark", ["", " [output]"])
def test_signals_outside_the_folders_are_refused(
    comfy: Comfy, things: Any, name: str, mark: str
) -> None:
    secret = comfy.base / "secret.safetensors"
    comfy.core("control.signals").save_signals(
        secret, comfy.core("control.signals").Signals(things["audio"])
    )
    (comfy.base / "x.safetensors").write_bytes(secret.read_bytes())
    message = read_refusal(comfy, "LoadSignals", signals_file=name.format(base=comfy.base) + mark)
    assert ("output" if mark else "input") in message


@pytest.mark.parametrize("content", [b"", b"hello", "foreign"])
def test_a_file_that_holds_no_signals_is_named(comfy: Comfy, content: bytes | str) -> None:
    file = comfy.base / "input" / "wrong.safetensors"
    if isinstance(content, str):
        save_file({"x": torch.zeros(1)}, file)
    else:
        file.write_bytes(content)
    assert "wrong.safetensors" in read_refusal(comfy, "LoadSignals", signals_file=file.name)
    file.unlink()


def test_signals_are_not_saved_outside_the_output_folder(comfy: Comfy, things: Any) -> None:
    for prefix in ("../../outside", "/tmp/actalker_outside"):
        with pytest.raises(Exception, match=r"(?i)output|outside"):
            comfy.call("SaveSignals", filename_prefix=prefix, audio_signal=things["audio"])
    assert not list(Path("/tmp").glob("actalker_outside*"))


def test_saving_no_signals_is_refused(comfy: Comfy) -> None:
    assert "signal" in read_refusal(comfy, "SaveSignals", filename_prefix="none")
