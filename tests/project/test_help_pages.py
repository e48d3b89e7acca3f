"""Help pages in both languages: alike, linked, with pictures, and true of their nodes."""

import json
import re
from pathlib import Path

import pytest
from draw_help_pictures import PICTURES, draw_curves, draw_windows
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "web" / "docs"
NODES = json.loads((ROOT / "tests" / "nodes" / "snapshot.json").read_text("utf-8"))
NAMES = [*NODES, "ACTalker_Tutorial"]
MOST_PICTURE_BYTES = 400_000
NARROWEST_PX = 206
"""The width of a page's text in the help panel of ComfyUI 0.3.64."""

HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
ITEM = re.compile(r"^- `(\w+)`(?:: |：|（)", re.MULTILINE)
SOCKETS = re.compile(
    r"^## (?:Inputs|Outputs|输入|输出)\n(?:.+\n|\n(?!-))*\n((?:- .+\n|  .+\n)+)", re.M
)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)]+)\)")
IMAGE = re.compile(r"!\[([^\]]+)\]\(([^)]+)\)")
TARGET = re.compile(r"(ACTalker_\w+)\.md(?:#(.+))?")
CHINESE_TARGET = re.compile(r"\.\./(ACTalker_\w+)/zh\.md(?:#(.+))?")


def read(name: str, language: str) -> str:
    path = PAGES / name / "zh.md" if language == "zh" else PAGES / f"{name}.md"
    return path.read_text("utf-8")


def sockets(page: str) -> list[list[str]]:
    """Names of inputs and of outputs, in order."""
    return [ITEM.findall(items) for items in SOCKETS.findall(page)]


def anchors(page: str) -> set[str]:
    headings = [heading for _, heading in HEADING.findall(page)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(page: str, language: str) -> list[tuple[str, str]]:
    """Page and anchor of every link; a link that leads elsewhere fails."""
    pattern = CHINESE_TARGET if language == "zh" else TARGET
    links = LINK.findall(page)
    matches = [pattern.fullmatch(link) for link in links]
    assert all(matches), links
    return [(match[1], match[2] or "") for match in matches if match]


def test_every_page_is_there_in_chinese_and_no_other_is() -> None:
    assert {path.parent.name for path in PAGES.rglob("zh.md")} == set(NAMES)
    assert {path.name for path in PAGES.glob("*/*.md")} == {"zh.md"}


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_say_the_same(name: str) -> None:
    """Headings, lists, pictures and what is typed are those of the other language."""
    english, chinese = read(name, "en"), read(name, "zh")
    assert [h for h, _ in HEADING.findall(english)] == [h for h, _ in HEADING.findall(chinese)]
    assert sockets(english) == sockets(chinese)
    if name in NODES:
        assert len(sockets(english)) == 2
    images = [[path for _, path in IMAGE.findall(page)] for page in (english, chinese)]
    assert images[0] == images[1]
    codes = [set(CODE.findall(page)) for page in (english, chinese)]
    assert codes[0] ^ codes[1] <= {"`"}, name
    assert {page for page, _ in targets(english, "en")} == {
        page for page, _ in targets(chinese, "zh")
    }
    for line in chinese.split("\n"):
        assert not re.search(
            r"[a-z]{4,} [a-z]{4,} [a-z]{4,}", re.sub(r"\*[^*]+\*|`[^`]+`", "", line)
        )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_pages_and_their_headings(name: str, language: str) -> None:
    links = targets(read(name, language), language)
    for page, anchor in links:
        assert page in NAMES, page
        assert not anchor or anchor in anchors(read(page, language)), anchor
    if name != "ACTalker_Tutorial":
        assert "ACTalker_Tutorial" in [page for page, _ in links]
        assert len({page for page, _ in links}) > 1, "a page leads to its neighbours"


def test_the_tutorial_leads_to_every_page() -> None:
    for language in ("en", "zh"):
        pages = {page for page, _ in targets(read("ACTalker_Tutorial", language), language)}
        assert pages == set(NODES)


@pytest.mark.parametrize("name", NODES)
def test_a_chinese_page_calls_inputs_and_outputs_as_the_node_does(name: str) -> None:
    words = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text("utf-8"))[name]
    page = read(name, "zh")
    assert page.startswith(f"# {words['display_name'].removesuffix(' (ACTalker)')}\n")
    outputs = dict(zip(NODES[name]["output_name"], words["outputs"].values(), strict=True))
    for socket, chinese in (*words["inputs"].items(), *outputs.items()):
        if chinese["name"] != socket:
            assert f"\n- `{socket}`（{chinese['name']}）：" in page, socket


def test_pictures_are_there_and_every_one_is_shown() -> None:
    """The help panel looks for them from the folder of all pages on."""
    pages = [path.read_text("utf-8") for path in PAGES.rglob("*.md")]
    images = {path for page in pages for _, path in IMAGE.findall(page)}
    files = sorted((PAGES / "images").iterdir())
    assert images == {f"images/{path.name}" for path in files}
    assert {path.stem for path in files} == set(PICTURES)
    assert sum(path.stat().st_size for path in files) < MOST_PICTURE_BYTES
    for path in files:
        with Image.open(path) as picture:
            assert 1.4 * NARROWEST_PX < picture.width < 3 * NARROWEST_PX


def test_pictures_can_be_drawn_again() -> None:
    for name, draw in (("curves", draw_curves), ("windows", draw_windows)):
        with Image.open(PAGES / "images" / f"{name}.webp") as picture:
            assert draw(None).size == picture.size
