"""Text that a node promises to show is sent to it, and comes again with a cached result."""

import logging
import posixpath
import re
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host import REPOSITORY, Comfy, Run
from helpers.node_texts import texts_on_nodes
from helpers.recorded_faces import needs_model

PAGES = REPOSITORY / "web" / "docs"
PROMISE = re.compile(r"shown on\s+the\s+node")


@pytest.fixture
def graph(comfy: Comfy) -> dict[str, Any]:
    """A signals file that is loaded and saved again."""
    signals = comfy.core("control.signals")
    signal = signals.ExpressionSignal(25.0, "made", torch.zeros(5, 4))
    file = comfy.base / "input" / "shown.safetensors"
    signals.save_signals(file, signals.Signals(expression=signal))
    return {
        "4": {"class_type": "ACTalker_LoadSignals", "inputs": {"signals_file": file.name}},
        "7": {
            "class_type": "ACTalker_SaveSignals",
            "inputs": {"filename_prefix": "shown/lines", "expression_signal": ["4", 1]},
        },
    }


def texts_in_ui(ran: Run) -> dict[str, Any]:
    return {node: output["text"] for node, output in ran.ui.items() if output.get("text")}


def test_a_text_is_sent_to_its_node_and_comes_again_from_the_cache(
    comfy: Comfy, graph: dict[str, Any]
) -> None:
    first, again = comfy.queue(graph), comfy.queue(graph)
    assert first.success, first.message
    (number, text), *rest = texts_on_nodes(first.events).items()
    assert not rest
    assert number == "7"
    assert re.fullmatch(r"Saved: lines_\d{5}_\.safetensors", text)
    assert again.success
    assert "7" not in again.ran
    for ran in (first, again):
        assert {key: list(values) for key, values in texts_in_ui(ran).items()} == {"7": [text]}


@pytest.mark.parametrize("number", ["7", None])
@pytest.mark.parametrize("client", ["tests", None])
def test_a_text_is_sent_to_whoever_queued_the_node_and_to_nobody_else(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, client: str | None, number: str | None
) -> None:
    """Without a browser, or outside of ComfyUI's server, it is the ui output alone."""
    messages: list[Any] = []
    monkeypatch.setattr(comfy.server, "client_id", client, raising=False)
    monkeypatch.setattr(comfy.server, "send_sync", lambda *arguments: messages.append(arguments))
    running = SimpleNamespace(hidden=SimpleNamespace(unique_id=number))
    output = comfy.node_module("common.node_text").show(running, "a\nb")
    assert output.as_dict() == {"text": ("a  \nb",)}, "a line of its own in Markdown too"
    if client and number:
        ((event, data, receiver),) = messages
        assert texts_on_nodes([(event, data)]) == {"7": "a  \nb"}
        assert receiver == client
    else:
        assert not messages


def test_every_script_finds_the_front_end() -> None:
    """From where ComfyUI serves it."""
    folder, address_root = REPOSITORY / "web" / "js", "/extensions/actalker/js"
    scripts = {
        f"{address_root}/{script.relative_to(folder).as_posix()}": script
        for script in folder.rglob("*.js")
    }
    for address, script in scripts.items():
        imports = re.findall(r'from "([^"]+)"', script.read_text("utf-8"))
        paths = {posixpath.normpath(f"{posixpath.dirname(address)}/{path}") for path in imports}
        assert paths <= {"/scripts/api.js", "/scripts/app.js"} | scripts.keys(), script


def test_every_node_that_promises_a_text_can_be_told_and_repeats_it(comfy: Comfy) -> None:
    promising = {path.stem for path in PAGES.glob("*.md") if PROMISE.search(path.read_text())}
    names = {
        name
        for name in comfy.nodes.NODE_CLASS_MAPPINGS
        if name.startswith("ACTalker_")
        and "unique_id" in comfy.info(name)["input"].get("hidden", ())
    }
    script = (REPOSITORY / "web" / "js" / "shown_text.js").read_text("utf-8")
    assert promising == names == set(re.findall(r'"(ACTalker_\w+)"', script))
    reporting = {"Preflight", "ConvertCheckpoint", "SaveSignals", "SaveMotion", "TrainPersonal"}
    warning = {"Talk", "PreparePortrait", "Conditioning", "Windows", "Guider", "Sampler"}
    warning |= {"AnimatePhoto", "MotionFromClip", "MotionToFrames", "Decode", "EncodeMotion"}
    warning |= {"FaceEditor", "GeometryImages", "SwapStart", "RefineWithTGDM", "FaceSwap"}
    assert promising == {f"ACTalker_{name}" for name in reporting | warning}


def photograph_graph(comfy: Comfy, yaw: float) -> dict[str, Any]:
    """A face that smiles and is turned by hand: as a still, as a video, as a driving clip."""
    node = comfy.node
    return {
        "media": node("DemoMedia", seconds=0.1),
        "edit": node("FaceEditor", portrait_image=["media", 5], yaw=yaw, smile=1.0, aaa=1.0),
        "show": node("MotionToFrames", portrait_image=["media", 5], motion=["edit", 2]),
        "read": node("MotionFromClip", frames=["show", 0]),
        "move": node(
            "AnimatePhoto",
            portrait_image=["media", 5],
            driving_frames=["show", 0],
            motion=["edit", 2],
            idle=0.0,
        ),
        "save": node("SaveMotion", motion=["read", 0]),
        "preview": node("PreviewImage", images=["move", 0]),
        "still": node("PreviewImage", images=["edit", 0]),
    }


@needs_model
@pytest.mark.usefixtures("landmarker")
def test_what_is_warned_of_is_shown_on_the_node_that_runs(
    comfy: Comfy, caplog: pytest.LogCaptureFixture
) -> None:
    strong = comfy.queue(photograph_graph(comfy, yaw=60.0))
    assert strong.success, strong.message
    texts = texts_on_nodes(strong.events)
    assert texts.keys() - {"save"} == {"edit", "show", "read", "move"}
    for number in ("edit", "show", "move"):
        assert "60° (yaw)" in texts[number]
    for number in ("read", "move"):
        assert "is no neutral face" in texts[number]
    assert "60° (yaw)" in caplog.text
    assert texts_in_ui(strong).keys() - {"save"} == {"edit", "show", "read", "move"}
    straight = comfy.queue(photograph_graph(comfy, yaw=5.0))
    texts = texts_on_nodes(straight.events)
    assert texts.keys() - {"save"} == {"read", "move"}
    assert not any("(yaw)" in text for text in texts.values())


def test_warnings_of_another_thread_are_not_shown(comfy: Comfy) -> None:
    node_text = comfy.node_module("common.node_text")
    core_log = logging.getLogger(comfy.core("geometry").__name__)

    def execute(node: Any) -> Any:
        thread = threading.Thread(target=core_log.warning, args=("of a list of files",))
        thread.start()
        thread.join()
        for text in ("of %d faces", "of %d faces", "of %d hands"):
            core_log.warning(text, 2)
        core_log.info("of no weight")
        return SimpleNamespace(ui=None)

    running = SimpleNamespace(hidden=SimpleNamespace(unique_id="7"))
    output = node_text.show_warnings(execute)(running)
    assert output.ui.as_dict() == {"text": ("of 2 faces  \nof 2 hands",)}
    assert not node_text.pack_log.handlers


def test_warnings_of_threads_that_read_ahead_are_shown(comfy: Comfy) -> None:
    """A damaged clip is told of where it is decoded."""
    node_text = comfy.node_module("common.node_text")
    core_log = logging.getLogger(comfy.core("geometry").__name__)

    def read() -> Iterator[int]:
        yield 1
        core_log.warning("of a damaged frame")

    def execute(node: Any) -> Any:
        assert list(comfy.core("parallel").read_ahead(read())) == [1]
        return SimpleNamespace(ui=None)

    running = SimpleNamespace(hidden=SimpleNamespace(unique_id="7"))
    output = node_text.show_warnings(execute)(running)
    assert output.ui.as_dict() == {"text": ("of a damaged frame",)}


def test_a_node_that_fails_listens_no_longer(comfy: Comfy) -> None:
    node_text = comfy.node_module("common.node_text")

    def execute(node: Any) -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        node_text.show_warnings(execute)(SimpleNamespace())
    assert not node_text.pack_log.handlers
