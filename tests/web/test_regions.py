"""Regions are painted over the face on the node, and the mask is what was painted."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from helpers.http_host import Server
from helpers.portrait_graph import PortraitGraph
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

from actalker_core.control.drawing import Drawing, Step, parse_drawing, write_drawing
from actalker_core.errors import InputError

if TYPE_CHECKING:
    from helpers.browser import Page

MASKS = "ACTalker_RegionMasks"
MODULE = "await import('/extensions/actalker/js/regions/drawing_text.js')"
DRAWINGS = 200
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"


class RegionGraph(PortraitGraph):
    """A graph whose masks are saved."""

    def __init__(self, page: "Page", server: Server) -> None:
        super().__init__(page, server)
        self.masks = page.add(MASKS, 760, 40)
        self.connect(self.prepare, 0, self.masks, "portrait")
        self.images = []
        for slot in range(2):
            image = page.add("MaskToImage", 1100, 140 + 120 * slot)
            self.connect(self.masks, slot, image, "mask")
            self.images.append(self.save(image, 0))

    def run_masks(self) -> list[np.ndarray]:
        """The masks (h, w) of audio and expression in the result."""
        return [pixels[..., 0] / 255 for pixels in self.run(*self.images)]

    def press(self, name: str) -> None:
        """A button of the editor."""
        self.page.driver.find_element("css selector", f"button[data-name={name}]").click()

    def text(self, signal: str) -> str:
        return str(self.page.widget(self.masks, f"{signal}_drawing"))


@pytest.fixture
def graph(page: "Page", server: Server) -> RegionGraph:
    graph = RegionGraph(page, server)
    graph.note("regions", "overlap")  # the portrait is there
    return graph


def in_frame(x: float, y: float, shape: tuple[int, ...], canvas: object) -> tuple[float, float]:
    """A share of the portrait as a share of the canvas that it is shown on, with its margins."""
    width, height = canvas.rect["width"], canvas.rect["height"]  # type: ignore[attr-defined]
    shown = min(width - 8, (height - 8) * shape[1] / shape[0])
    left, top = (width - shown) / 2, (height - shown * shape[0] / shape[1]) / 2
    return (left + x * shown) / width, (top + y * shown * shape[0] / shape[1]) / height


# The text ----------------------------------------------------------------------------------------


def make_drawing(rng: np.random.Generator) -> Drawing:
    def step() -> Step:
        points = rng.uniform(-0.2, 1.2, (int(rng.integers(3, 12)), 2)).round(4)
        radius = round(float(rng.uniform(0.001, 0.4)), 4) if rng.random() < 0.5 else None
        return Step(points, radius, bool(rng.random() < 0.3))

    return Drawing(tuple(step() for _ in range(int(rng.integers(0, 5)))), bool(rng.random() < 0.7))


def test_the_page_reads_what_the_pack_writes(page: "Page") -> None:
    rng = np.random.default_rng(0)
    texts = [write_drawing(make_drawing(rng)) for _ in range(DRAWINGS)]
    again = page.run(
        f"const {{ readDrawing, writeStep, appendStep }} = {MODULE};"
        "return arguments[0].map((text) => {"
        "  const { steps, isOverRegion } = readDrawing(text);"
        "  return steps.map(writeStep).reduce(appendStep, isOverRegion ? '' : 'empty');"
        "});",
        texts,
    )
    assert again == texts


@pytest.mark.parametrize(
    "text",
    [
        *("circle 0.1 0.5,0.5", "empty 1", "erase", "erase erase brush 0.1 0,0", "polygon 0,0 1,1"),
        *("brush 0.1", "brush x 0,0", "brush 0 0,0", "brush 0.6 0,0", "brush 0.1 0.5"),
        *("brush 0.1 0,0,0", "polygon 0,0 1,0 1,2.5", "polygon 0,0 1,0 1,nan", "empty;" * 1001),
    ],
)
def test_the_page_refuses_what_the_pack_refuses(page: "Page", text: str) -> None:
    with pytest.raises(InputError):
        parse_drawing(text)
    fault = page.run(
        f"const {{ readDrawing }} = {MODULE};"
        "try { readDrawing(arguments[0]); } catch (fault) { return fault.message; }",
        text,
    )
    assert "expected" in fault


# The editor --------------------------------------------------------------------------------------


def test_what_is_painted_is_in_the_mask(graph: RegionGraph) -> None:
    canvas, page = graph.canvas("regions"), graph.page
    before = graph.run_masks()
    shape = before[0].shape
    assert shape == (512, 896)
    place = {
        name: in_frame(x, y, shape, canvas)
        for name, x, y in (("stroke", 0.2, 0.2), ("end", 0.3, 0.2), ("erased", 0.66, 0.45))
    }
    page.drag(canvas, place["stroke"], place["end"])
    graph.press("expression")
    graph.press("erase")
    page.drag(canvas, place["erased"])
    assert graph.text("audio").startswith("brush ")
    assert graph.text("expression").startswith("erase brush ")
    audio, expression = graph.run_masks()
    at = {
        name: (round(y * 512), round(x * 896))
        for name, x, y in (
            *(("stroke", 0.2, 0.2), ("middle", 0.25, 0.2)),
            *(("away", 0.25, 0.4), ("erased", 0.66, 0.45)),
        )
    }
    assert audio[at["stroke"]] == audio[at["middle"]] == 1
    assert before[0][at["middle"]] == audio[at["away"]] == 0
    assert before[1][at["erased"]] == 1
    assert expression[at["erased"]] == 0
    assert (audio >= before[0]).all()
    assert (expression <= before[1]).all()


def test_the_chosen_region_lies_over_the_other(graph: RegionGraph) -> None:
    """Where both act, the colour is rather that of the signal that is painted."""
    canvas = graph.canvas("regions")
    shape = (512, 896)
    middle = in_frame(0.5, 0.5, shape, canvas)
    for signal in ("audio", "expression"):
        graph.press(signal)
        graph.page.drag(canvas, middle, in_frame(0.55, 0.5, shape, canvas))
    redness = []
    for signal in ("audio", "expression"):
        graph.press(signal)
        red, green = graph.page.ask(
            "const [canvas, x, y] = arguments;"
            "const data = canvas.getContext('2d')"
            "  .getImageData(x * canvas.width, y * canvas.height, 1, 1).data;"
            "return [data[0], data[1]]",
            canvas,
            *middle,
        )
        redness.append(red - green)
    assert redness[0] > redness[1] + 20


def test_a_polygon_is_clicked_or_dragged_around(graph: RegionGraph) -> None:
    canvas, page = graph.canvas("regions"), graph.page
    shape = (512, 896)
    corners = [(0.1, 0.6), (0.3, 0.6), (0.3, 0.9), (0.1, 0.9)]
    places = [in_frame(x, y, shape, canvas) for x, y in corners]
    graph.press("empty")
    assert graph.text("audio") == "empty"
    graph.note("regions", "acts nowhere")
    graph.press("polygon")
    for place in places:
        page.drag(canvas, place)
    page.drag(canvas, places[0])
    clicked = parse_drawing(graph.text("audio"))
    assert [len(step.points) for step in clicked.steps] == [4]
    audio, expression = graph.run_masks()
    assert abs(audio.mean() - 0.2 * 0.3) < 0.006
    assert audio[round(0.62 * 512) : round(0.88 * 512), round(0.12 * 896) : round(0.28 * 896)].all()
    assert expression.any()
    graph.press("erase")
    half = [(0, 0.5), (0.2, 0.5), (0.2, 1), (0, 1)]
    page.drag(canvas, *(in_frame(x, y, shape, canvas) for x, y in half))
    audio, _ = graph.run_masks()
    assert abs(audio.mean() - 0.1 * 0.3) < 0.006


def turn_wheel(graph: RegionGraph, place: tuple[float, float], pixels: int) -> float:
    """Over a share of the canvas: the zoom of the graph after it."""
    canvas = graph.canvas("regions")
    sides = canvas.rect["width"], canvas.rect["height"]
    away = [round((share - 0.5) * side) for share, side in zip(place, sides, strict=True)]
    origin = ScrollOrigin.from_element(canvas, *away)
    ActionChains(graph.page.driver).scroll_from_origin(origin, 0, pixels).perform()
    return float(graph.page.ask("return app.canvas.ds.scale"))


def test_the_wheel_zooms_around_the_pointer(graph: RegionGraph) -> None:
    """A small face is painted as finely as a large one, and what lies out of sight counts, too."""
    canvas, page = graph.canvas("regions"), graph.page
    face, corner = (in_frame(*at, (512, 896), canvas) for at in ((0.68, 0.45), (0.01, 0.01)))
    page.drag(canvas, face)  # Nodes 2.0 leaves the wheel to an editor that has the focus
    assert turn_wheel(graph, face, -800) == 1
    page.drag(canvas, face)
    whole, near = parse_drawing(graph.text("audio")).steps
    np.testing.assert_allclose(near.points, whole.points, atol=1e-3)
    assert whole.radius is not None
    assert near.radius == pytest.approx(whole.radius / 1.002**800, abs=1e-4)
    turn_wheel(graph, corner, 1600)
    turn_wheel(graph, corner, -1400)
    graph.press("erase")  # said anew while both regions are out of sight
    assert graph.note("regions", "overlap") == "The regions do not overlap."
    graph.press("erase")
    assert turn_wheel(graph, corner, 3000) == 1
    page.drag(canvas, face)
    last = parse_drawing(graph.text("audio")).steps[-1]
    assert (last.points.tolist(), last.radius) == (whole.points.tolist(), whole.radius)


def test_the_regions_follow_the_widgets_before_anything_runs(graph: RegionGraph) -> None:
    assert "do not overlap" in graph.note("regions", "overlap")
    graph.set(graph.masks, "style", "released")
    assert "100 %" in graph.note("regions", "100 %")
    graph.set(graph.masks, "style", "halves")
    graph.note("regions", "do not")
    graph.set(graph.masks, "audio_region", "face")
    assert "100 %" in graph.note("regions", "100 %")
    graph.set(graph.masks, "audio_region", "face+nose")
    graph.note("regions", "at character 6")
    assert graph.page.read_faults() == [], "a text that is being typed is no error of the page"
    graph.set(graph.masks, "audio_region", "")
    graph.set(graph.masks, "signals", "audio only")
    graph.note("regions", "Expression has no region")


def test_a_picture_that_is_missing_is_named(graph: RegionGraph) -> None:
    graph.set(graph.load, "image", "missing.png")
    graph.note("regions", "'missing.png [input]'. Choose it anew in Load Image.")


def test_a_text_that_cannot_be_read_is_named_and_left(graph: RegionGraph) -> None:
    graph.set(graph.masks, "audio_drawing", "brush 0.1")
    graph.note("regions", "a radius and at least one point at character 1")
    graph.page.drag(graph.canvas("regions"), (0.5, 0.5))
    assert graph.text("audio") == "brush 0.1"
    graph.press("reset")
    assert graph.text("audio") == ""
    graph.note("regions", "do not overlap")


def test_the_overlap_is_that_of_the_result(graph: RegionGraph) -> None:
    canvas = graph.canvas("regions")
    graph.page.drag(canvas, *(in_frame(x, 0.5, (512, 896), canvas) for x in (0.62, 0.72)))
    said = graph.note("regions", "both signals act there")
    audio, expression = graph.run_masks()
    share = np.minimum(audio, expression).sum() / min(audio.sum(), expression.sum())
    assert abs(100 * share - int(said.split(" %")[0].split(" ")[-1])) <= 3


def test_a_picture_of_another_node_is_shown_after_a_run(graph: RegionGraph) -> None:
    page = graph.page
    flip = page.add("ImageInvert", 40, 600)
    graph.connect(graph.load, 0, flip, "image")
    graph.connect(flip, 0, graph.prepare, "image")
    graph.set(graph.prepare, "face_box", "420,60,620,300")
    graph.note("regions", "Run once")
    graph.run_masks()
    graph.note("regions", "overlap")
    page.drag(graph.canvas("regions"), (0.4, 0.5))
    assert graph.text("audio").startswith("brush ")


def test_a_stroke_lasts_and_can_be_undone(page: "Page", server: Server) -> None:
    page.reload()
    graph = RegionGraph(page, server)
    graph.note("regions", "overlap")
    canvas = graph.canvas("regions")
    page.run(f"{TRACKER}.checkState(); await new Promise((go) => setTimeout(go, 300));")
    page.drag(canvas, (0.4, 0.5), (0.5, 0.5))
    text = graph.text("audio")
    page.run(f"{TRACKER}.checkState(); await {TRACKER}.undo();")
    assert graph.text("audio") == ""
    page.run(f"await {TRACKER}.redo()")
    assert graph.text("audio") == text
    saved = page.run("return JSON.parse(JSON.stringify(app.graph.serialize()))")
    prompt = page.run("return (await app.graphToPrompt()).output")
    assert prompt[str(graph.masks)]["inputs"]["audio_drawing"] == text
    page.clear()
    page.run("app.graph.configure(arguments[0])", saved)
    assert graph.text("audio") == text
    page.clear()
    page.run("await app.loadApiJson(arguments[0], 'test')", prompt)
    assert (
        page.ask(
            "return app.graph.nodes.find(({ type }) => type == arguments[0]).widgets"
            ".find(({ name }) => name == 'audio_drawing').value",
            MASKS,
        )
        == text
    )


def test_nothing_is_said_on_the_console_and_nobody_else_is_asked(graph: RegionGraph) -> None:
    graph.page.drag(graph.canvas("regions"), (0.4, 0.5), (0.5, 0.5))
    assert graph.page.read_faults() == []
    assert graph.page.read_hosts() <= {"127.0.0.1", "localhost"}
