"""Nodes that move a face show the faces of their picture where there are several to choose from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from helpers.group_picture import LARGE, SMALL, place
from helpers.http_host import Server
from helpers.portrait_graph import BLANK, HALF, PICTURE, PictureGraph

if TYPE_CHECKING:
    from helpers.browser import Page

MIDDLE_PX = 300
"""Where the picture's left face ends and its right one has not begun."""
INPUTS = {
    "AnimatePhoto": "portrait_image",
    "MotionToFrames": "portrait_image",
    "RefineWithTGDM": "portrait_image",
    "GeometryImages": "portrait_image",
    "FaceSwap": "target_frames",
    "SwapStart": "target_frames",
    "Talk": "portrait_image",
    "TrainPersonal": "frames",
}
EDITOR = "document.querySelector('[data-editor=faces]')"
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
Show = Callable[[str], tuple[PictureGraph, int]]


@pytest.fixture
def show(page: "Page", server: Server) -> Show:
    """Put a node behind the picture of two faces: the graph and the node."""

    def show_node(name: str) -> tuple[PictureGraph, int]:
        graph = PictureGraph(page, server)
        node = page.add(f"ACTalker_{name}", 360, 100)
        graph.connect(graph.load, 0, node, INPUTS[name])
        graph.note("faces", "2 faces")
        page.ask(
            "const { pos, size } = app.graph.getNodeById(arguments[0]);"
            "app.canvas.ds.offset[1] = Math.min(0, innerHeight - pos[1] - size[1] - 120);"
            "app.canvas.setDirty(true, true);",
            node,
        )
        page.wait_for(f"return {EDITOR}.getBoundingClientRect().bottom < innerHeight")
        return graph, node

    return show_node


def choice(graph: PictureGraph, node: int) -> tuple[str, int]:
    face, index = (graph.page.widget(node, name) for name in ("face", "face_index"))
    return face, index


def height(graph: PictureGraph, node: int) -> float:
    return float(graph.page.ask("return app.graph.getNodeById(arguments[0]).size[1]", node))


def test_the_face_that_is_clicked_moves_and_the_other_stays(show: Show) -> None:
    graph, node = show("AnimatePhoto")
    page, canvas = graph.page, graph.canvas("faces")
    graph.set(node, "text", "joy")
    graph.set(node, "idle", 0)
    graph.set(node, "max_frames", 1)
    saved = graph.save(node, 0)
    still = cv2.imread(str(graph.server.base / "input" / PICTURE))[..., ::-1]
    for spot, index in ((SMALL, 0), (LARGE, 1)):
        page.drag(canvas, place(*spot, canvas))
        assert choice(graph, node) == ("index", index)
        (frame,) = graph.run(saved)
        assert frame.shape == still.shape
        change = np.abs(frame.astype(int) - still).max(axis=(0, 2))
        of_face, of_other = change[:MIDDLE_PX], change[MIDDLE_PX:]
        if index == 1:
            of_face, of_other = of_other, of_face
        assert of_face.max() > 30
        assert of_other.max() == 0


@pytest.mark.parametrize("name", INPUTS)
def test_a_click_chooses_on_each_node(show: Show, name: str) -> None:
    graph, node = show(name)
    canvas = graph.canvas("faces")
    graph.page.drag(canvas, place(*SMALL, canvas))
    assert choice(graph, node) == ("index", 0)
    graph.page.drag(canvas, (0.5, 0.9), (0.6, 0.95))
    assert choice(graph, node) == ("index", 0), "no box is dragged here"


def test_it_comes_and_goes_with_what_there_is_to_choose(show: Show) -> None:
    graph, node = show("MotionToFrames")
    page, tall = graph.page, height(graph, node)
    graph.set(graph.load, "image", HALF)
    page.wait_for(f"return {EDITOR} == null")
    assert height(graph, node) < tall - 150
    graph.set(node, "face", "index")
    graph.set(node, "face_index", 3)
    graph.note("faces", "face_index is 3, but there are 1 faces")
    graph.set(node, "face_index", 0)
    page.wait_for(f"return {EDITOR} == null")
    graph.set(graph.load, "image", BLANK)
    graph.note("faces", "No face is found")
    graph.set(graph.load, "image", PICTURE)
    graph.note("faces", "2 faces")
    assert height(graph, node) == tall


def test_a_number_of_faces_that_nobody_sees_says_where_to_see_them(show: Show) -> None:
    graph, node = show("GeometryImages")
    page = graph.page
    invert = page.add("ImageInvert", 40, 600)
    graph.connect(graph.load, 0, invert, "image")
    graph.connect(invert, 0, node, INPUTS["GeometryImages"])
    page.wait_for(f"return {EDITOR} == null")
    graph.set(node, "face", "index")
    graph.note("faces", "give it to Prepare Portrait, too, and run")
    page.ask("app.graph.getNodeById(arguments[0]).mode = 4", invert)
    graph.note("faces", "2 faces")
    reroute = page.add("Reroute", 40, 700)
    graph.connect(graph.load, 0, reroute, "")
    graph.connect(reroute, 0, node, INPUTS["GeometryImages"])
    graph.note("faces", "2 faces")


def test_a_choice_lasts_and_can_be_undone(page: "Page", show: Show) -> None:
    page.reload()
    graph, node = show("AnimatePhoto")
    canvas = graph.canvas("faces")
    page.run(f"{TRACKER}.checkState(); await new Promise((go) => setTimeout(go, 300));")
    page.drag(canvas, place(*SMALL, canvas))
    assert choice(graph, node) == ("index", 0)
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    page.run(f"{TRACKER}.checkState(); await {TRACKER}.undo();")
    assert choice(graph, node) == ("largest", 0)
    graph.note("faces", "2 faces")
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    assert choice(graph, node) == ("index", 0)
    graph.note("faces", "2 faces")
    again = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    of_node = [graph_saved["nodes"][-1] for graph_saved in (saved, again)]
    assert of_node[0]["widgets_values"] == of_node[1]["widgets_values"]
    assert of_node[0]["size"] == of_node[1]["size"]


def test_nothing_is_said_on_the_console_and_nobody_else_is_asked(show: Show) -> None:
    graph, _ = show("AnimatePhoto")
    graph.page.drag(graph.canvas("faces"), place(*LARGE, graph.canvas("faces")))
    assert graph.page.read_faults() == []
    assert graph.page.read_hosts() <= {"127.0.0.1", "localhost"}
