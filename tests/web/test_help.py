"""Help pages in the front end's panel, the window of linked pages, and the ways to the tutorial."""

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.browser import Page
from helpers.host import REPOSITORY
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

WIDEST = ("ACTalker_Curve", "ACTalker_EditSignal", "ACTalker_FaceEditor", "ACTalker_LoadMotion")
"""Nodes whose pages have pictures, or the longest words."""
TUTORIAL = "ACTalker_Tutorial"
READER = "document.querySelector('.actalker-reader')"
LOOK = """
const content = document.querySelector('.node-help-content .markdown-content');
const width = content.getBoundingClientRect().right;
const inside = [...content.querySelectorAll('*')];
return {
    text: content.innerText,
    wide: inside.filter((e) => e.getBoundingClientRect().right > width + 1
        || (e.clientWidth && e.scrollWidth > e.clientWidth + 1)).map((e) => e.outerHTML),
    broken: [...content.querySelectorAll('img')].filter((e) => !e.naturalWidth).map((e) => e.src),
};"""


@pytest.fixture(params=["en", "zh"], scope="module")
def language(request: pytest.FixtureRequest, open_page: Page) -> Iterator[str]:
    """The language of the front end, from its first test to the last of this file."""
    if request.param != "en":
        open_page.choose_language(request.param)
    yield request.param
    if request.param != "en":
        open_page.choose_language("en")


@pytest.fixture(autouse=True)
def close_reader(page: Page) -> Iterator[None]:
    yield
    page.ask(f"{READER}?.remove()")
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    # A menu that stays would take the next test's clicks; Nodes 2.0 closes it on one elsewhere.
    page.wait_for("document.body.click(); return !document.querySelector('.p-contextmenu')")


def open_help(page: Page, node_type: str, language: str = "en") -> dict[str, Any]:
    """Choose a new node and open its help in the front end's panel: how the page looks there."""
    page.clear()
    node = page.add(node_type, 400, 150)
    page.ask("app.canvas.selectNode(app.graph.getNodeById(arguments[0]))", node)
    title = read_title(node_type, language)
    heading = "document.querySelector('.node-help-content .markdown-content h1')"
    has_title = f"{heading}?.innerText === {title!r}"
    if not page.ask(f"return {has_title}"):
        # By script, as the front end may still be moving its toolbox to the node.
        button = "document.querySelector('[data-testid=info-button]')"
        page.wait_for(f"{button}?.click(); return !!{button}")
    page.wait_for(
        f"return {has_title} && [...document.querySelectorAll('.markdown-content img')]"
        ".every((e) => e.complete)"
    )
    return page.ask(LOOK)


def read_title(name: str, language: str) -> str:
    """The heading of a page."""
    docs = REPOSITORY / "web" / "docs"
    path = docs / name / "zh.md" if language == "zh" else docs / f"{name}.md"
    return path.read_text("utf-8").split("\n")[0].removeprefix("# ")


def menu_entry(page: Page, node: int, words: str) -> Any:
    """An entry of the menu that a right click on a node opens."""
    x, y = page.ask(
        "const { pos } = app.graph.getNodeById(arguments[0]), { ds, canvas } = app.canvas;"
        "const box = canvas.getBoundingClientRect();"
        "return [box.left + (pos[0] + 70 + ds.offset[0]) * ds.scale,"
        " box.top + (pos[1] - 15 + ds.offset[1]) * ds.scale]",
        node,
    )
    chain = ActionChains(page.driver)
    chain.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    chain.context_click().perform()
    return page.wait_for(
        "return [...document.querySelectorAll('.litemenu-entry, [role=menuitem]')]"
        f".find((entry) => entry.innerText.trim() === {words!r})"
    )


def test_the_window_follows_links_and_goes_back(page: Page) -> None:
    open_help(page, "ACTalker_Gates")
    page.ask(
        "[...document.querySelectorAll('.node-help-content a')]"
        ".find((a) => a.getAttribute('href').includes('ACTalker_Curve')).click()"
    )
    page.wait_for(f"return {READER}?.querySelector('h1').innerText === 'Curve'")
    assert page.ask(f"return {READER}.querySelector('img').src").endswith(
        "/docs/images/curves.webp"
    )
    page.ask(f"[...{READER}.querySelectorAll('a')].at(-1).click()")
    page.wait_for(f"return {READER}.querySelector('h1').innerText === 'Tutorial'")
    page.ask(f"{READER}.querySelector('button').click()")
    page.wait_for(f"return {READER}.querySelector('h1').innerText === 'Curve'")
    assert page.ask(f"return {READER}.querySelector('button').disabled")
    page.ask(f"{READER}.querySelector('button:last-of-type').click()")
    assert not page.ask(f"return !!{READER}")


def test_a_node_of_another_pack_has_no_such_entry(page: Page) -> None:
    node = page.add("LoadImage", 400, 150)
    menu_entry(page, node, "Remove")
    entries = "[...document.querySelectorAll('.litemenu-entry, [role=menuitem]')]"
    assert "ACTalker" not in page.ask(f"return {entries}.map((e) => e.innerText).join()")
    page.ask("LiteGraph.closeAllContextMenus()")


def test_the_tutorial_is_a_command_of_the_help_menu(page: Page) -> None:
    page.run("await app.extensionManager.command.execute('ACTalker.Tutorial')")
    page.wait_for(f"return {READER}?.querySelector('h1').innerText === 'Tutorial'")
    assert page.ask(f"return {READER}.querySelectorAll('h2').length") > 10


def test_keys_and_copies_in_the_window_do_not_reach_the_graph(page: Page) -> None:
    page.add("ACTalker_Curve", 400, 150)
    page.run("await app.extensionManager.command.execute('ACTalker.Tutorial')")
    page.wait_for(f"return !!{READER}")
    page.ask("app.canvas.selectNode(app.graph.nodes[0])")
    page.ask(
        f"const article = {READER}.querySelector('article');"
        "for (const key of ['Delete', 'Backspace'])"
        "article.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"
    )
    assert page.ask("return app.graph.nodes.length") == 1
    page.ask(
        f"{READER}.querySelector('article').dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))"
    )
    assert not page.ask(f"return !!{READER}")


def test_the_console_names_no_fault_but_pages_of_no_language(page: Page) -> None:
    """The front end asks for a page in its language first, and then for that of all others."""
    open_help(page, "ACTalker_Gates")
    assert all("/en.md" in line and "404" in line for line in page.read_faults())
    assert page.read_hosts() <= {"127.0.0.1"}


def test_pages_fit_the_panel(page: Page, language: str) -> None:
    for node_type in WIDEST:
        look = open_help(page, node_type, language)
        assert not look["wide"], node_type
        assert not look["broken"], node_type
        assert not any(sign in look["text"] for sign in ("**", "](", "`", "|")), node_type


def test_a_link_of_the_panel_opens_the_page_that_it_names(page: Page, language: str) -> None:
    open_help(page, "ACTalker_Gates", language)
    link = page.ask(
        "return [...document.querySelectorAll('.node-help-content a')]"
        ".find((a) => a.getAttribute('href').includes('ACTalker_Tutorial'))"
    )
    section = link.text
    page.ask("arguments[0].scrollIntoView()", link)
    link.click()
    page.wait_for(
        f"return {READER}?.querySelector('h1').innerText === {read_title(TUTORIAL, language)!r}"
    )
    assert len(page.driver.window_handles) == 1
    top = page.wait_for(
        f"const reader = {READER}.querySelector('article');"
        "const { top } = reader.getBoundingClientRect();"
        "const near = (e) => Math.abs(e.getBoundingClientRect().top - top) < 80;"
        "return reader.scrollTop && [...reader.querySelectorAll('h2')].find(near)?.innerText"
    )
    assert top == section
    assert page.ask(
        f"const box = {READER}.getBoundingClientRect(); const front = document.elementFromPoint("
        "box.right - 40, box.top + box.height / 2); return !!front.closest('.actalker-reader')"
    )


@pytest.mark.parametrize("node_type", ["ACTalker_FaceEditor", "ACTalker_Gates"])
def test_the_tutorial_is_in_the_menu_of_a_node(page: Page, node_type: str, language: str) -> None:
    node = page.add(node_type, 400, 150)
    words = {"en": "ACTalker tutorial", "zh": "ACTalker 教程"}[language]
    menu_entry(page, node, words).click()
    page.wait_for(
        f"return {READER}?.querySelector('h1').innerText === {read_title(TUTORIAL, language)!r}"
    )
