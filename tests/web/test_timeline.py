"""Curves are drawn on the node, and the text of the widget stays their master."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from actalker_core.control.curves import check_curve, parse_curve
from actalker_core.errors import InputError

if TYPE_CHECKING:
    from helpers.browser import Page

CURVE, GATES = "ACTalker_Curve", "ACTalker_Gates"
MODULE = "await import('/extensions/actalker/js/timeline/curve_text.js')"
FPS = 25
CURVES = 200


def write_curve(rng: np.random.Generator) -> str:
    """A text of every kind that the grammar knows."""

    def strength() -> str:
        return f"{rng.random():.3g}"

    def keys() -> str:
        times = np.sort(rng.choice(400, int(rng.integers(1, 7)), replace=False))
        parts = []
        for time in times:
            written = (
                f"{time}f" if rng.random() < 0.3 else f"{time / FPS:g}" + str(rng.choice(["", "s"]))
            )
            ease = str(rng.choice(["", " linear", " hold", " ease"]))
            parts.append(f"{written}:{strength()}{ease}")
        return str(rng.choice([", ", " ;", ",", "\n"])).join(parts)

    def term() -> str:
        kinds = [strength, keys, keys, lambda: " ".join(strength() for _ in range(4))]
        text = kinds[int(rng.integers(len(kinds)))]()
        return "invert " + text if rng.random() < 0.2 else text

    return " * ".join(term() for _ in range(int(rng.integers(1, 4))))


def test_the_page_reads_what_the_pack_reads(page: "Page") -> None:
    rng = np.random.default_rng(0)
    texts = [write_curve(rng) for _ in range(CURVES)]
    curves = page.run(
        f"const {{ readCurve, sampleCurve }} = {MODULE};"
        "return arguments[0].map((text) => [...sampleCurve(readCurve(text), 420, 25)]);",
        texts,
    )
    for text, curve in zip(texts, curves, strict=True):
        np.testing.assert_allclose(curve, parse_curve(text, 420, FPS), atol=2e-6, err_msg=text)


@pytest.mark.parametrize(
    "text",
    ["", "0:1 2.5:0 ease", "0:2", "a", "0:1, 0s:1", "1 *", "envelope x=1", "0:1 slow", "-1:0"],
)
def test_the_page_refuses_what_the_pack_refuses(page: "Page", text: str) -> None:
    with pytest.raises(InputError):
        check_curve(text)
    fault = page.run(
        f"const {{ readCurve }} = {MODULE};"
        "try { readCurve(arguments[0]); } catch (fault) { return fault.message; }",
        text,
    )
    assert "expected" in fault


def test_edits_change_their_key_alone(page: "Page") -> None:
    rng = np.random.default_rng(1)
    texts = [write_curve(rng) for _ in range(CURVES)]
    edits = page.run(
        f"const {{ readCurve, findEditable, addKey, changeKey, removeKey }} = {MODULE};"
        "return arguments[0].map((text) => {"
        "  const added = addKey(text, 17.04, 0.25);"
        "  const find = (from) =>"
        "    findEditable(readCurve(from)).keys.find((key) => key.seconds === 17.04);"
        "  const changed = changeKey(added, find(added), { value: 0.75, ease: 'hold' });"
        "  return [added, changed, removeKey(changed, find(changed))];"
        "});",
        texts,
    )
    for text, (added, changed, removed) in zip(texts, edits, strict=True):
        before, after = (parse_curve(each, 420, FPS).numpy() for each in (text, removed))
        np.testing.assert_allclose(before, after, atol=2e-6, err_msg=f"{text} -> {removed}")
        parse_curve(added, 420, FPS)
        assert added.replace("17.04:0.25", "17.04:0.75 hold") == changed


@pytest.mark.parametrize("fps", [12.5, 25, 26.1])
def test_keys_in_frames_keep_their_time_however_finely_a_curve_is_drawn(
    page: "Page", fps: float
) -> None:
    """The rate of the clip is not known here: a frame is a 25th of a second."""
    curve = page.run(
        f"const {{ readCurve, sampleCurve }} = {MODULE};"
        "return [...sampleCurve(readCurve('0f:0, 50f:1'), 70, arguments[0])];",
        fps,
    )
    np.testing.assert_allclose(curve, np.minimum(np.arange(70) / fps / 2, 1), atol=1e-6)


def test_a_key_is_clicked_dragged_and_deleted(page: "Page") -> None:
    node = page.add(CURVE, 100, 100)
    canvas = page.find_canvas()
    page.drag(canvas, (0.5, 0.5))
    text = page.widget(node, "curve_text")
    assert text.startswith("0:1, ")
    assert len(text.split(",")) == 2
    page.drag(canvas, (0.5, 0.5), (0.7, 0.9))
    moved = page.widget(node, "curve_text")
    assert moved != text
    time, value = moved.split(", ")[1].split(":")
    assert float(value) < 0.35
    assert float(time) > float(text.split(", ")[1].split(":")[0])
    check_curve(moved)
    page.ask(
        "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'Delete', bubbles: true}))",
        canvas,
    )
    assert page.widget(node, "curve_text") == "0:1"


def test_a_text_that_is_typed_is_drawn_and_a_fault_is_named(page: "Page") -> None:
    node = page.add(CURVE, 100, 100)
    page.find_canvas()
    page.ask(
        "const { widgets } = app.graph.getNodeById(arguments[0]);"
        "widgets.find(({ name }) => name == 'curve_text').value = '0:1 2:0'",
        node,
    )
    note = page.wait_for(
        "return document.querySelector('.actalker-editor output.fault')?.textContent"
    )
    assert "a comma before the next key" in note
    assert page.ask(
        "const note = document.querySelector('.actalker-editor output.fault');"
        "return note.scrollWidth <= note.clientWidth && note.clientHeight > 20"
    ), "it is read as a whole"


def test_a_saved_graph_and_a_prompt_keep_a_key(page: "Page") -> None:
    node = page.add(CURVE, 100, 100)
    page.drag(page.find_canvas(), (0.5, 0.5))
    text = page.widget(node, "curve_text")
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    assert [each["widgets_values"] for each in saved["nodes"]] == [[text]]
    prompt = page.run("return (await app.graphToPrompt()).output")
    assert prompt[str(node)]["inputs"] == {"curve_text": text}
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    assert page.widget(node, "curve_text") == text
    page.find_canvas()


def test_undo_takes_a_key_back(page: "Page") -> None:
    page.reload()
    page.run("await app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    node = page.add(CURVE, 100, 100)
    canvas = page.find_canvas()
    tracker = "app.extensionManager.workflow.activeWorkflow.changeTracker"
    # What follows sooner is one step with what was before, to the front end.
    page.run(f"{tracker}.checkState(); await new Promise((go) => setTimeout(go, 300));")
    page.drag(canvas, (0.5, 0.5))
    text = page.widget(node, "curve_text")
    assert text != "1"
    page.run(f"{tracker}.checkState(); await {tracker}.undo();")
    assert page.widget(node, "curve_text") == "1"
    page.run(f"await {tracker}.redo()")
    assert page.widget(node, "curve_text") == text
    # The editor that is seen is that of the node that is there now.
    page.wait_for(
        "const [editor, ...more] = document.querySelectorAll('.actalker-editor');"
        "return !more.length && editor.offsetParent && editor.timeline.node === app.graph.nodes[0]"
    )
    page.drag(page.find_canvas(), (0.8, 0.2))
    assert page.widget(node, "curve_text").startswith(f"{text}, ")


def test_gates_edit_the_curves_that_are_connected(page: "Page") -> None:
    gates = page.add(GATES, 600, 150)
    canvas = page.find_canvas()
    page.drag(canvas, (0.5, 0.3))
    curve = page.wait_for(
        "return app.graph.nodes.find((node) => node.type == 'ACTalker_Curve')?.id"
    )
    text = page.widget(curve, "curve_text")
    assert text.startswith("0:1, ")
    prompt = page.run("return (await app.graphToPrompt()).output")
    assert prompt[str(gates)]["inputs"] == {"audio_curve": [str(curve), 0]}


def test_nothing_is_said_on_the_console_and_nobody_else_is_asked(page: "Page") -> None:
    page.add(CURVE, 100, 100)
    page.find_canvas()
    assert page.read_faults() == []
    assert page.read_hosts() <= {"127.0.0.1", "localhost"}
