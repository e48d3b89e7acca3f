"""Every example graph opens, runs on the built-in model, and gives the video that it promises."""

import json
from pathlib import Path
from typing import Any

import av
import pytest
from helpers.http_host import (
    REPOSITORY,
    WORKFLOWS,
    Server,
    api_format,
    load_workflow,
    messages,
    saved_widgets,
    small,
    widgets,
)
from helpers.recorded_faces import TASK
from helpers.widgets import list_inputs

FPS, PHOTOGRAPH_FPS = 12.5, 25.0
SECONDS = {"07_long_video": 4.0}
SILENT = ("03_expression_only", "13_words_and_idle")
PHOTOGRAPHS = ("11_photograph_talks", "12_photograph_driven", "13_words_and_idle")
"""Graphs that need MediaPipe's landmarker."""
IMAGES = {"14_geometry_images": "GeometryImages", "15_swap_start": "SwapStart"}
"""Graphs that want a checkpoint too, and the node whose images are seen without one."""
NAMES = [path.stem for path in WORKFLOWS]
EXPECTED = 15


def test_there_is_one_for_each_task() -> None:
    assert len(NAMES) == EXPECTED


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_thumbnail(name: str) -> None:
    picture = REPOSITORY / "workflows" / f"{name}.jpg"
    assert picture.read_bytes()[:2] == b"\xff\xd8"


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


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IMAGES])
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


@pytest.mark.parametrize("name", ["01_first_day", "05_three_sources", "12_photograph_driven"])
def test_the_same_again_recomputes_nothing(name: str, server: Server) -> None:
    if name in PHOTOGRAPHS:
        require_landmarker()
    graph = small(api_format(load_workflow(name), server.info))
    server.run(graph)
    (cached,) = messages(server.run(graph), "execution_cached")
    assert set(cached["nodes"]) == set(graph)


def test_a_changed_gate_recomputes_what_depends_on_it(server: Server) -> None:
    graph = small(api_format(load_workflow("08_gate_curves"), server.info))
    server.run(graph)
    curve = next(
        key
        for key, node in graph.items()
        if node["class_type"] == "ACTalker_Curve" and "audio" not in node["inputs"]
    )
    graph[curve]["inputs"]["curve_text"] = "0:1, 1:0"
    (cached,) = messages(server.run(graph), "execution_cached")
    again = {graph[key]["class_type"] for key in set(graph) - set(cached["nodes"])}
    assert again == {
        *("ACTalker_Curve", "ACTalker_Gates", "ACTalker_SignalMonitor", "ACTalker_Conditioning"),
        *("ACTalker_Sampler", "ACTalker_Decode", "CreateVideo", "SaveVideo", "PreviewImage"),
    }


def test_a_changed_curve_of_motion_recomputes_what_depends_on_it(server: Server) -> None:
    require_landmarker()
    graph = api_format(load_workflow("12_photograph_driven"), server.info)
    server.run(graph)
    (curve,) = [key for key, node in graph.items() if node["class_type"] == "ACTalker_Curve"]
    graph[curve]["inputs"]["curve_text"] = "0:1, 1:0"
    (cached,) = messages(server.run(graph), "execution_cached")
    again = {graph[key]["class_type"] for key in set(graph) - set(cached["nodes"])}
    assert again == {
        *("ACTalker_Curve", "ACTalker_MixMotion", "ACTalker_MotionToFrames"),
        *("CreateVideo", "SaveVideo"),
    }
