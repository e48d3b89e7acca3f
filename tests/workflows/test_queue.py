"""Graphs that a program sends, with what nobody can type: the queue goes on after them."""

from contextlib import suppress
from typing import Any

import pytest
from helpers.http_host import Server, messages

SURROGATE = "a\ud800b"
PORTRAIT = {
    "image": ["media", 0],
    "short_side_px": 64,
    "face": "whole picture",
    "face_index": 0,
    "expand": 0.0,
    "aspect": 0.0,
}
PICTURE = {"width": 64, "height": 64, "batch_size": 1, "color": 0}
ENDS: dict[str, dict[str, Any]] = {
    "PreparePortrait": {"class_type": "PreviewImage", "inputs": {"images": ["tried", 1]}},
    "LoadSignals": {
        "class_type": "ACTalker_SaveSignals",
        "inputs": {"filename_prefix": "x", "expression_signal": ["tried", 1]},
    },
}
"""What wants what a node gives; others are ends themselves."""
HARMFUL: list[tuple[str, dict[str, Any]]] = [
    *(("PreparePortrait", PORTRAIT | {"face_box": v}) for v in (SURROGATE, 5, {"a": 1}, None)),
    ("PreparePortrait", PORTRAIT | {"face_box": {"__value__": [1, 2]}}),
    ("PreparePortrait", PORTRAIT | {"face": SURROGATE}),
    *(("SaveSignals", {"filename_prefix": v}) for v in (SURROGATE, f"../{SURROGATE}", "\0", 7)),
    *(("LoadSignals", {"signals_file": v}) for v in (SURROGATE, {"a": 1}, None, 5)),
    (
        "ConvertCheckpoint",
        {"folder": SURROGATE, "svd": SURROGATE, "file_name": SURROGATE, "stored_dtype": SURROGATE},
    ),
    (
        "ConvertCheckpoint",
        {"folder": "none", "svd": "in the folder", "file_name": SURROGATE, "stored_dtype": "fp16"},
    ),
]


MISWIRED = [
    ("audio_signal", 0, "expression_signal"),
    ("audio_signal", 0, "pose_signal"),
    ("expression_signal", 1, "audio_signal"),
    ("pose_signal", 2, "expression_signal"),
]
"""Output of Edit Signal, its place, and the input of Save Signals that it is wired to."""


@pytest.mark.parametrize(("output", "place", "name"), MISWIRED)
def test_a_wrong_wire_of_a_signal_is_refused_when_it_is_queued(
    server: Server, output: str, place: int, name: str
) -> None:
    edit = {"edit": "smooth", "value": 0.2, "second_value": 0.0}
    wired = {
        "edit": {"class_type": "ACTalker_EditSignal", "inputs": edit},
        "save": {
            "class_type": "ACTalker_SaveSignals",
            "inputs": {"filename_prefix": "x", name: ["edit", place]},
        },
    }
    with pytest.raises(AssertionError, match="return_type_mismatch") as caught:
        server.run(wired)
    assert f"ACTALKER_{output.upper()}" in str(caught.value)
    assert f"ACTALKER_{name.upper()}" in str(caught.value)


def graph(node: str, inputs: dict[str, Any]) -> dict[str, Any]:
    found = {
        "media": {"class_type": "EmptyImage", "inputs": PICTURE},
        "tried": {"class_type": f"ACTalker_{node}", "inputs": inputs},
    }
    return found | ({"end": ENDS[node]} if node in ENDS else {})


@pytest.mark.parametrize(("node", "inputs"), HARMFUL, ids=range(len(HARMFUL)))
def test_a_harmful_graph_is_refused_and_the_next_one_runs(
    server: Server, node: str, inputs: dict[str, Any]
) -> None:
    errors = []
    with suppress(AssertionError):  # refused before it was queued, in ComfyUI's own words
        errors = messages(server.run(graph(node, inputs)), "execution_error")
    for error in errors:
        assert "actalker_core" in error["exception_type"]
        assert error["exception_message"].strip().isprintable()
    usual = PORTRAIT | {"face_box": f"0,0,{len(str(inputs)) % 60 + 2},9"}
    assert server.run(graph("PreparePortrait", usual))["status"]["status_str"] == "success"
