"""What is around the lanes: sounds of any origin, windows, a playhead, curves of ComfyUI's own."""

import base64
import json
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.host import REPOSITORY
from helpers.http_host import Server

from actalker_core.diffusion.windows import MODES, Windows
from actalker_core.models.actalker.config import VARIANTS

if TYPE_CHECKING:
    from helpers.browser import Page

CURVE, GATES, DEMO = "ACTalker_Curve", "ACTalker_Gates", "ACTalker_DemoMedia"
WORDS, SPEECH, MIX = "ACTalker_MotionFromWords", "ACTalker_MotionFromSpeech", "ACTalker_MixMotion"
SAVE, LOAD = "ACTalker_SaveMotion", "ACTalker_LoadModel"
SOUND = "await import('/extensions/actalker/js/base/sound.js')"
WINDOWS = "await import('/extensions/actalker/js/timeline/windows.js')"
EDITORS = "const editors = [...document.querySelectorAll('.actalker-editor')];"
PLAY, NO_SOUND, NO_FILE = (
    json.loads((REPOSITORY / "web/words/en.json").read_text("utf-8"))["timeline"][name]
    for name in ("play", "noSound", "noFile")
)
RATE_HZ = 16_000
SOUND_SECONDS = 40.0
"""Longer than the busiest machine takes for a click."""
DRAWN_POINTS = [[0, 0.1], [0.2, 0.9], [0.5, 0.8], [0.6, 0.8], [1, 0]]
DRAWN_AT = [0, 0.1, 0.2, 0.35, 0.55, 0.7, 0.9, 1]
DRAWN = {
    "monotone_cubic": [0.1, 0.6, 0.9, 0.85, 0.8, 0.7125, 0.2375, 0],
    "linear": [0.1, 0.5, 0.9, 0.85, 0.8, 0.6, 0.2, 0],
}
"""What CurveInput of ComfyUI 0.33.0 gives at these places of a curve through these points."""


def connect(page: "Page", before: int, output: int, after: int, name: str) -> None:
    page.run(
        "const [before, output, after, name] = arguments;"
        "const node = app.graph.getNodeById(after);"
        "app.graph.getNodeById(before)"
        "  .connect(output, node, node.inputs.findIndex((input) => input.name === name));",
        *(before, output, after, name),
    )


def set_widget(page: "Page", node: int, name: str, value: Any) -> None:
    page.run(
        "const [node, name, value] = arguments;"
        "app.graph.getNodeById(node).widgets.find((each) => each.name === name).value = value;",
        *(node, name, value),
    )


def find_sound(page: "Page", node: int) -> dict[str, Any] | None:
    """What is drawn behind a node's lanes."""
    return page.run(
        f"const {{ findSoundAround }} = {SOUND};"
        "const sound = findSoundAround(app.graph.getNodeById(arguments[0]));"
        "return sound && { ...sound, loudness: [...sound.loudness] };",
        node,
    )


def ask_players(page: "Page") -> list[list[Any]]:
    """Whether the play button of each timeline is shut, and what it says."""
    return page.ask(
        EDITORS + "return editors.map(({ timeline: { play } }) => [play.disabled, play.title])"
    )


def test_a_sound_that_no_file_has_is_drawn_after_a_run(page: "Page", server: Server) -> None:
    demo, speech, words = (
        page.add(DEMO, 50, 80),
        page.add(SPEECH, 400, 80),
        page.add(WORDS, 400, 300),
    )
    mix, save = page.add(MIX, 800, 80), page.add(SAVE, 1150, 80)
    connect(page, demo, 2, speech, "audio")
    connect(page, words, 0, mix, "first_motion")
    connect(page, speech, 0, mix, "second_motion")
    connect(page, mix, 0, save, "motion")
    # Nothing that another test has run is taken from the cache.
    seconds = round(1 + np.random.default_rng().random(), 2)
    set_widget(page, demo, "seconds", seconds)
    assert find_sound(page, words) is None
    page.find_canvas(1)
    assert ask_players(page) == [[True, NO_SOUND]] * 2
    page.run("await app.queuePrompt(0)")
    page.wait_for(
        "return app.graph.nodes.some((node) => node.widgets?.some("
        "({ name }) => name == '$$node-text-preview'))"
    )
    for node in (speech, words, mix):
        sound = find_sound(page, node)
        assert sound["url"] is None
        assert sound["seconds"] == pytest.approx(seconds, abs=0.02)
        assert sound["rateHz"] == 100
        assert len(sound["loudness"]) == np.ceil(sound["seconds"] * 100)
        assert max(sound["loudness"]) == 1
        assert min(sound["loudness"]) < 0.1
    page.wait_for(EDITORS + "return editors.every(({ timeline }) => timeline.sound)")
    assert ask_players(page) == [[True, NO_FILE]] * 2
    # Another source is another sound, which nobody has heard yet.
    connect(page, page.add("LoadAudio", 50, 500), 0, speech, "audio")
    set_widget(page, page.run("return app.graph.nodes.at(-1).id"), "audio", "")
    assert find_sound(page, speech) is None


def report_sound(page: "Page", node: int, loudness: list[int]) -> None:
    """What a run tells of a sound of two seconds, as nodes/common/peaks.py does."""
    report = {"seconds": 2, "rate_hz": len(loudness) / 2, "loudness": encode(loudness)}
    page.run(
        "const { api } = await import('/scripts/api.js'), [node, report] = arguments;"
        "const detail = { node: String(node), output: { actalker_sound: [report] } };"
        "api.dispatchEvent(new CustomEvent('executed', { detail }));",
        node,
        report,
    )


def encode(loudness: list[int]) -> str:
    return base64.b64encode(bytes(loudness)).decode("ascii")


def test_a_sound_that_is_as_long_as_the_last_is_drawn_anew(page: "Page") -> None:
    demo, curve = page.add(DEMO, 50, 80), page.add(CURVE, 500, 100)
    connect(page, demo, 2, curve, "audio")
    page.find_canvas()
    picture = "document.querySelector('.actalker-editor canvas').toDataURL()"
    for loudness in ([0, 255, 0, 255], [255, 0, 255, 0]):
        before = page.ask(f"return {picture}")
        report_sound(page, curve, loudness)
        page.wait_for(f"return {picture} !== {json.dumps(before)}")


def test_no_curve_runs_through_the_names_of_lanes(page: "Page") -> None:
    gates = page.add(GATES, 400, 100)
    page.find_canvas()
    read = (
        "const { canvas, left, laneHeight } = document.querySelector('.actalker-editor').timeline;"
        "const context = canvas.getContext('2d'), scale = canvas.width / canvas.clientWidth;"
        "const cut = (x, y, w, h) =>"
        "  [...context.getImageData(...[x, y, w, h].map((each) => Math.round(each * scale))).data];"
        "const column = cut(0, 0, left - 5, canvas.clientHeight);"
        "const [border, inside] = [14, 17].map((top) => cut(0, top + laneHeight, left, 1));"
        "return { column, lanes: cut(left, 0, 100, canvas.clientHeight), border, inside };"
    )
    shut = page.add(CURVE, 50, 100)
    set_widget(page, shut, "curve_text", "0:0")
    before = page.ask(read)
    connect(page, shut, 0, gates, "audio_curve")
    page.wait_for(EDITORS + "return editors[0].timeline.lanes[0].text === '0:0'")
    page.wait_for("return document.querySelector('.actalker-editor').timeline.look() ?? true")
    after = page.ask(read)
    assert len(set(before["column"])) > 8, "names are drawn"
    assert after["column"] == before["column"]
    assert after["lanes"] != before["lanes"]
    assert after["border"] != after["inside"]


def test_a_lane_begins_at_the_number_that_its_curve_stands_for(page: "Page") -> None:
    signals = page.add("ACTalker_MixSignals", 500, 100)
    set_widget(page, signals, "amount", 0.25)
    page.find_canvas()
    lane = EDITORS + "const [lane] = editors[0].timeline.lanes; return lane.text"
    page.wait_for(lane + " === '0.25'")


def test_the_panel_of_properties_has_no_row_for_an_editor(page: "Page") -> None:
    node = page.add(CURVE, 500, 100)
    page.find_canvas()
    toggle = "document.querySelector('button[aria-label=\"Toggle properties panel\"]')"
    if not page.ask(f"return {toggle}"):
        pytest.skip("this ComfyUI has no such panel")
    page.ask(
        f"app.canvas.selectNode(app.graph.getNodeById(arguments[0])); {toggle}.click();",
        node,
    )
    panel = "document.querySelector('[data-testid=\"properties-panel\"]')"
    try:
        text = page.wait_for(
            f"const text = {panel}.innerText; return /curve.text/.test(text) && text"
        )
        assert "timeline" not in text
    finally:
        page.ask(f"{toggle}.click()")


def write_sound(path: Any, seconds: float) -> None:
    """A tone after half of the time."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    samples = np.where(times > seconds / 2, 0.5 * np.sin(2 * np.pi * 220 * times), 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def test_the_ruler_is_heard_and_the_playhead_goes_with_the_sound(
    page: "Page", server: Server
) -> None:
    write_sound(server.base / "input" / "tone.wav", SOUND_SECONDS)
    load, curve = page.add("LoadAudio", 50, 400), page.add(CURVE, 500, 100)
    set_widget(page, load, "audio", "tone.wav")
    connect(page, load, 0, curve, "audio")
    canvas = page.find_canvas()
    timeline = "const editor = document.querySelector('.actalker-editor').timeline;"
    page.wait_for(timeline + "return editor.sound?.seconds > 39")
    ruler = 6 / canvas.rect["height"]
    page.drag(canvas, (0.2, ruler), (0.15, ruler), (0.1, ruler))
    assert page.ask(timeline + "return editor.playhead") == pytest.approx(4, abs=1)
    played = page.wait_for(
        timeline + "const { played, paused } = editor.player;"
        "return paused && played.length && [played.start(0), played.end(played.length - 1)]"
    )
    assert 3 < played[1] < 9
    button = page.ask("return document.querySelector('.actalker-editor button')")
    assert ask_players(page) == [[False, PLAY]]
    before = page.ask(timeline + "return editor.playhead")
    button.click()
    page.wait_for(timeline + f"return editor.playhead > {before} + 0.2")
    assert button.text == "⏸"
    button.click()
    assert page.ask(timeline + "return editor.player.paused")
    assert page.wait_for(
        "return document.querySelector('.actalker-editor button').textContent=='▶'"
    )


def test_windows_are_those_of_the_sampler_that_the_gates_go_to(page: "Page") -> None:
    models = page.run(f"return ({WINDOWS}).MODELS")
    assert models == {
        name: {"frames": config.unet.num_frames, "fps": config.sampling.fps}
        for name, config in VARIANTS.items()
    }
    load, gates = page.add(LOAD, 50, 80), page.add(GATES, 400, 80)
    find = (
        f"const {{ findWindows }} = {WINDOWS};"
        "return findWindows(app.graph.getNodeById(arguments[0]));"
    )
    assert page.run(find, gates) is None
    conditioning, sampler = (
        page.add(f"ACTalker_{name}", x, 80)
        for name, x in (("Conditioning", 750), ("Sampler", 1100))
    )
    connect(page, gates, 0, conditioning, "gates")
    connect(page, conditioning, 0, sampler, "conditioning")
    connect(page, load, 0, sampler, "model")
    own = models["built-in"]
    assert page.run(find, gates) == own | {"overlap": 0, "mode": "tight"}
    windows = page.add("ACTalker_Windows", 400, 500)
    connect(page, load, 0, windows, "model")
    connect(page, windows, 0, sampler, "model")
    for name, value in (("window_frames", 16), ("overlap_frames", 4), ("mode", "cyclic")):
        set_widget(page, windows, name, value)
    set_widget(page, conditioning, "fps", 25)
    assert page.run(find, gates) == {"frames": 16, "overlap": 4, "fps": 25, "mode": "cyclic"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("frames", "overlap"), [(1, 0), (10, 0), (16, 4), (25, 24), (80, 3)])
def test_windows_stand_where_the_sampler_puts_them(
    page: "Page", frames: int, overlap: int, mode: str
) -> None:
    windows, lengths = Windows(frames, overlap, mode=mode), [1, 9, 10, 26, 77]
    places = page.run(
        f"const {{ placeWindows }} = {WINDOWS};"
        "const [cut, lengths] = arguments;"
        "return lengths.map((length) => placeWindows(cut, length / cut.fps));",
        {"frames": frames, "overlap": overlap, "mode": mode, "fps": 12.5},
        lengths,
    )
    for length, placed in zip(lengths, places, strict=True):
        shown = [
            [
                frame
                for part in parts
                for frame in range(*np.rint(np.multiply(part, 12.5)).astype(int))
            ]
            for parts in placed
        ]
        # What a cyclic window has beyond the clip is padding, and no part of what is shown.
        expected = [
            [frame for frame in window if frame < length]
            for window in windows.at(0, length + windows.padding)
        ]
        assert shown == expected, length


def test_a_curve_of_comfyui_s_own_is_drawn_as_it_is_read(page: "Page") -> None:
    for interpolation, expected in DRAWN.items():
        values = page.run(
            "const { readDrawnCurve } = await import("
            "  '/extensions/actalker/js/timeline/drawn_curve.js');"
            "return arguments[1].map(readDrawnCurve(arguments[0]));",
            {"points": DRAWN_POINTS, "interpolation": interpolation},
            DRAWN_AT,
        )
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_a_lane_shows_the_curve_editor_that_is_connected_and_leaves_it(page: "Page") -> None:
    if not page.ask("return !!LiteGraph.registered_node_types['CurveEditor']"):
        pytest.skip("this ComfyUI has no Curve Editor")
    editor, gates = page.add("CurveEditor", 50, 100), page.add(GATES, 500, 100)
    connect(page, editor, 0, gates, "audio_curve")
    lane = "const [lane] = document.querySelector('.actalker-editor').timeline.lanes;"
    page.wait_for(lane + "return lane.findDrawn()?.points.length == 2")
    before = page.widget(editor, "curve")
    page.drag(page.find_canvas(), (0.5, 0.3))
    assert page.widget(editor, "curve") == before
    assert page.ask("return app.graph.nodes.length") == 2


def test_the_editor_speaks_chinese_where_the_front_end_does(page: "Page") -> None:
    # The setting itself makes the front end load the open graph anew, at a time of its own.
    page.run(
        "const { setting } = app.extensionManager; window.getSetting = setting.get;"
        "setting.get = (id) => (id === 'Comfy.Locale' ? 'zh' : window.getSetting(id));"
    )
    try:
        page.add(GATES, 100, 100)
        page.find_canvas()
        note = page.wait_for("return document.querySelector('.actalker-editor output').textContent")
        title = page.ask("return document.querySelector('.actalker-editor button').title")
    finally:
        page.run("app.extensionManager.setting.get = window.getSetting;")
    assert note == "单击、拖动、Delete"
    assert "播放" in title
