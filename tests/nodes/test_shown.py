"""Text that a node promises to show is sent to it, and comes again with a cached result."""

import posixpath
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host import REPOSITORY, Comfy

PAGES = REPOSITORY / "web" / "docs"
PROMISE = re.compile(r"shown on\s+the\s+node")
TEXT_EVENT = 3
"""Of ComfyUI's messages in bytes, the one that is a text for a node."""


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


def texts_on_nodes(events: list[Any]) -> dict[str, str]:
    """By node, as the front end reads the bytes."""
    texts = {}
    for event, data in events:
        if event == TEXT_EVENT:
            length = int.from_bytes(data[:4], "big")
            texts[data[4 : 4 + length].decode()] = data[4 + length :].decode()
    return texts


def texts_in_ui(events: list[Any]) -> dict[str, Any]:
    return {
        data["node"]: data["output"]["text"]
        for event, data in events
        if event == "executed" and (data["output"] or {}).get("text")
    }


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
        assert {key: list(values) for key, values in texts_in_ui(ran.events).items()} == {
            "7": [text]
        }


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
    for script in (REPOSITORY / "web" / "js").glob("*.js"):
        imports = re.findall(r'from "([^"]+)"', script.read_text("utf-8"))
        paths = {posixpath.normpath(f"/extensions/actalker/js/{path}") for path in imports}
        assert {"/scripts/app.js"} <= paths <= {"/scripts/api.js", "/scripts/app.js"}


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
    reporting = {"Preflight", "ConvertCheckpoint", "SaveSignals", "SaveMotion"}
    warning = {"Talk", "PreparePortrait", "Conditioning", "Windows", "Guider", "Sampler"}
    assert promising == {f"ACTalker_{name}" for name in reporting | warning}
