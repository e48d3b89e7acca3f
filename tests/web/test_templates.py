"""Every template as it opens: nothing lies on anything, all is in the first view, no complaint."""

import json
import time
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from helpers.browser import Page
from helpers.http_host import WORKFLOWS, Server

LEFT_PX, TOP_PX = 64, 76
"""What the front end's own bars cover."""
LEAST_SCALE = 8 / 14
"""Below it the canvas of a newer front end leaves out all text (Comfy's smallest font is 8)."""
BOXES = """
const { ds, canvas } = app.canvas, area = canvas.getBoundingClientRect();
return app.graph.nodes.map((node) => {
    const element = LiteGraph.vueNodesMode && document.querySelector(`[data-node-id="${node.id}"]`);
    const box = element && element.getBoundingClientRect();
    const name = `${node.type} ${node.id}`;
    if (box?.width) return [name, box.left, box.top, box.right, box.bottom];
    const x = area.left + (node.pos[0] + ds.offset[0]) * ds.scale;
    const y = area.top + (node.pos[1] - 30 + ds.offset[1]) * ds.scale;
    return [name, x, y, x + node.size[0] * ds.scale, y + (node.size[1] + 30) * ds.scale];
});"""
Box = tuple[str, float, float, float, float]


@pytest.fixture(scope="module")
def gallery(open_page: Page, server: Server) -> Iterator[Page]:
    """A page on which graphs may be opened as templates; each gets a tab.

    As for a new user no pictures are there: over one of several faces a node shows them to choose.
    """
    pictures, aside = server.base / "input", server.base / "input of other tests"
    pictures.rename(aside)
    pictures.mkdir()
    open_page.read_faults()  # of other tests
    open_page.reload()
    yield open_page
    pictures.rename(server.base / f"input of templates {time.monotonic_ns()}")
    aside.rename(pictures)
    open_page.reload()


def measure(page: Page) -> list[Box]:
    """Name, left, top, right and bottom of each node on the screen, once they stay as they are."""
    page.run(
        "const measure = () => { " + BOXES + " };"
        "for (let last = '', same = 0; same < 3; ) {"
        "  await new Promise((go) => setTimeout(go, 100));"
        "  const now = JSON.stringify(measure()); same = now === last ? same + 1 : 0; last = now;"
        "}"
    )
    boxes: list[Box] = page.ask(BOXES)
    return boxes


def overlapping(boxes: list[Box]) -> list[tuple[str, str]]:
    return [
        (first[0], second[0])
        for first, second in combinations(boxes, 2)
        if min(first[3], second[3]) - max(first[1], second[1]) > 1
        and min(first[4], second[4]) - max(first[2], second[2]) > 1
    ]


def open_template(page: Page, name: str, graph: dict[str, Any]) -> None:
    page.run(
        "await app.loadGraphData(values[0], true, true, values[1], { openSource: 'template' })",
        graph,
        name,
    )


def test_what_overlaps_is_seen() -> None:
    boxes = [("a", 0.0, 0.0, 10.0, 10.0), ("b", 8.0, 8.0, 20.0, 20.0), ("c", 9.5, 0.0, 20.0, 8.0)]
    assert overlapping(boxes) == [("a", "b")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_template_opens_whole_and_says_nothing_on_the_console(gallery: Page, path: Any) -> None:
    graph = json.loads(path.read_text("utf-8"))
    open_template(gallery, path.stem, graph)
    boxes = measure(gallery)
    assert len(boxes) == len(graph["nodes"])
    assert not overlapping(boxes)
    width, height = gallery.ask("return [innerWidth, innerHeight]")
    outside = [
        box
        for box in boxes
        if box[1] < LEFT_PX or box[2] < TOP_PX or box[3] > width or box[4] > height
    ]
    assert not outside
    assert gallery.ask("return app.canvas.ds.scale") >= LEAST_SCALE
    assert gallery.read_faults() == [], "a picture that is missing is no error of the page"


def test_templates_come_in_the_order_of_their_numbers(gallery: Page) -> None:
    templates = gallery.run("return (await app.api.getWorkflowTemplates())['actalker']")
    assert templates == [path.stem for path in WORKFLOWS]
