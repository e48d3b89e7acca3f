"""Face Editor's portrait follows its sliders on the node, and what is done on it sets them."""

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from helpers.hopper import write_hopper
from helpers.http_host import Server
from helpers.recorded_faces import needs_model
from numpy.typing import NDArray
from selenium.webdriver.common.action_chains import ActionChains

from actalker_core.control.motion.expressions import EXPRESSIONS
from actalker_core.control.motion.hand import count_key_frames, move_by_hand, move_by_text
from actalker_core.errors import InputError

if TYPE_CHECKING:
    from helpers.browser import Page

pytestmark = needs_model
NODE = "ACTalker_FaceEditor"
EDITOR = "document.querySelector('[data-editor=face_editor]')"
HINT = f"{EDITOR}.querySelector('.actalker-hint').textContent"
MODULE = "/extensions/actalker/js/face_editor"
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
PHOTOGRAPH, BLANK = "face_editor.png", "face_editor_blank.png"
STRIP_PX = 30
FPS = 25
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module", autouse=True)
def folder(server: Server) -> Path:
    """A photograph, and a picture without a face."""
    folder = server.base / "input"
    write_hopper(folder / PHOTOGRAPH)
    cv2.imwrite(str(folder / BLANK), np.full((200, 160, 3), 128, np.uint8))
    return folder


def build(page: "Page", picture: str = PHOTOGRAPH) -> int:
    """Load Image and Face Editor: the latter, once its portrait is there."""
    load, face = page.add("LoadImage", 40, 80), page.add(NODE, 420, 60)
    page.run(
        "const [load, face] = arguments[0].map((id) => app.graph.getNodeById(id));"
        "load.widgets.find(({ name }) => name === 'image').value = arguments[1];"
        "load.connect(0, face, 0);",
        [load, face],
        picture,
    )
    page.find_canvas()
    # To the front end, a node of the same number has what the one before it had.
    press_button(page, "⟲")
    set_widget(page, face, "keys", "")
    wait_until_shown(page, yaw=0, pitch=0, smile=0, scale=1)
    return face


def wait_until_shown(page: "Page", **numbers: float) -> None:
    """Until the picture on the node is that of such numbers."""
    page.wait_for(
        f"const shown = {EDITOR}?.dataset.shown; if (!shown) return false;"
        f"const {{ numbers }} = JSON.parse(shown), wanted = {json.dumps(numbers)};"
        "return Object.keys(wanted).every((name) => Math.abs(numbers[name] - wanted[name]) < 1e-6);"
    )


def set_widget(page: "Page", node: int, name: str, value: Any) -> None:
    """As the front end does when a person changes it."""
    page.run(
        "const node = app.graph.getNodeById(arguments[0]);"
        "const widget = node.widgets.find(({ name }) => name === arguments[1]);"
        "widget.value = arguments[2]; widget.callback?.(widget.value, app.canvas, node);",
        node,
        name,
        value,
    )


def press_button(page: "Page", text: str, index: int = 0) -> None:
    page.run(
        f"[...{EDITOR}.querySelectorAll('button')]"
        ".filter(({ textContent }) => textContent === arguments[0])[arguments[1]].click()",
        text,
        index,
    )


def read_canvas(page: "Page", shape: tuple[int, ...]) -> Pixels:
    """What is drawn of a picture of so many rows and columns, without the strip below it."""
    url = page.run(f"return {EDITOR}.querySelector('canvas').toDataURL()")
    content = np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8)
    pixels: Any = cv2.imdecode(content, cv2.IMREAD_COLOR)
    height, width = pixels.shape[0] - STRIP_PX, pixels.shape[1]
    scale = min(width / shape[1], height / shape[0])
    rows, columns = round(shape[0] * scale), round(shape[1] * scale)
    top, left = round((height - rows) / 2), round((width - columns) / 2)
    return pixels[top : top + rows, left : left + columns]


def run_node(page: "Page", server: Server, node: int, prefix: str) -> Pixels:
    """The picture that the node itself makes in a queued graph."""
    save = page.add("SaveImage", 900, 60)
    page.run(
        "const [face, save] = arguments[0].map((id) => app.graph.getNodeById(id));"
        "save.widgets[0].value = arguments[1]; face.connect(0, save, 0);",
        [node, save],
        prefix,
    )
    prompt = page.run("return (await app.graphToPrompt()).output")
    run = server.run(prompt)
    assert run["status"]["status_str"] == "success", run["status"]
    (file,) = run["outputs"][str(save)]["images"]
    pixels: Any = cv2.imread(str(server.base / "output" / file["filename"]))
    return pixels


def difference(drawn: Pixels, picture: Pixels) -> float:
    """Mean of 0…255 between what is on the node and a picture, but for a shift of half a pixel."""
    scaled = cv2.resize(picture, drawn.shape[1::-1], interpolation=cv2.INTER_AREA)
    before, after = (cv2.blur(each, (5, 5)).astype(float) for each in (drawn, scaled))
    return float(np.abs(before - after).mean())


def test_the_picture_follows_a_slider(page: "Page", server: Server) -> None:
    node = build(page)
    rest: Any = cv2.imread(str(server.base / "input" / PHOTOGRAPH))
    at_rest = difference(read_canvas(page, rest.shape), rest)
    times = page.run(
        "const node = app.graph.getNodeById(arguments[0]), times = [];"
        "const yaw = node.widgets.find(({ name }) => name === 'yaw');"
        "for (let i = 0; i < 21; i++) {"
        "  const start = performance.now();"
        "  yaw.value = i - 10; yaw.callback(yaw.value, app.canvas, node);"
        f"  while (JSON.parse({EDITOR}.dataset.shown).numbers.yaw !== i - 10) {{"
        "    await new Promise((go) => setTimeout(go));"
        "  }"
        "  times.push(performance.now() - start);"
        "}"
        "return times;",
        node,
    )
    median = float(np.median(times))
    sys.stdout.write(f"slider to picture: median {median:.0f} ms, longest {max(times):.0f} ms\n")
    assert median < 1000  # on a machine that does much else
    set_widget(page, node, "smile", 0.8)
    wait_until_shown(page, yaw=10, smile=0.8)
    drawn = read_canvas(page, rest.shape)
    made = run_node(page, server, node, "follows")
    assert made.shape == rest.shape
    assert at_rest < 3
    assert difference(drawn, made) < 3
    assert difference(drawn, rest) > 2 * difference(drawn, made)


def find_places(page: "Page") -> dict[str, Any]:
    """Shares of the canvas at which the nose and an eye are."""
    return page.run(
        f"const {{ askRoute }} = await import('{MODULE}/../base/question.js');"
        f"const {{ facts, picture }} = await askRoute('face', JSON.parse({EDITOR}.dataset.shown));"
        "const { width, height } = await createImageBitmap(picture);"
        f"const canvas = {EDITOR}.querySelector('canvas');"
        "const [w, h] = [canvas.clientWidth, canvas.clientHeight - arguments[0]];"
        "const scale = Math.min(w / width, h / height);"
        "const middle = ([x0, y0, x1, y1]) => ["
        "  ((w - width * scale) / 2 + ((x0 + x1) / 2) * width * scale) / w,"
        "  ((h - height * scale) / 2 + ((y0 + y1) / 2) * height * scale) / (h + arguments[0]),"
        "];"
        "return { face: middle(facts.face), eye: middle(facts.eyes[0]), bounds: facts.face };",
        STRIP_PX,
    )


def test_drags_turn_the_head_and_the_eyes(page: "Page") -> None:
    node = build(page)
    canvas = page.find_canvas()
    places = find_places(page)
    x, y = places["face"]
    page.drag(canvas, (x, y), (x + 0.1, y - 0.05))
    yaw, pitch = (page.widget(node, name) for name in ("yaw", "pitch"))
    assert 3 < yaw <= 30
    assert 2 < pitch <= 30
    wait_until_shown(page, yaw=yaw, pitch=pitch, gaze_x=0)
    x, y = find_places(page)["eye"]
    page.drag(canvas, (x, y), (x - 0.03, y + 0.01))
    assert page.widget(node, "gaze_x") < -0.1
    assert page.widget(node, "gaze_y") < 0
    assert (page.widget(node, "yaw"), page.widget(node, "pitch")) == (yaw, pitch)
    page.drag(canvas, (0.5, 0.05), (0.65, 0.05))
    assert page.widget(node, "roll") > 0
    wait_until_shown(page, roll=page.widget(node, "roll"))
    x, y = find_places(page)["face"]
    box = canvas.rect
    at = round((x - 0.5) * box["width"]), round((y - 0.5) * box["height"])
    ActionChains(page.driver).move_to_element_with_offset(canvas, *at).double_click().perform()
    assert (page.widget(node, "yaw"), page.widget(node, "pitch")) == (0, 0)


def test_undo_takes_a_drag_back(page: "Page") -> None:
    page.reload()
    node = build(page)
    canvas = page.find_canvas()
    x, y = find_places(page)["face"]
    page.run(f"{TRACKER}.checkState(); await new Promise((go) => setTimeout(go, 300));")
    page.drag(canvas, (x, y), (x + 0.1, y))
    assert page.widget(node, "yaw") > 0
    page.run(f"{TRACKER}.checkState(); await {TRACKER}.undo();")
    assert page.widget(node, "yaw") == 0
    wait_until_shown(page, yaw=0)


def test_a_saved_graph_keeps_all_numbers(page: "Page") -> None:
    node = build(page)
    values = {"pitch": 5, "yaw": -8, "smile": 0.4, "scale": 1.2, "keys": "0s: yaw=0; 1s: yaw=9"}
    for name, value in values.items():
        set_widget(page, node, name, value)
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    (stored,) = (each["widgets_values"] for each in saved["nodes"] if each["type"] == NODE)
    assert None not in stored
    assert stored[:3] == [5, -8, 0]
    assert stored[-1] == values["keys"]
    prompt = page.run("return (await app.graphToPrompt()).output")[str(node)]["inputs"]
    assert {name: prompt[name] for name in values} == values
    assert "face_editor" not in prompt
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    assert {name: page.widget(node, name) for name in values} == values
    wait_until_shown(page, yaw=-8, scale=1.2)


def test_a_graph_saved_before_there_were_keys_loads(page: "Page") -> None:
    node = build(page)
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    numbers = [3, -4, 2, 0.5, 0, 0, 1, 0, 0, 0, 0.7, 0, 0, 0, 0, 0, 0, 1.1]
    for each in saved["nodes"]:
        if each["type"] == NODE:
            each["widgets_values"] = [*numbers, "anger=0.2", "absolute", "left", 1]
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    names = ["pitch", "yaw", "scale", "more_numbers", "lips", "face", "face_index", "keys"]
    loaded = [page.widget(node, name) for name in names]
    assert loaded == [3, -4, 1.1, "anger=0.2", "absolute", "left", 1, ""]


def choose(page: "Page", name: str) -> None:
    page.run(
        f"const choice = {EDITOR}.querySelector('select'); choice.value = arguments[0];"
        "choice.dispatchEvent(new Event('change'));",
        name,
    )


def save_face(page: "Page", name: str) -> None:
    press_button(page, "+")
    page.run(
        f"const input = {EDITOR}.querySelector('input'); input.value = arguments[0];"
        "input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));",
        name,
    )


def test_presets_are_chosen_saved_and_forgotten(page: "Page", server: Server) -> None:
    node = build(page)
    set_widget(page, node, "yaw", 7)
    set_widget(page, node, "smile", 0.3)
    choose(page, "joy")
    assert [page.widget(node, name) for name in ("yaw", "smile")] == [7, 0]
    assert page.widget(node, "more_numbers") == "joy=1"
    save_face(page, "joy")  # an expression's name is taken
    set_widget(page, node, "gaze_x", -0.5)
    save_face(page, "  sly look ")
    options = f"[...{EDITOR}.querySelectorAll('option')].map(({{ value }}) => value)"
    page.wait_for(f"return {options}.includes('sly look')")
    files = list((server.base / "user").rglob("actalker_faces.json"))
    assert [json.loads(file.read_text()) for file in files] == [
        {"sly look": {"yaw": 7, "gaze_x": -0.5, "joy": 1}}
    ]
    page.reload()
    node = build(page)
    page.wait_for(f"return {options}.includes('sly look')")
    choose(page, "sly look")
    assert page.widget(node, "yaw") == 7
    assert page.widget(node, "gaze_x") == -0.5
    assert page.widget(node, "more_numbers") == "joy=1"
    press_button(page, "✕")
    page.wait_for(f"return !{options}.includes('sly look')")
    assert json.loads(files[0].read_text()) == {}
    press_button(page, "⟲")
    assert [page.widget(node, name) for name in ("yaw", "gaze_x", "scale")] == [0, 0, 1]
    assert page.widget(node, "more_numbers") == ""


def test_the_title_of_the_presets_is_no_face(page: "Page") -> None:
    node = build(page)
    choose(page, "joy")
    choose(page, "")
    assert page.widget(node, "more_numbers") == "joy=1"


def test_presets_that_cannot_be_read_are_not_written_over(page: "Page", server: Server) -> None:
    build(page)
    save_face(page, "first")
    page.wait_for(f"return {EDITOR}.innerHTML.includes('first')")
    (file,) = (server.base / "user").rglob("actalker_faces.json")
    before = file.read_text()
    assert "first" in before
    note = f"{EDITOR}.querySelector('output')"
    try:
        file.write_text("no JSON")
        save_face(page, "second")
        page.wait_for(f"return {note}.textContent.startsWith('not saved')")
        assert file.read_text() == "no JSON"
        file.write_text(before)
        save_face(page, "third")
        page.wait_for(f"return !{note}.textContent && {EDITOR}.innerHTML.includes('third')")
        assert json.loads(file.read_text()).keys() == {"first", "third"}
    finally:
        file.write_text("{}")


def test_enter_that_ends_a_chinese_word_saves_no_preset(page: "Page", server: Server) -> None:
    build(page)
    press_button(page, "+")
    page.run(
        f"const input = {EDITOR}.querySelector('input'); input.value = '微';"
        "const options = { key: 'Enter', bubbles: true, isComposing: true };"
        "input.dispatchEvent(new KeyboardEvent('keydown', options));"
    )
    assert page.ask(f"return {EDITOR}.querySelector('input').value") == "微"


def test_the_expressions_are_those_of_the_pack(page: "Page") -> None:
    names = page.run(
        f"const {{ checkName }} = await import('{MODULE}/presets.js');"
        f"const {{ EXPRESSIONS }} = await import('{MODULE}/../base/expressions.js');"
        "for (const name of ['', ' ', 'Joy', 'a\\nb', 'x'.repeat(41), '__proto__']) {"
        "  if (checkName(name) !== null) throw new Error(name);"
        "}"
        "return EXPRESSIONS;"
    )
    assert names == list(EXPRESSIONS)


def test_keys_are_set_moved_and_become_a_motion(page: "Page") -> None:
    node = build(page)
    canvas = page.find_canvas()
    strip = 1 - STRIP_PX / 3 / canvas.rect["height"]
    press_button(page, "◆")
    assert page.widget(node, "keys") == "0s: yaw=0"
    page.drag(canvas, (0.5, strip))
    set_widget(page, node, "yaw", 20)
    set_widget(page, node, "smile", 1)
    press_button(page, "◆")
    first, second = page.widget(node, "keys").split("; ")
    assert first == "0s: yaw=0 smile=0"
    time, numbers = second.split(": ")
    assert numbers == "yaw=20 smile=1"
    assert abs(float(time[:-1]) - 1) < 0.1
    page.drag(canvas, (0.25, strip))
    yaw = page.widget(node, "yaw")
    assert 5 < yaw < 15
    wait_until_shown(page, yaw=yaw)
    share = 8 / canvas.rect["width"]
    place = share + float(time[:-1]) / 2 * (1 - 2 * share)
    page.drag(canvas, (place, strip), (place + 0.2, strip))
    moved = page.widget(node, "keys").split("; ")[1]
    assert float(moved.split("s:")[0]) > float(time[:-1]) + 0.2
    assert page.widget(node, "yaw") == 20
    page.run(
        f"const ease = {EDITOR}.querySelectorAll('select')[1]; ease.value = 'ease';"
        "ease.dispatchEvent(new Event('change'));"
    )
    text = page.widget(node, "keys")
    assert text.endswith(" ease")
    assert count_key_frames(text, FPS) > 25
    press_button(page, "✕", 1)
    assert page.widget(node, "keys") == first


def write_keys(rng: np.random.Generator) -> str:
    """A text of every kind that the grammar knows."""
    parts = []
    for frame in np.sort(rng.choice(100, int(rng.integers(1, 6)), replace=False)):
        names = rng.choice(["yaw", "smile", "scale", "joy"], int(rng.integers(1, 4)), replace=False)
        values = str(rng.choice([" ", ", "])).join(
            f"{name}={0.5 + rng.random():.3g}" for name in names
        )
        time = rng.choice([f"{frame}f", f"{frame / FPS:g}s", f"{frame / FPS:g}"])
        parts.append(f"{time}: {values} {rng.choice(['', 'linear', 'hold', 'ease'])}")
    rng.shuffle(parts)
    return str(rng.choice(["; ", ";", "\n"])).join(parts)


def test_the_page_reads_keys_as_the_pack_does(page: "Page") -> None:
    rng = np.random.default_rng(0)
    texts = [write_keys(rng) for _ in range(40)]
    samples = page.run(
        f"const {{ readKeys, sampleNumbers, writeKeys }} = await import('{MODULE}/key_text.js');"
        "return arguments[0].map((text) => {"
        "  const keys = readKeys(writeKeys(readKeys(text)));"
        "  return [0, 13, 40, 99].map((frame) => sampleNumbers(keys, frame / 25));"
        "});",
        texts,
    )
    for text, faces in zip(texts, samples, strict=True):
        motion = move_by_text(text, 100, FPS)
        for frame, numbers in zip((0, 13, 40, 99), faces, strict=True):
            still = move_by_hand(numbers)
            for name, track in motion.tracks.items():
                np.testing.assert_allclose(
                    still.tracks[name][0], track[frame], atol=2e-4, err_msg=text
                )


@pytest.mark.parametrize("text", ["smile", "yaw=x", "0s: ", "a: yaw=1", "-1s: yaw=1", "1s: ease"])
def test_keys_that_cannot_be_read_stay_and_are_named(page: "Page", text: str) -> None:
    with pytest.raises(InputError):
        count_key_frames(text, FPS)
    node = build(page)
    set_widget(page, node, "keys", text)
    fault = page.wait_for(f"return {EDITOR}.querySelector('output.fault')?.textContent")
    assert "expected" in fault
    press_button(page, "◆")
    assert page.widget(node, "keys") == text


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (BLANK, "No face is found"),
        ("missing.png", "'missing.png [input]'. Choose it anew"),
        (None, "Connect Load Image"),
    ],
)
def test_what_is_missing_is_said_on_the_picture(
    page: "Page", picture: str | None, words: str
) -> None:
    if picture:
        build(page, picture)
    else:
        page.add(NODE, 420, 60)
        page.find_canvas()
    page.wait_for(f"return {HINT}?.includes({words!r})")


def test_a_text_that_is_being_written_is_no_fault_of_the_page(page: "Page") -> None:
    node = build(page)
    set_widget(page, node, "more_numbers", "anger=")
    page.wait_for(f"return {HINT}.includes('a number')")
    set_widget(page, node, "more_numbers", "anger=1")
    page.wait_for(f"return {EDITOR}.dataset.shown.includes('anger=1')")
    assert page.read_faults() == []
    assert page.read_hosts() <= {"127.0.0.1", "localhost"}
