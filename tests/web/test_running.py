"""What is seen while a node runs: its stage, all frames moving, and what stays afterwards."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from helpers.browser import Page
    from helpers.http_host import Server

TEXT = "$$node-text-preview"
FRAMES, SIDE_PX, COLUMNS = 6, 48, 3
FPS = 25.0
SEND = """
const [type, detail] = arguments;
const { api } = await import('/scripts/api.js');
api.dispatchEvent(new CustomEvent(type, { detail }));
"""
PREVIEW = "document.querySelector('canvas.actalker-preview')"


def send(page: "Page", event: str, detail: Any) -> None:
    """Let the page hear a message as if the server had sent it."""
    page.run(SEND, event, detail)


def make_clip(node: int) -> dict[str, Any]:
    """A clip of grey frames, each brighter than the one before."""
    levels = np.linspace(20, 220, FRAMES).astype(np.uint8).reshape(-1, COLUMNS)
    sheet = np.kron(levels, np.ones((SIDE_PX, SIDE_PX), np.uint8))
    file = io.BytesIO()
    Image.fromarray(sheet).convert("RGB").save(file, "JPEG", quality=95)
    sizes = {"frames": FRAMES, "columns": COLUMNS, "width": SIDE_PX, "height": SIDE_PX}
    jpeg = base64.b64encode(file.getvalue()).decode()
    return {"node": str(node), "fps": FPS, **sizes, "jpeg": jpeg}


def text_of(page: "Page", node: int) -> Any:
    return page.ask(
        "return app.graph.getNodeById(arguments[0]).widgets"
        ".find(({ name }) => name == arguments[1])?.value ?? null",
        node,
        TEXT,
    )


@pytest.mark.parametrize("name", ["ACTalker_Sampler", "ACTalker_Talk", "SamplerCustomAdvanced"])
def test_all_frames_move_on_the_node_and_are_not_saved(page: "Page", name: str) -> None:
    node = page.add(name, 100, 100)
    send(page, "actalker.preview", make_clip(node))
    page.wait_for(f"return {PREVIEW}?.clientHeight > 60")
    frames = page.run(
        "const seen = {}; const end = performance.now() + 2000;"
        f"const canvas = {PREVIEW};"
        f"while (Object.keys(seen).length < {FRAMES} && performance.now() < end) {{"
        "  const [level] = canvas.getContext('2d').getImageData(20, 20, 1, 1).data;"
        "  seen[canvas.dataset.frame] = level;"
        "  await new Promise((go) => setTimeout(go, 5));"
        "}"
        "return Object.entries(seen).map(([frame, level]) => [Number(frame), level]).sort();",
    )
    assert [frame for frame, _ in frames] == list(range(FRAMES))
    levels = [level for _, level in frames]
    np.testing.assert_allclose(levels, np.linspace(20, 220, FRAMES), atol=5)
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    (saved_node,) = saved["nodes"]
    assert "jpeg" not in str(saved_node)
    plain = page.run(
        "const node = LiteGraph.createNode(arguments[0]); return node.widgets?.length ?? 0", name
    )
    assert len(saved_node.get("widgets_values") or []) == plain


def test_a_preview_for_a_node_of_another_graph_is_let_go(page: "Page") -> None:
    """Its number may be that of a node here that samples nothing."""
    node = page.add("LoadImage", 100, 100)
    send(page, "actalker.preview", make_clip(node))
    assert page.ask(
        "return app.graph.getNodeById(arguments[0]).widgets"
        ".every(({ name }) => name !== 'actalker_preview')",
        node,
    )


def test_of_two_previews_the_later_one_stays(page: "Page") -> None:
    node = page.add("ACTalker_Sampler", 100, 100)
    page.run(
        "const { decode } = Image.prototype;"
        "const later = new Promise((go) => (window.letFirstGo = go));"
        "Image.prototype.decode = async function () {"
        "  Image.prototype.decode = decode; await later; await decode.call(this);"
        "  setTimeout(() => (window.isFirstRead = true));"
        "};"
    )
    send(page, "actalker.preview", make_clip(node))
    send(page, "actalker.preview", {**make_clip(node), "width": SIDE_PX // 2})
    page.wait_for(f"return {PREVIEW}.width === {SIDE_PX // 2}")
    page.run("letFirstGo()")
    page.wait_for("return !!window.isFirstRead")
    assert page.ask(f"return {PREVIEW}.width") == SIDE_PX // 2


def test_a_preview_for_a_node_that_is_gone_is_let_go(page: "Page") -> None:
    send(page, "actalker.preview", make_clip(12345))
    assert page.ask(f"return {PREVIEW} == null")


def test_a_stage_is_shown_and_taken_away(page: "Page") -> None:
    """The node is as tall as before, unless it was made taller meanwhile."""
    node = page.add("ACTalker_Sampler", 100, 100)
    height = page.ask("return app.graph.getNodeById(arguments[0]).size[1]", node)
    send(page, "executing", str(node))
    for text in ("Sampling", "Sampling, 3 of 12, about 2 min left"):
        send(page, "progress_text", {"nodeId": str(node), "text": text})
        page.wait_for(f"return document.body.innerText.includes('{text}')")
    assert text_of(page, node) == text
    send(page, "progress_text", {"nodeId": str(node), "text": ""})
    page.wait_for("return !document.body.innerText.includes('3 of 12')")
    assert text_of(page, node) is None
    assert page.ask("return app.graph.getNodeById(arguments[0]).size[1]", node) == height
    send(page, "executing", None)


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("Sampling", "采样"),
        ("Decoding, 3 of 12", "解码，3/12"),
        ("Drawing, 30 of 120, about 2 h 10 min left", "绘制，30/120，约剩 2 小时 10 分钟"),
        ("Sampling, about 45 s left", "采样，约剩 45 秒"),
        ("Audio, 3 of 12", "Audio, 3 of 12"),
        ("Audio is short.  \nReading the clip", "Audio is short.  \n读取片段"),
    ],
)
def test_a_stage_is_told_in_the_language_of_the_page(page: "Page", text: str, chinese: str) -> None:
    node = page.add("ACTalker_Talk", 100, 100)
    page.ask(
        "const { setting } = app.extensionManager; window.settingBefore = setting.get;"
        "setting.get = (id) => (id === 'Comfy.Locale' ? 'zh' : window.settingBefore(id));"
    )
    try:
        send(page, "progress_text", {"nodeId": str(node), "text": text})
        page.wait_for(f"return document.body.innerText.includes('{chinese.splitlines()[-1]}')")
        assert text_of(page, node) == chinese
    finally:
        page.ask("app.extensionManager.setting.get = window.settingBefore")
    send(page, "progress_text", {"nodeId": str(node), "text": text})
    page.wait_for(f"return document.body.innerText.includes('{text.splitlines()[-1]}')")
    assert text_of(page, node) == text


@pytest.mark.parametrize(
    "name", ["ACTalker_Preflight", "ACTalker_ConvertCheckpoint", "ACTalker_Sampler"]
)
def test_a_text_is_readable_on_the_node(page: "Page", name: str) -> None:
    """All of its lines, also when it comes with a result from the cache."""
    node = page.add(name, 100, 60)
    lines = [f"Line {i} of a report that a node shows on itself" for i in range(4)]
    page.run(
        "app.graph.getNodeById(arguments[0]).onExecuted({ text: [arguments[1]] })",
        node,
        "  \n".join(lines),
    )
    page.wait_for("return document.body.innerText.includes('Line 3 of a report')")
    boxes = page.wait_for(
        "const text = [...document.querySelectorAll('span, p, div')].filter((each) =>"
        "  each.textContent.includes('Line 0 of') && each.textContent.includes('Line 3 of')).pop();"
        "const box = text.getBoundingClientRect(); const node = text.closest('[data-node-id]');"
        "const outer = (node ?? text.closest('.dom-widget, [id^=dom]') ?? text.parentElement)"
        "  .getBoundingClientRect();"
        "return box.height > 30 && [box.bottom, outer.bottom]"
    )
    assert boxes[0] <= boxes[1] + 2, "no line is cut"


def test_the_monitor_shows_a_real_clip(page: "Page", server: "Server") -> None:
    """A graph that is queued in the page: texts and picture come to their nodes."""
    graph = MONITOR_GRAPH
    page.run(
        "const nodes = {};"
        "for (const [key, { type, pos, values }] of Object.entries(arguments[0].nodes)) {"
        "  const node = LiteGraph.createNode(type); node.pos = pos; app.graph.add(node);"
        "  for (const [name, value] of Object.entries(values ?? {}))"
        "    node.widgets.find((widget) => widget.name == name).value = value;"
        "  nodes[key] = node;"
        "}"
        "for (const [from, slot, to, name] of arguments[0].links)"
        "  nodes[from].connect(slot, nodes[to], nodes[to].inputs.findIndex((i) => i.name == name));"
        "await app.queuePrompt(0, 1);",
        graph,
    )
    page.wait_for(
        "const monitor = app.graph.nodes.find(({ type }) => type == 'ACTalker_SignalMonitor');"
        "return monitor.imgs?.[0]?.naturalWidth > 600 ||"
        " !!document.querySelector('[data-node-id] img[src*=\"temp\"]')",
        seconds=120,
    )
    assert (
        page.ask(
            "return app.graph.nodes.find(({ type }) => type == 'ACTalker_SignalMonitor').size[0]"
        )
        >= 500
    )


MONITOR_GRAPH = {
    "nodes": {
        "media": {"type": "ACTalker_DemoMedia", "pos": [0, 0], "values": {"seconds": 1}},
        "load": {"type": "ACTalker_LoadModel", "pos": [0, 300]},
        "portrait": {
            "type": "ACTalker_PreparePortrait",
            "pos": [330, 0],
            "values": {"face": "whole picture"},
        },
        "audio": {"type": "ACTalker_EncodeAudio", "pos": [330, 400]},
        "monitor": {"type": "ACTalker_SignalMonitor", "pos": [660, 0]},
    },
    "links": [
        ["media", 0, "portrait", "image"],
        ["load", 1, "portrait", "encoders"],
        ["load", 1, "audio", "encoders"],
        ["media", 2, "audio", "audio"],
        ["portrait", 0, "monitor", "portrait"],
        ["audio", 0, "monitor", "audio_signal"],
        ["media", 2, "monitor", "audio"],
        ["load", 1, "monitor", "encoders"],
    ],
}


def test_nothing_is_said_on_the_console_and_nobody_else_is_asked(page: "Page") -> None:
    node = page.add("ACTalker_Sampler", 100, 100)
    send(page, "actalker.preview", make_clip(node))
    page.wait_for(f"return {PREVIEW}?.clientHeight > 60")
    assert page.read_faults() == []
    assert page.read_hosts() <= {"127.0.0.1", "localhost"}
