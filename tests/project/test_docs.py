"""Help pages and translations: every node has its own, and nothing is left over."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "web" / "docs"
NODES = json.loads((ROOT / "tests" / "nodes" / "snapshot.json").read_text("utf-8"))
LANGUAGES = ("en", "zh")
NO_NODES = {"ACTalker_Tutorial", "images"}

ITEM = re.compile(r"^- `(\w+)`: ", re.MULTILINE)
MARKUP = re.compile(r"[{}|@]")
"""The front end takes these characters of a translation for placeholders, plurals and links."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def inputs_of(node: str) -> dict[str, str]:
    """The tooltip of each input, in the order of the node."""
    kinds = (NODES[node]["input"].get(kind, {}) for kind in ("required", "optional"))
    return {name: options["tooltip"] for kind in kinds for name, (_, options) in kind.items()}


def locale(language: str, file: str) -> Any:
    return json.loads((ROOT / "locales" / language / file).read_text("utf-8"))


def texts(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a translation, with its keys."""
    if isinstance(values, str):
        yield path, values
        return
    for key, value in values.items():
        yield from texts(value, f"{path}.{key}")


# Help pages --------------------------------------------------------------------------------------


def test_every_node_has_a_help_page_and_no_other_page_is_there() -> None:
    assert {path.stem for path in PAGES.glob("*")} - NO_NODES == set(NODES)


@pytest.mark.parametrize("node", NODES)
def test_a_help_page_lists_the_inputs_and_outputs_of_its_node(node: str) -> None:
    page = (PAGES / f"{node}.md").read_text("utf-8")
    assert page.startswith(f"# {NODES[node]['display_name'].removesuffix(' (ACTalker)')}\n")
    assert first_list(page, "## Inputs") == list(inputs_of(node))
    assert first_list(page, "## Outputs") == NODES[node]["output_name"]
    assert "\n## Tips\n" in page
    assert "\n## Before and after\n" in page


def first_list(page: str, heading: str) -> list[str]:
    """What the items of the first list below a heading name in backticks."""
    items = page.partition(f"\n{heading}\n")[2].partition("\n- ")[2].partition("\n\n")[0]
    return ITEM.findall(f"- {items}")


@pytest.mark.parametrize("page", sorted(PAGES.rglob("*.md")), ids=lambda page: page.stem)
def test_a_help_page_has_no_table(page: Path) -> None:
    """The panel is too narrow for one."""
    assert not re.search(r"^\s*\|", page.read_text("utf-8"), re.MULTILINE)


# Translations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_covers_every_node_and_nothing_else(language: str) -> None:
    definitions = locale(language, "nodeDefs.json")
    assert list(definitions) == list(NODES)
    for node, words in definitions.items():
        assert list(words) == ["display_name", "description", "inputs", "outputs"]
        assert list(words["inputs"]) == list(inputs_of(node)), node
        assert list(words["outputs"]) == [str(i) for i in range(len(NODES[node]["output"]))], node
        for socket in (*words["inputs"].values(), *words["outputs"].values()):
            assert list(socket) == ["name", "tooltip"], node


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_covers_every_category_and_nothing_else(language: str) -> None:
    parts = {part for node in NODES.values() for part in node["category"].split("/")}
    assert set(locale(language, "main.json")["nodeCategories"]) == parts


def test_english_says_what_the_nodes_say() -> None:
    for node, words in locale("en", "nodeDefs.json").items():
        assert words["display_name"] == NODES[node]["display_name"]
        for name, tooltip in inputs_of(node).items():
            text = {"name": name.replace("_", " "), "tooltip": tooltip}
            assert words["inputs"][name] == text, (node, name)
        names = [output["name"] for output in words["outputs"].values()]
        assert names == [name.replace("_", " ") for name in NODES[node]["output_name"]], node


@pytest.mark.parametrize("file", ["nodeDefs.json", "main.json"])
def test_all_languages_have_the_same_keys(file: str) -> None:
    first, *rest = ([key for key, _ in texts(locale(code, file))] for code in LANGUAGES)
    assert all(keys == first for keys in rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_are_plain_text(language: str) -> None:
    for file in ("nodeDefs.json", "main.json"):
        for key, text in texts(locale(language, file)):
            assert text.strip(), key
            assert not MARKUP.search(text), key


def test_chinese_is_chinese() -> None:
    for key, text in texts(locale("zh", "nodeDefs.json")):
        if key.endswith(("tooltip", "description", "display_name")):
            assert CHINESE.search(text), key
