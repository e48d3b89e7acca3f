"""A sound is found over wires that pass reroutes, bypassed nodes and the borders of subgraphs."""

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.browser import Page

CURVE = "ACTalker_Curve"
FIND = (
    "const { findSource } = await import('/extensions/actalker/js/base/wires.js');"
    "const list = [app.graph, ...(app.graph.subgraphs?.values() ?? [])];"
    "const curve = list.flatMap((graph) => [...graph.nodes])"
    "  .find((node) => node.type === 'ACTalker_Curve');"
    "return findSource(curve, 'audio')?.type ?? null;"
)
WRAP = (
    "const chosen = arguments[0].map((id) => app.graph.getNodeById(id));"
    "app.graph.convertToSubgraph(new Set(chosen));"
)


def connect(page: "Page", before: int, after: int, name: str = "audio") -> None:
    page.run(
        "const before = app.graph.getNodeById(arguments[0]);"
        "const after = app.graph.getNodeById(arguments[1]);"
        "const slot = after.inputs.findIndex(({ name }) => name === arguments[2]);"
        "before.connect(0, after, Math.max(slot, 0));",
        before,
        after,
        name,
    )


def test_a_wire_is_followed_past_reroutes_and_a_muted_source_is_none(page: "Page") -> None:
    load, curve = page.add("LoadAudio", 100, 100), page.add(CURVE, 600, 100)
    assert page.run(FIND) is None
    reroute = page.add("Reroute", 450, 100)
    connect(page, load, reroute)
    connect(page, reroute, curve)
    assert page.run(FIND) == "LoadAudio"
    page.run("app.graph.getNodeById(arguments[0]).mode = 2", load)
    assert page.run(FIND) is None


def test_a_bypassed_node_hands_on_what_is_of_its_type(page: "Page") -> None:
    load, curve = page.add("LoadAudio", 100, 100), page.add(CURVE, 600, 100)
    # Its sound is no first input, and goes out as no other of its outputs does.
    between = page.add("VAEDecodeAudio", 300, 100)
    connect(page, load, between, "samples")
    page.run(
        "const [load, between, curve] = arguments[0].map((id) => app.graph.getNodeById(id));"
        "between.mode = 4; between.addInput('sound', 'AUDIO');"
        "load.connect(0, between, between.inputs.length - 1);"
        "between.connect(0, curve, curve.inputs.findIndex(({ name }) => name === 'audio'));",
        [load, between, curve],
    )
    assert page.run(FIND) == "LoadAudio"
    page.run("app.graph.getNodeById(arguments[0]).mode = 0", between)
    assert page.run(FIND) == "VAEDecodeAudio"


def test_what_depends_on_a_node_is_found_by_following_each_wire_once(page: "Page") -> None:
    """Editors ask several times a second, in graphs of hundreds of nodes."""
    nodes = [page.add("ImageInvert", 100, 60 * i) for i in range(30)]
    for before, after in pairwise(nodes):
        connect(page, before, after, "image")
    found, count = page.run(
        "const { listDependents } = await import('/extensions/actalker/js/base/wires.js');"
        "const { graph } = app, { getNodeById } = graph; let count = 0;"
        "graph.getNodeById = function (id) { count++; return getNodeById.call(this, id); };"
        "try {"
        "  const nodes = listDependents(getNodeById.call(graph, arguments[0]));"
        "  return [nodes.map(({ id }) => id), count];"
        "} finally { delete graph.getNodeById; }",
        nodes[4],
    )
    assert found == nodes[5:], "near ones first"
    assert count < 3 * len(nodes)


@pytest.mark.parametrize("inside", ["source", "curve", "both"])
def test_a_wire_is_followed_into_subgraphs_and_out_of_them(page: "Page", inside: str) -> None:
    load, curve = page.add("LoadAudio", 100, 100), page.add(CURVE, 600, 100)
    connect(page, load, curve)
    if inside in ("source", "both"):
        page.run(WRAP, [load])
    if inside in ("curve", "both"):
        page.run(WRAP, [curve])
    assert page.run("return [...app.graph.subgraphs.values()].length") >= 1
    assert page.run(FIND) == "LoadAudio"
