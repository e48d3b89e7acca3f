"""What is drawn on the node is in what the graph makes, and lasts as the graph does."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from helpers.browser import LOAD_SECONDS
from helpers.http_host import Server

from actalker_core.control.curves import parse_curve
from actalker_core.control.motion.signal import load_motion
from actalker_core.control.signals import ExpressionSignal, Signals, load_signals, save_signals
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.groups import GROUP_BLENDSHAPES

if TYPE_CHECKING:
    from helpers.browser import Page

CURVE = "ACTalker_Curve"
WORDS, MIX, SAVE = "ACTalker_MotionFromWords", "ACTalker_MixMotion", "ACTalker_SaveMotion"
EDIT, BLEND = "ACTalker_EditMotion", "ACTalker_MixSignals"
LOAD, SAVE_SIGNALS = "ACTalker_LoadSignals", "ACTalker_SaveSignals"
SECONDS, FPS = 2, 25
JOY = {"text": "joy", "seconds": SECONDS}


def build(page: "Page", prefix: str) -> int:
    """Joy that comes over a calm face as a curve says, and is saved: the node of the curve."""
    curve = page.add(CURVE, 100, 80)
    calm, joy = page.add(WORDS, 100, 400), page.add(WORDS, 450, 400)
    mix, save = page.add(MIX, 800, 80), page.add(SAVE, 1150, 80)
    page.run(
        "const [curve, calm, joy, mix, save] = arguments[0].map((id) => app.graph.getNodeById(id));"
        "const set = (node, name, value) =>"
        "  (node.widgets.find((widget) => widget.name === name).value = value);"
        "for (const [node, text] of [[calm, 'neutral'], [joy, 'joy']]) {"
        "  set(node, 'text', text); set(node, 'seconds', arguments[1]);"
        "}"
        "for (const name of ['mouth', 'eyes', 'brows', 'cheeks']) set(mix, name, 1);"
        "set(save, 'filename_prefix', arguments[2]);"
        "calm.connect(0, mix, 0); joy.connect(0, mix, 1); mix.connect(0, save, 0);"
        "curve.connect(0, mix, mix.inputs.findIndex(({ name }) => name === 'curve'));",
        [curve, calm, joy, mix, save],
        SECONDS,
        prefix,
    )
    return curve


def add_all(page: "Page", nodes: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Add nodes by type, each with its widgets: their ids."""
    ids = {name: page.add(name, 60 + 360 * i, 80) for i, name in enumerate(nodes)}
    page.run(
        "for (const [id, values] of arguments[0]) {"
        "  const { widgets } = app.graph.getNodeById(id);"
        "  for (const [name, value] of Object.entries(values))"
        "    widgets.find((widget) => widget.name === name).value = value;"
        "}",
        [[ids[name], values] for name, values in nodes.items()],
    )
    return ids


def connect(page: "Page", before: int, output: str, after: int, name: str) -> None:
    page.run(
        "const [before, output, after, name] = arguments;"
        "const [from, to] = [before, after].map((id) => app.graph.getNodeById(id));"
        "from.connect(from.outputs.findIndex((slot) => slot.name === output), to,"
        "  to.inputs.findIndex((slot) => slot.name === name));",
        *(before, output, after, name),
    )


def drag_key(page: "Page", node: int, lane: int) -> str:
    """Click into the middle of a lane and drag the key out below: the text of the new curve."""
    canvas = page.wait_for(
        "const editors = [...document.querySelectorAll('.actalker-editor')];"
        f"const editor = editors.find(({{ timeline }}) => timeline.node.id == {node});"
        "return editor?.querySelector('canvas').clientHeight > 20 && editor.querySelector('canvas')"
    )
    (x, y), (_, bottom) = page.ask(
        "const { timeline } = arguments[0].closest('.actalker-editor'), lane = arguments[1];"
        "const { place, seconds, width } = timeline.view(lane), { clientHeight } = timeline.canvas;"
        "return [0.5, -0.3].map((value) => {"
        "  const [x, y] = place(seconds / 2, value); return [x / width, y / clientHeight]; });",
        canvas,
        lane,
    )
    page.drag(canvas, (x, y), (x, bottom))
    curve = page.wait_for(f"return app.graph.nodes.find(({{ type }}) => type === '{CURVE}')?.id")
    text = page.widget(curve, "curve_text")
    assert re.fullmatch(r"0:[\d.]+, [\d.]+:0", text), "the key went down"
    return text


def run_graph(page: "Page", server: Server, prefix: str) -> Path:
    """Queue the graph in the page and wait: the newest file that was saved."""
    before = set(server.get("/history"))
    page.run("await app.queuePrompt(0)")
    for _ in range(600):
        runs = {key: run for key, run in server.get("/history").items() if key not in before}
        if runs:
            break
        page.run("await new Promise((go) => setTimeout(go, 100))")
    (run,) = runs.values()
    assert run["status"]["status_str"] == "success", run["status"]
    return max(server.base.glob(f"output/{prefix}*.safetensors"), key=lambda path: path.name)


def queue(page: "Page", server: Server, prefix: str) -> np.ndarray[Any, Any]:
    """Queue the graph in the page and wait: how strong joy is in each frame that was saved."""
    smile = load_motion(run_graph(page, server, prefix)).blendshapes.max(1).values.numpy()
    return smile / smile.max()


@pytest.mark.usefixtures("page")
def test_a_key_that_is_dragged_changes_the_result(
    page: "Page", server: Server, request: pytest.FixtureRequest
) -> None:
    prefix = f"dragged_{request.node.callspec.id}"
    curve = build(page, prefix)
    canvas = page.find_canvas()
    np.testing.assert_allclose(queue(page, server, prefix), 1, atol=1e-6)
    page.drag(canvas, (0.5, 0.5), (0.5, 0.95))
    text = page.widget(curve, "curve_text")
    assert ":0" in text.split(", ")[1]
    result = queue(page, server, prefix)
    expected = parse_curve(text, SECONDS * FPS, FPS).numpy()
    np.testing.assert_allclose(result, expected / expected.max(), atol=1e-3)
    assert result.min() < 0.1


@pytest.mark.usefixtures("page")
def test_a_key_in_a_lane_of_mix_motion_mixes_its_group_alone(
    page: "Page", server: Server, request: pytest.FixtureRequest
) -> None:
    prefix = f"mixed_{request.node.callspec.id}"
    groups = dict.fromkeys(("mouth", "eyes", "brows", "cheeks"), 1)
    nodes = add_all(page, {WORDS: JOY, MIX: groups, SAVE: {"filename_prefix": prefix}})
    (calm,) = add_all(page, {WORDS: JOY | {"text": "neutral"}}).values()
    connect(page, calm, "motion", nodes[MIX], "first_motion")
    connect(page, nodes[WORDS], "motion", nodes[MIX], "second_motion")
    connect(page, nodes[MIX], "motion", nodes[SAVE], "motion")
    whole = load_motion(run_graph(page, server, prefix)).blendshapes.numpy()
    text = drag_key(page, nodes[MIX], 0)
    mixed = load_motion(run_graph(page, server, prefix)).blendshapes.numpy()
    curve = parse_curve(text, SECONDS * FPS, FPS).numpy()[:, None]
    mouth = [name in GROUP_BLENDSHAPES["mouth"] for name in NAMES]
    np.testing.assert_allclose(mixed[:, mouth], whole[:, mouth] * curve, atol=1e-3)
    others = np.logical_not(mouth)
    np.testing.assert_allclose(mixed[:, others], whole[:, others], atol=1e-6)
    assert whole[:, mouth].max() > 0.2
    assert whole[:, others].max() > 0.2


@pytest.mark.usefixtures("page")
def test_a_key_in_the_lane_of_edit_motion_says_where_the_edit_acts(
    page: "Page", server: Server, request: pytest.FixtureRequest
) -> None:
    prefix = f"edited_{request.node.callspec.id}"
    laugh, half = JOY | {"text": "0s: neutral; 1s: laughter"}, {"edit": "scale", "value": 0.5}
    nodes = add_all(page, {WORDS: laugh, EDIT: half, SAVE: {"filename_prefix": prefix}})
    connect(page, nodes[WORDS], "motion", nodes[EDIT], "motion")
    connect(page, nodes[EDIT], "edited_motion", nodes[SAVE], "motion")
    edited = load_motion(run_graph(page, server, prefix)).blendshapes.numpy()
    text = drag_key(page, nodes[EDIT], 0)
    result = load_motion(run_graph(page, server, prefix)).blendshapes.numpy()
    page.run("app.graph.getNodeById(arguments[0]).mode = 4", nodes[EDIT])
    plain = load_motion(run_graph(page, server, prefix)).blendshapes.numpy()
    assert abs(edited - plain).max() > 0.1
    curve = parse_curve(text, SECONDS * FPS, FPS).numpy()[:, None]
    np.testing.assert_allclose(result, plain + curve * (edited - plain), atol=1e-3)


@pytest.mark.usefixtures("page")
def test_a_key_in_the_lane_of_mix_signals_blends_them(
    page: "Page", server: Server, request: pytest.FixtureRequest
) -> None:
    prefix, frames = f"blended_{request.node.callspec.id}", SECONDS * FPS
    for value in (0, 1):
        signal = ExpressionSignal(FPS, "face", torch.full((frames, 5), float(value)))
        save_signals(
            server.base / "input" / f"{prefix}_{value}.safetensors", Signals(None, signal, None)
        )
    page.reload()  # so that Load Signals lists the files
    files = {"signals_file": f"{prefix}_0.safetensors"}, {"signals_file": f"{prefix}_1.safetensors"}
    nodes = add_all(page, {LOAD: files[0], BLEND: {}, SAVE_SIGNALS: {"filename_prefix": prefix}})
    (second,) = add_all(page, {LOAD: files[1]}).values()
    connect(page, nodes[LOAD], "expression_signal", nodes[BLEND], "first_expression_signal")
    connect(page, second, "expression_signal", nodes[BLEND], "second_expression_signal")
    name = "mixed_expression_signal", nodes[SAVE_SIGNALS], "expression_signal"
    connect(page, nodes[BLEND], *name)
    before = load_signals(run_graph(page, server, prefix)).expression.features[:, 0].numpy()
    np.testing.assert_allclose(before, 0.5, atol=1e-6)
    text = drag_key(page, nodes[BLEND], 0)
    assert text.startswith("0:0.5, "), "it begins where amount was"
    after = load_signals(run_graph(page, server, prefix)).expression.features[:, 0].numpy()
    np.testing.assert_allclose(after, parse_curve(text, frames, FPS).numpy(), atol=1e-3)


def test_a_page_that_is_loaded_again_and_a_file_that_is_opened_have_the_key(page: "Page") -> None:
    page.reload()
    node = page.add(CURVE, 100, 100)
    page.drag(page.find_canvas(), (0.5, 0.5))
    text = page.widget(node, "curve_text")
    assert text.startswith("0:1, ")
    # The page keeps an open graph by itself, a moment after it has noticed the change.
    page.run("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState()")
    page.wait_for(
        "const kept = [sessionStorage, localStorage].flatMap((each) => Object.values(each));"
        f"return kept.some((each) => each.includes({json.dumps(text)}))"
    )
    page.driver.refresh()
    page.wait_for("return window.app?.graph?.nodes?.length == 1", LOAD_SECONDS)
    page.find_canvas()
    assert page.widget(node, "curve_text") == text
    file = json.dumps(page.run("return app.graph.serialize()"))
    prompt = json.dumps(page.run("return (await app.graphToPrompt()).output"))
    for name, saved in (("graph.json", file), ("prompt.json", prompt)):
        page.clear()
        page.run(
            "await app.handleFile(new File([arguments[1]], arguments[0],"
            " { type: 'application/json' }))",
            name,
            saved,
        )
        page.find_canvas()
        texts = page.ask(
            "return app.graph.nodes.map(({ widgets }) =>"
            " widgets.find(({ name }) => name == 'curve_text').value)"
        )
        assert texts == [text], name
