"""No node of an example graph lies on another, on the canvas and in Nodes 2.0."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from helpers.http_host import IN_BROWSER_ONLY, WORKFLOWS, Graph, Server

TITLE_PX = 30
NARROWEST_PX = 225
TALLER_PX, UNFOLDED_PX = 50, 90
"""How much taller than on the canvas nodes were measured in Nodes 2.0 at most, and with their
advanced inputs unfolded."""
PICTURE_PX, REPORT_PX = 240, 180
"""Room for what a node shows once it has run."""
WARNING_PX, FRAME_PX = 150, 220
"""Room for what a node warns of, and for the last frame that it has drawn."""
PREVIEW_PX = 280
"""Room for the frames while they are sampled."""
WARNING = ("MotionFromClip", "Conditioning")
SAMPLING = ("Sampler", "Talk", "SamplerCustomAdvanced")
DRAWING = (
    *("AnimatePhoto", "MotionToFrames", "FaceEditor", "GeometryImages", "SwapStart"),
    *("RefineWithTGDM", "TrainPersonal", "FaceSwap"),
)
Box = tuple[float, float, float, float]

GRAPHS = [pytest.param(path, id=path.stem) for path in WORKFLOWS]


def graph_of(path: Path) -> Graph:
    return json.loads(path.read_text("utf-8"))


def on_canvas(node: Graph) -> Box:
    """Left, top, right and bottom, title included."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE_PX, x + width, y + height


def once_run(node: Graph) -> Box:
    left, top, right, bottom = on_canvas(node)
    name = node["type"].removeprefix("ACTalker_")
    room = WARNING_PX * (name in WARNING + DRAWING) + FRAME_PX * (name in DRAWING)
    room += PREVIEW_PX * (name in SAMPLING)
    return left, top, right, bottom + room


def in_nodes_2(node: Graph, info: dict[str, Any]) -> Box:
    left, top, right, bottom = on_canvas(node)
    if node["type"] in IN_BROWSER_ONLY:
        return left, top, right, bottom
    inputs = info[node["type"]]["input"]
    folded = any(
        more and more[0].get("advanced")
        for kind in ("required", "optional")
        for _, *more in inputs.get(kind, {}).values()
    )
    return (
        left,
        top,
        max(right, left + NARROWEST_PX),
        bottom + (UNFOLDED_PX if folded else TALLER_PX),
    )


def overlapping(boxes: dict[str, Box]) -> list[tuple[str, str]]:
    return [
        (first, second)
        for (first, a), (second, b) in combinations(boxes.items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def test_what_overlaps_is_told() -> None:
    node = {"type": "MarkdownNote", "size": [100, 50]}
    above, below = ({**node, "pos": [0, y]} for y in (0, 79))
    assert overlapping({"a": on_canvas(above), "b": on_canvas(below)}) == [("a", "b")]
    below["pos"] = [0, 80]
    assert not overlapping({"a": on_canvas(above), "b": on_canvas(below)})


@pytest.mark.parametrize("path", GRAPHS)
def test_no_node_lies_on_another(path: Path, server: Server) -> None:
    nodes = {f"{node['type']} {node['id']}": node for node in graph_of(path)["nodes"]}
    assert not overlapping({name: on_canvas(node) for name, node in nodes.items()})
    assert not overlapping({name: once_run(node) for name, node in nodes.items()})
    assert not overlapping({name: in_nodes_2(node, server.info) for name, node in nodes.items()})


@pytest.mark.parametrize("path", GRAPHS)
def test_what_a_node_shows_has_room(path: Path) -> None:
    for node in graph_of(path)["nodes"]:
        widgets = len(node.get("widgets_values") or [])
        least = {"PreviewImage": PICTURE_PX, "ACTalker_Preflight": 24 * widgets + REPORT_PX}
        assert node["size"][1] >= least.get(node["type"], 0), node["type"]


@pytest.mark.parametrize("path", GRAPHS)
def test_notes_are_legible_in_nodes_2(path: Path) -> None:
    """It shows code in blue on blue."""
    notes = [node for node in graph_of(path)["nodes"] if node["type"] in IN_BROWSER_ONLY]
    assert notes
    assert not any("`" in text for note in notes for text in note["widgets_values"])
