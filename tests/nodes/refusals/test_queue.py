"""What cannot be used is refused when a graph is queued, before any node of it runs."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from helpers.faults import FAULTS, PLACE, TEXTS, Fault, make_faulty_graph
from helpers.host import Comfy


def list_inputs(comfy: Comfy, kind: type | tuple[type, ...]) -> list[tuple[str, Any]]:
    """Node and input, as the schemas have them, of all inputs of a kind or of several."""
    return [
        (name.removeprefix("ACTalker_"), socket)
        for name, node in comfy.nodes.NODE_CLASS_MAPPINGS.items()
        if name.startswith("ACTalker_")
        for socket in node.define_schema().inputs
        if isinstance(socket, kind)
    ]


def test_every_text_of_every_node_has_a_check_that_is_tried_here(comfy: Comfy) -> None:
    from comfy_api.latest import io

    texts = list_inputs(comfy, io.String.Input)
    bare_texts = [(node, text.id) for node, text in texts if not getattr(text, "check", None)]
    assert not bare_texts, "give them a check: nodes/common/checks.py"
    assert {(node, text.id) for node, text in texts} == {(f.node, f.input) for f in TEXTS}


def list_wrong_numbers(socket: Any) -> list[float]:
    """Numbers that a widget cannot hold; none where it has no limits."""
    if None in (socket.min, socket.max):
        return []
    from comfy_api.latest import io

    is_whole = isinstance(socket, io.Int.Input)
    outside = [socket.min - 1, socket.max + 1]
    return outside if is_whole else [*outside, float("nan"), float("inf")]


def refuse(comfy: Comfy, node: str, values: dict[str, Any]) -> None:
    """Queue a node with widgets that are all wrong: each is refused by name, and nothing runs."""
    run = comfy.queue(make_faulty_graph(comfy, Fault(node, "", values)))
    assert not run.success
    assert not run.ran
    assert run.error["node_id"] == "fault"
    for name, value in values.items():
        lines = [line for line in run.message.splitlines() if f": {name} - " in line]
        assert len(lines) == 1, f"{name} {value}: {run.message}"
        assert "expected" in lines[0]


def test_every_number_of_every_node_has_limits_that_are_held(comfy: Comfy) -> None:
    from comfy_api.latest import io

    wrong: dict[str, dict[str, list[float]]] = {}
    for node, socket in list_inputs(comfy, (io.Int.Input, io.Float.Input)):
        if not socket.force_input:  # else it comes over a wire and is never typed
            wrong.setdefault(node, {})[socket.id] = list_wrong_numbers(socket)
    bare_numbers = [
        (node, id) for node in wrong for id, numbers in wrong[node].items() if not numbers
    ]
    assert not bare_numbers, "give them min and max: actalker_core/limits.py"
    for node, numbers in wrong.items():
        for i in range(4):
            refuse(
                comfy, node, {id: values[min(i, len(values) - 1)] for id, values in numbers.items()}
            )


def test_every_choice_of_every_node_is_held(comfy: Comfy) -> None:
    from comfy_api.latest import io

    wrong: dict[str, dict[str, str]] = {}
    for node, socket in list_inputs(comfy, io.Combo.Input):
        wrong.setdefault(node, {})[socket.id] = "nonsense"
    for node, values in wrong.items():
        refuse(comfy, node, values)


def test_every_mask_comes_over_a_wire_and_may_be_left_out(comfy: Comfy) -> None:
    """So that none can be wrong when a graph is queued, and nodes refuse those that are."""
    from comfy_api.latest import io

    masks = list_inputs(comfy, io.Mask.Input)
    assert masks
    assert all(socket.optional and not isinstance(socket, io.WidgetInput) for _, socket in masks)


def test_every_node_is_checked(comfy: Comfy) -> None:
    kind = comfy.node_module("common.checks").Node
    nodes = comfy.nodes.NODE_CLASS_MAPPINGS
    assert all(issubclass(nodes[name], kind) for name in nodes if name.startswith("ACTalker_"))


@pytest.fixture
def empty_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists offer nothing that tests before have written."""
    folder_paths = importlib.import_module("folder_paths")
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.mark.usefixtures("empty_output")
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_named_at_its_input_before_anything_runs(comfy: Comfy, fault: Fault) -> None:
    run = comfy.queue(make_faulty_graph(comfy, fault))
    assert not run.success
    assert not run.ran
    assert run.error["node_id"] == "fault"
    lines = [line for line in run.message.splitlines() if f": {fault.second_input} - " not in line]
    assert len(lines) == 1, "said once, at the input that is at fault"
    assert f": {fault.input} - " in lines[0]
    for word in (*fault.words, *([PLACE.format(fault.place)] if fault.place else [])):
        assert word in lines[0]


@pytest.mark.parametrize(
    ("node", "values", "links"),
    [
        ("AnimatePhoto", {"seconds": 36_000.0, "max_frames": 10}, ()),
        ("AnimatePhoto", {"seconds": 36_000.0}, ("audio",)),
        ("AnimatePhoto", {"seconds": 4000.0, "fps": 25.0}, ()),
        ("MotionFromIdle", {"seconds": 36_000.0}, ("audio",)),
        ("MotionFromClip", {"neutral_seconds": 0.0}, ()),
        ("MotionFromClip", {"neutral_seconds": -1.0}, ()),
    ],
)
def test_what_can_be_used_is_not_refused(
    comfy: Comfy, node: str, values: dict[str, Any], links: tuple[str, ...]
) -> None:
    execution = importlib.import_module("execution")
    graph = make_faulty_graph(comfy, Fault(node, "", values, links=links))
    valid, *answer = comfy.loop.run_until_complete(execution.validate_prompt("any", graph, None))
    assert valid, answer


def test_each_fault_of_a_node_is_named_at_its_input(comfy: Comfy) -> None:
    values = {"audio_region": "nose", "expression_region": "chin", "grow_px": 9999}
    run = comfy.queue(make_faulty_graph(comfy, Fault("RegionMasks", "audio_region", values)))
    lines = sorted(run.message.splitlines())
    assert len(lines) == 3
    for line, (name, value) in zip(lines, sorted(values.items()), strict=True):
        assert f": {name} - " in line
        assert str(value) in line


def test_what_is_linked_is_checked_when_it_is_known(comfy: Comfy) -> None:
    graph = {
        "text": comfy.node("PrimitiveString", value="0:1 2.5:0 ease"),
        "fault": comfy.node("Curve", curve_text=["text", 0]),
        "gates": comfy.node("Gates", audio_curve=["fault", 0]),
        "end": comfy.node("PreviewAny", source=["gates", 0]),
    }
    run = comfy.queue(graph)
    assert run.ran == ["text", "fault"]
    assert "at character 4" in run.message
