"""Expressions in words are flags on a timeline, and the text of the widget stays their master."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from actalker_core.control.words.presets import PRESETS
from actalker_core.control.words.prompt import Moment, parse_prompt
from actalker_core.errors import InputError

if TYPE_CHECKING:
    from helpers.browser import Page

WORDS = "ACTalker_MotionFromWords"
MODULE = "await import('/extensions/actalker/js/timeline/prompt_text.js')"
PROMPTS = 200
FREE_SECONDS = 17.04


def write_prompt(rng: np.random.Generator) -> str:
    """A text of every kind that the grammar knows."""

    def words() -> str:
        kinds = [*PRESETS, "a sly, crooked smile", "3 times happy", "calm: but alert", "平静 的脸"]
        return str(rng.choice(kinds))

    if rng.random() < 0.1:
        return f" {words()} ".replace(":", "")
    parts = []
    for time in rng.choice(400, int(rng.integers(1, 7)), replace=False):
        number = f"{time / 25:g}" if rng.random() < 0.7 else f"{time / 25:.4f}"
        unit = str(rng.choice(["", "s", " s"]))
        parts.append(f"{number}{unit}{rng.choice([':', ': ', ' : '])}{words()}")
    gap = str(rng.choice(["; ", ";", " ;\n", "\n"]))
    return gap.join(parts) + str(rng.choice(["", gap]))


def list_moments(rows: list[tuple[float, str]]) -> list[Moment]:
    return sorted((Moment(time, words) for time, words in rows), key=lambda m: m.seconds)


def test_the_page_reads_and_edits_prompts_as_the_pack_reads_them(page: "Page") -> None:
    rng = np.random.default_rng(0)
    texts = [write_prompt(rng) for _ in range(PROMPTS)]
    results = page.run(
        f"const {{ readPrompt, addMoment, changeMoment, removeMoment }} = {MODULE};"
        "const [texts, free] = arguments;"
        "return texts.map((text) => {"
        "  const moments = readPrompt(text);"
        "  const read = moments.map(({ seconds, words }) => [seconds, words]);"
        "  const added = addMoment(text, free, 'kiss');"
        "  const find = (from, at) => readPrompt(from).find(({ seconds }) => seconds === at);"
        "  const moved = changeMoment(added, find(added, free), { seconds: free + 1 });"
        "  const written = { words: ' joy; 2s: x, 3s: y' };"
        "  const named = changeMoment(moved, find(moved, free + 1), written);"
        "  const removed = removeMoment(named, find(named, free + 1));"
        "  const renamed = changeMoment(text, moments[0], { words: 'joy: oh' });"
        "  return { read, added, moved, named, removed, renamed };"
        "});",
        texts,
        FREE_SECONDS,
    )
    for text, result in zip(texts, results, strict=True):
        before = parse_prompt(text)
        first = result["read"][0]
        others = [moment for moment in before if moment != Moment(*first)]
        assert list_moments(result["read"]) == before, text
        for edit, moment in (
            ("added", Moment(FREE_SECONDS, "kiss")),
            ("moved", Moment(FREE_SECONDS + 1, "kiss")),
            ("named", Moment(FREE_SECONDS + 1, "joy 2s x 3s y")),
        ):
            assert parse_prompt(result[edit]) == [*before, moment], (text, edit)
        assert parse_prompt(result["removed"]) == before, text
        renamed = [*others, Moment(first[0], "joy: oh")]
        assert parse_prompt(result["renamed"]) == sorted(renamed, key=lambda m: m.seconds), text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ",
        "joy; 2s: fear",
        "0s:",
        "0s: joy, 2s: fear",
        "0: joy 2: fear",
        "-1: joy",
        "1: a; 1s: b",
    ],
)
def test_the_page_refuses_the_prompts_that_the_pack_refuses(page: "Page", text: str) -> None:
    with pytest.raises(InputError):
        parse_prompt(text)
    fault = page.run(
        f"const {{ readPrompt }} = {MODULE};"
        "try { readPrompt(arguments[0]); } catch (fault) { return fault.message; }",
        text,
    )
    assert "expected" in fault


def test_every_expression_that_is_known_by_name_is_offered(page: "Page") -> None:
    page.add(WORDS, 100, 100)
    page.find_canvas()
    offered = page.ask(
        "return [...document.querySelectorAll('.actalker-editor datalist option')]"
        ".map(({ value }) => value)"
    )
    assert sorted(offered) == sorted(PRESETS)


def test_a_flag_is_added_named_dragged_and_deleted(page: "Page") -> None:
    node = page.add(WORDS, 100, 100)
    canvas = page.find_canvas()
    assert page.widget(node, "text") == "0s: neutral; 2s: joyful"
    page.drag(canvas, (0.75, 0.85))
    added = parse_prompt(page.widget(node, "text"))
    assert [moment.text for moment in added] == ["neutral", "joyful", "neutral"]
    # A new flag waits for its name.
    name = page.wait_for(
        "return document.activeElement.matches('.actalker-editor input') && document.activeElement"
    )
    name.send_keys("fear\n")
    named = parse_prompt(page.widget(node, "text"))
    assert [moment.text for moment in named] == ["neutral", "joyful", "fear"]
    assert named[2].seconds == pytest.approx(3, abs=0.05)
    page.drag(canvas, (0.75, 0.85), (0.3, 0.85))
    dragged = parse_prompt(page.widget(node, "text"))
    assert [moment.text for moment in dragged] == ["neutral", "fear", "joyful"]
    assert dragged[1].seconds == pytest.approx(1.2, abs=0.05)
    page.ask(
        "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'Delete', bubbles: true}))",
        canvas,
    )
    assert page.widget(node, "text") == "0s: neutral; 2s: joyful"


@pytest.mark.parametrize(
    ("name", "widget", "text"),
    [
        ("ACTalker_AnimatePhoto", "text", ""),
        ("ACTalker_TextExpression", "text", "neutral"),
        ("ACTalker_BankOfSignal", "moments", "neutral"),
    ],
)
def test_the_last_flag_leaves_a_text_that_can_be_queued(
    page: "Page", name: str, widget: str, text: str
) -> None:
    node = page.add(name, 100, 60)
    page.run(
        "app.graph.getNodeById(arguments[0]).widgets"
        ".find(({ name }) => name === arguments[1]).value = '0s: joy';"
        "await new Promise((go) => setTimeout(go, 300));"
        "app.canvas.ds.offset = [0, 60 - app.graph.getNodeById(arguments[0]).size[1] + 400];"
        "app.canvas.setDirty(true, true);",
        node,
        widget,
    )
    canvas = page.find_canvas()
    page.drag(canvas, (0.02, 0.4))
    page.ask(
        "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'Delete', bubbles: true}))",
        canvas,
    )
    assert page.widget(node, widget) == text
