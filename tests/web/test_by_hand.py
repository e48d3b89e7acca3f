"""A graph that somebody makes by hand, from the search of nodes to the picture on the last one."""

from typing import TYPE_CHECKING

import pytest
from helpers.hopper import write_hopper
from helpers.http_host import Server
from helpers.recorded_faces import needs_model
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from helpers.browser import Page

PICTURE = "hopper.png"
SEARCH = "return document.activeElement?.tagName == 'INPUT'"


@pytest.fixture
def photograph(server: Server) -> str:
    """Of a real person, in the folder that Load Image lists."""
    write_hopper(server.base / "input" / PICTURE)
    return PICTURE


def search(page: "Page", words: str, x: int, y: int) -> None:
    """Take a node out of the search that a double click opens, and lay it down there."""
    canvas = page.driver.find_element("css selector", "#graph-canvas")
    count = page.ask("return app.graph.nodes.length")
    place = ActionChains(page.driver).move_to_element_with_offset(canvas, x, y)
    place.double_click().perform()
    page.wait_for(SEARCH)
    ActionChains(page.driver).send_keys(words).perform()
    page.wait_for(f"return document.body.innerText.includes({words!r})")
    ActionChains(page.driver).pause(0.5).send_keys(Keys.ENTER).perform()
    page.wait_for(f"return app.graph.nodes.length == {count + 1}")
    ActionChains(page.driver).move_to_element_with_offset(canvas, x, y).click().perform()


@needs_model
def test_a_graph_from_the_search_of_nodes_runs(page: "Page", photograph: str) -> None:
    page.reload()  # so that Load Image lists the picture
    for i, words in enumerate(("Load Image", "Animate Photo", "Preview Image")):
        search(page, words, -500 + 400 * i, -250)
    types = page.ask("return app.graph.nodes.map((node) => node.type)")
    assert types == ["LoadImage", "ACTalker_AnimatePhoto", "PreviewImage"]
    page.ask(
        "const [load, animate, preview] = app.graph.nodes;"
        "const set = (node, name, value) => {"
        "  node.widgets.find((widget) => widget.name == name).value = value; };"
        "set(load, 'image', arguments[0]); set(animate, 'seconds', 0.2);"
        "load.connect(0, animate, 'portrait_image'); animate.connect(0, preview, 'images');",
        photograph,
    )
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(
        Keys.CONTROL
    ).perform()
    images = page.wait_for("return app.nodeOutputs[app.graph.nodes[2].id]?.images?.length")
    assert images == 5
