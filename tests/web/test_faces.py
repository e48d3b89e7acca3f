"""Faces are numbered on the node, and a click chooses the one that is prepared."""

from typing import TYPE_CHECKING

import pytest
from helpers.group_picture import DARK, LARGE, SMALL, place
from helpers.http_host import Server
from helpers.portrait_graph import PortraitGraph

if TYPE_CHECKING:
    from helpers.browser import Page

TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"


@pytest.fixture
def graph(page: "Page", server: Server) -> PortraitGraph:
    graph = PortraitGraph(page, server)
    graph.note("faces", "2 faces")
    return graph


def chosen(graph: PortraitGraph) -> tuple[str, int, str]:
    widgets = [graph.page.widget(graph.prepare, n) for n in ("face", "face_index", "face_box")]
    return tuple(widgets)  # type: ignore[return-value]


def test_a_face_that_is_clicked_is_prepared(graph: PortraitGraph) -> None:
    canvas, page = graph.canvas("faces"), graph.page
    graph.set(graph.prepare, "expand", 1.5)
    image = graph.save(graph.prepare, 1)
    page.drag(canvas, place(*SMALL, canvas))
    assert chosen(graph) == ("index", 0, "")
    (small,) = graph.run(image)
    page.drag(canvas, place(*LARGE, canvas))
    assert chosen(graph) == ("index", 1, "")
    (large,) = graph.run(image)
    assert small.shape == large.shape == (512, 512, 3)
    middle = (slice(200, 312), slice(200, 312))
    assert abs(small[middle].mean() / large[middle].mean() - DARK) < 0.1


def test_a_box_that_is_dragged_is_the_face(graph: PortraitGraph) -> None:
    canvas, page = graph.canvas("faces"), graph.page
    page.drag(canvas, place(200, 40, canvas), place(250, 120, canvas), place(300, 200, canvas))
    face, _, box = chosen(graph)
    assert face == "largest"
    for edge, expected in zip(box.split(","), (200, 40, 300, 200), strict=True):
        assert abs(int(edge) - expected) <= 3
    graph.note("faces", "the box that is drawn")
    page.drag(canvas, place(*LARGE, canvas))
    assert chosen(graph) == ("index", 1, "")


def test_what_is_chosen_is_said(graph: PortraitGraph) -> None:
    graph.set(graph.prepare, "face", "index")
    graph.set(graph.prepare, "face_index", 2)
    graph.note("faces", "face_index is 2, but there are 2 faces")
    graph.set(graph.prepare, "face", "whole picture")
    graph.note("faces", "whole picture")
    graph.set(graph.prepare, "face", "right")
    graph.note("faces", "2 faces")


def test_a_picture_without_a_face_says_what_to_do(graph: PortraitGraph) -> None:
    graph.set(graph.load, "image", "blank.png")
    graph.note("faces", "No face is found. Drag a box")
    canvas = graph.canvas("faces")
    graph.page.drag(canvas, (0.4, 0.4), (0.5, 0.5), (0.6, 0.6))
    assert chosen(graph)[2]
    graph.note("faces", "the box that is drawn")


def test_a_picture_that_is_missing_is_named(graph: PortraitGraph) -> None:
    graph.set(graph.load, "image", "missing.png")
    graph.note("faces", "'missing.png [input]'. Choose it anew in Load Image.")


def test_faces_of_another_node_are_shown_after_a_run(graph: PortraitGraph) -> None:
    page = graph.page
    flip = page.add("ImageScaleBy", 40, 600)
    graph.connect(graph.load, 0, flip, "image")
    graph.connect(flip, 0, graph.prepare, "image")
    graph.set(flip, "scale_by", 1.5)
    graph.note("faces", "Run once")
    graph.run(graph.save(graph.prepare, 1))
    graph.note("faces", "2 faces")
    canvas = graph.canvas("faces")
    page.drag(canvas, place(*SMALL, canvas))
    assert chosen(graph) == ("index", 0, "")


def test_faces_are_shown_where_the_whole_run_is_in_the_cache(
    graph: PortraitGraph, server: Server
) -> None:
    """As when a graph that has run is opened again."""
    if "has_intermediate_output" not in server.info["ACTalker_PreparePortrait"]:
        pytest.skip("this ComfyUI says nothing of nodes that it takes from its cache")
    page = graph.page
    flip = page.add("ImageScaleBy", 40, 600)
    graph.connect(graph.load, 0, flip, "image")
    graph.connect(flip, 0, graph.prepare, "image")
    image = graph.save(graph.prepare, 1)
    graph.run(image)
    graph.note("faces", "2 faces")
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    graph.note("faces", "Run once")
    graph.run(image)
    graph.note("faces", "2 faces")


def test_a_choice_lasts_and_can_be_undone(page: "Page", server: Server) -> None:
    page.reload()
    graph = PortraitGraph(page, server)
    graph.note("faces", "2 faces")
    canvas = graph.canvas("faces")
    page.run(f"{TRACKER}.checkState(); await new Promise((go) => setTimeout(go, 300));")
    page.drag(canvas, place(*SMALL, canvas))
    assert chosen(graph) == ("index", 0, "")
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    page.run(f"{TRACKER}.checkState(); await {TRACKER}.undo();")
    assert chosen(graph) == ("largest", 0, "")
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    assert chosen(graph) == ("index", 0, "")


def test_nothing_is_said_on_the_console_and_nobody_else_is_asked(graph: PortraitGraph) -> None:
    canvas = graph.canvas("faces")
    graph.page.drag(canvas, place(*LARGE, canvas))
    assert graph.page.read_faults() == []
    assert graph.page.read_hosts() <= {"127.0.0.1", "localhost"}
