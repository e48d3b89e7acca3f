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
from helpers.widgets import list_inputs

FPS = 12.5
SECONDS = {"07_long_video": 4.0}
SILENT = ("03_expression_only",)
NAMES = [path.stem for path in WORKFLOWS]
EXPECTED = 10


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


@pytest.mark.parametrize("name", NAMES)
def test_it_makes_its_video(name: str, server: Server) -> None:
    entry = server.run(small(api_format(load_workflow(name), server.info)))
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    seconds = SECONDS.get(name, 2.0)
    with av.open(str(video_of(entry, server))) as file:
        video = file.streams.video[0]
        assert float(video.average_rate) == FPS
        assert sum(1 for _ in file.decode(video)) == int(seconds * FPS)
    with av.open(str(video_of(entry, server))) as file:
        sound = [float(s.duration * s.time_base) for s in file.streams.audio]
    assert sound == ([] if name in SILENT else [pytest.approx(seconds, abs=0.05)])


@pytest.mark.parametrize("name", ["01_first_day", "05_three_sources"])
def test_the_same_again_recomputes_nothing(name: str, server: Server) -> None:
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
