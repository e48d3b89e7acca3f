"""Every example graph opens, runs on the built-in model, and gives the video that it promises."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.host import DYNAMIC_VRAM
from helpers.http_host import (
    REPOSITORY,
    WORKFLOWS,
    Graph,
    Server,
    api_format,
    load_workflow,
    messages,
    saved_widgets,
    small,
    widgets,
)
from helpers.recorded_faces import TASK
from helpers.stable_diffusion import CHECKPOINT, CONTROLNET, write_models
from helpers.widgets import list_inputs
from PIL import Image

FPS, PHOTOGRAPH_FPS = 12.5, 25.0
SECONDS = {"13 A long video": 4.0}
SILENT = ("08 Expression from a clip", "04 Your photograph shows feelings")
PHOTOGRAPHS = (
    "01 A photograph talks",
    "02 Your photograph talks",
    "03 A clip moves your photograph",
    "04 Your photograph shows feelings",
    "18 A finished photograph",
    "19 Train a person",
    "20 A face swap",
)
"""Graphs that need MediaPipe's landmarker."""
IMAGES = {
    "16 Geometry for other models": "GeometryImages",
    "17 The start of a face swap": "SwapStart",
}
"""Graphs that want a checkpoint too, and the node whose images are seen without one."""
STILLS = ("05 Your photograph by hand", *IMAGES)
"""Graphs that end in an image."""
DRAWING, PHOTOGRAPH = 0, 5
"""Outputs of Demo Media: 128x128 pixels, and 512x600."""
CHANGES: dict[str, tuple[str, str, Any]] = {
    "01 A photograph talks": ("ACTalker_AnimatePhoto", "text", "anger"),
    "02 Your photograph talks": ("ACTalker_AnimatePhoto", "text", "anger"),
    "03 A clip moves your photograph": ("ACTalker_Curve", "curve_text", "0:1, 1:0"),
    "04 Your photograph shows feelings": ("ACTalker_MotionFromWords", "strength", 0.5),
    "05 Your photograph by hand": ("ACTalker_FaceEditor", "yaw", -8.0),
    "16 Geometry for other models": ("ACTalker_FaceEditor", "yaw", -8.0),
    "17 The start of a face swap": ("ACTalker_SwapStart", "face", "left"),
    "18 A finished photograph": ("ACTalker_RefineWithTGDM", "steps", 1),
    "19 Train a person": ("ACTalker_TrainPersonal", "steps", 1),
    "20 A face swap": ("ACTalker_FaceSwap", "steps", 1),
}
"""A widget of a node in each graph of photographs, and another value for it."""
LOADING = ("LoadImage", "LoadAudio", "LoadVideo")
NAMES = [path.stem for path in WORKFLOWS]
EXPECTED = 20
FROM_FILES = 5
"""Graphs that begin with files of the artist's own."""


def test_there_is_one_for_each_task() -> None:
    assert len(NAMES) == EXPECTED


def test_some_begin_with_files_and_say_so() -> None:
    """A file is chosen by the artist, so none is named; a note says what to do."""
    graphs = [load_workflow(name)["nodes"] for name in NAMES]
    loads = [[n for n in nodes if n["type"] in LOADING] for nodes in graphs]
    assert sum(bool(nodes) for nodes in loads) == FROM_FILES
    for nodes, loading in zip(graphs, loads, strict=True):
        (note,) = [node for node in nodes if node["type"] == "MarkdownNote"]
        (text,) = note["widgets_values"]
        assert "**You get:**" in text
        assert ("hoose a photograph" in text) == bool(loading)
        assert not any(node["widgets_values"] for node in loading)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_thumbnail(name: str) -> None:
    """A square, as newer galleries show it; twice the size of a card."""
    with Image.open(REPOSITORY / "workflows" / f"{name}.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.size == (512, 512)


def test_the_template_browser_lists_them(server: Server) -> None:
    listed = server.get("/api/workflow_templates")
    assert sorted(listed["actalker"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_nodes_and_links_are_those_of_the_snapshot(name: str, server: Server) -> None:
    kept = json.loads((REPOSITORY / "tests/nodes/snapshot.json").read_text("utf-8"))
    info = server.info | kept
    for node in load_workflow(name)["nodes"]:
        if node["type"] in kept:
            assert saved_widgets(node) == widgets(kept[node["type"]]["input"]), node["type"]
    graph = api_format(load_workflow(name), info)
    for node in graph.values():
        inputs = list(list_inputs(info[node["class_type"]]["input"], node["inputs"]))
        known = {key: described for _, key, described in inputs}
        assert set(node["inputs"]) <= set(known), node["class_type"]
        required = {key for kind, key, _ in inputs if kind == "required"}
        assert required <= set(node["inputs"]), node["class_type"]
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                given = info[graph[value[0]]["class_type"]]["output"][value[1]]
                assert set(str(given).split(",")) & set(str(known[key][0]).split(",")), key


def video_of(entry: Any, server: Server) -> Path:
    for output in entry["outputs"].values():
        for file in output.get("images", []):
            if file["filename"].endswith(".mp4"):
                return server.base / "output" / file["subfolder"] / file["filename"]
    raise AssertionError(entry["outputs"])


@pytest.mark.parametrize("name", IMAGES)
def test_it_shows_its_images_where_there_is_no_checkpoint(name: str, server: Server) -> None:
    require_landmarker()
    graph = api_format(load_workflow(name), server.info)
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    (shown,) = [key for key, node in graph.items() if node["class_type"] == "PreviewImage"]
    source, _ = graph[shown]["inputs"]["images"]
    assert graph[source]["class_type"] == f"ACTalker_{IMAGES[name]}"
    assert len(entry["outputs"][shown]["images"]) == 1


def require_landmarker() -> None:
    if not TASK.is_file():
        pytest.skip("no face_landmarker.task")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in STILLS])
def test_it_makes_its_video(name: str, server: Server) -> None:
    if name in PHOTOGRAPHS:
        require_landmarker()
    entry = server.run(small(api_format(load_workflow(name), server.info)))
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    seconds = SECONDS.get(name, 2.0)
    with av.open(str(video_of(entry, server))) as file:
        video = file.streams.video[0]
        fps = PHOTOGRAPH_FPS if name in PHOTOGRAPHS else FPS
        assert float(video.average_rate) == fps
        assert sum(1 for _ in file.decode(video)) == int(seconds * fps)
    with av.open(str(video_of(entry, server))) as file:
        sound = [float(s.duration * s.time_base) for s in file.streams.audio]
    assert sound == ([] if name in SILENT else [pytest.approx(seconds, abs=0.05)])


@pytest.mark.parametrize("name", ["06 The model in one node", "10 Three sources in one face"])
def test_the_same_again_recomputes_nothing(name: str, server: Server) -> None:
    graph = small(api_format(load_workflow(name), server.info))
    server.run(graph)
    assert list_computed(server, graph) == set()


def test_a_changed_gate_recomputes_what_depends_on_it(server: Server) -> None:
    graph = small(api_format(load_workflow("12 Signals over time"), server.info))
    server.run(graph)
    curve = next(
        key
        for key, node in graph.items()
        if node["class_type"] == "ACTalker_Curve" and "audio" not in node["inputs"]
    )
    graph[curve]["inputs"]["curve_text"] = "0:1, 1:0"
    assert {graph[key]["class_type"] for key in list_computed(server, graph)} == {
        *("ACTalker_Curve", "ACTalker_Gates", "ACTalker_SignalMonitor", "ACTalker_Conditioning"),
        *("ACTalker_Sampler", "ACTalker_Decode", "CreateVideo", "SaveVideo"),
    }


def list_computed(server: Server, graph: Graph) -> set[str]:
    """The nodes that run when a graph is queued."""
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    (cached,) = messages(entry, "execution_cached")
    return set(graph) - set(cached["nodes"])


# Photographs: with a checkpoint too, once more, and with a change -------------------------------


@pytest.fixture(scope="module")
def models(server: Server) -> None:
    """A checkpoint and a ControlNet."""
    write_models(server.base / "models")


def complete(graph: Graph) -> Graph:
    """The same graph with few steps; on that checkpoint and a small picture, if it wants one."""
    graph = small(graph)
    for node in graph.values():
        if "ckpt_name" in node["inputs"]:
            if DYNAMIC_VRAM:
                pytest.skip("ComfyUI's own loader then wants the library that is only simulated")
            node["inputs"]["ckpt_name"] = Path(CHECKPOINT).name
            for media in [k for k, n in graph.items() if n["class_type"] == "ACTalker_DemoMedia"]:
                replace_wires(graph, [media, PHOTOGRAPH], [media, DRAWING])
    return graph


def replace_wires(graph: Graph, old: list[Any], new: list[Any]) -> None:
    for node in graph.values():
        node["inputs"] |= {name: new for name, wire in node["inputs"].items() if wire == old}


def find_node(graph: Graph, kind: str) -> str:
    """The first node of a kind."""
    return next(key for key, node in graph.items() if node["class_type"] == kind)


def list_followers(graph: Graph, key: str) -> set[str]:
    """A node and all that depends on it."""
    followers = {key}
    for _ in graph:
        followers |= {
            name
            for name, node in graph.items()
            for value in node["inputs"].values()
            if isinstance(value, list) and value[0] in followers
        }
    return followers


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("name", CHANGES)
def test_only_what_follows_a_change_is_computed_again(name: str, server: Server) -> None:
    require_landmarker()
    graph = complete(api_format(load_workflow(name), server.info))
    list_computed(server, graph)
    assert list_computed(server, graph) == set()
    kind, widget, value = CHANGES[name]
    node = find_node(graph, kind)
    assert graph[node]["inputs"][widget] != value
    graph[node]["inputs"][widget] = value
    followers = list_followers(graph, node)
    assert 1 < len(followers) < len(graph)
    assert list_computed(server, graph) == followers


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("attribute", ["lines", "normals"])
def test_geometry_steers_a_controlnet(server: Server, attribute: str) -> None:
    require_landmarker()
    graph = complete(api_format(load_workflow("16 Geometry for other models"), server.info))
    geometry, sampler, end = (
        find_node(graph, kind) for kind in ("ACTalker_GeometryImages", "KSampler", "SaveImage")
    )
    graph[geometry]["inputs"]["attribute"] = attribute
    inputs = graph[sampler]["inputs"]
    graph["net"] = {
        "class_type": "ControlNetLoader",
        "inputs": {"control_net_name": Path(CONTROLNET).name},
    }
    graph["hint"] = {
        "class_type": "ControlNetApplyAdvanced",
        "inputs": {
            "positive": inputs["positive"],
            "negative": inputs["negative"],
            "control_net": ["net", 0],
            "image": [geometry, 0],
            "strength": 0.0,
            "start_percent": 0.0,
            "end_percent": 1.0,
        },
    }
    inputs |= {"positive": ["hint", 0], "negative": ["hint", 1]}
    images = []
    for strength in (0.0, 1.0):
        graph["hint"]["inputs"]["strength"] = strength
        (saved,) = server.run(graph)["outputs"][end]["images"]
        path = server.base / "output" / saved["subfolder"] / saved["filename"]
        images.append(np.asarray(Image.open(path).convert("RGB"), np.float32))
    assert images[0].shape == images[1].shape
    assert np.abs(images[0] - images[1]).mean() > 1
