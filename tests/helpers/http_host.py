"""A ComfyUI server with the pack in it, and saved graphs as its HTTP API takes them."""

import copy
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from helpers.host import COMFY, DYNAMIC_VRAM, REPOSITORY
from helpers.recorded_faces import TASK
from helpers.widgets import fill_widgets, list_inputs

WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
FEW_STEPS = 2
START_SECONDS, RUN_SECONDS = 300, 600
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
IN_BROWSER_ONLY = ("MarkdownNote", "Note")
SIMULATION = """
import logging
import comfy.memory_management
comfy.memory_management.aimdo_enabled = True
logging.info("Dynamic VRAM is simulated.")
NODE_CLASS_MAPPINGS = {}
"""
"""A pack of custom nodes that sets what ComfyUI itself sets where a GPU can stream weights."""

Graph = dict[str, Any]


class Server:
    """ComfyUI on a CPU, with folders of its own."""

    def __init__(self, base: Path, pack: Path = REPOSITORY) -> None:
        self.base = base
        (base / "custom_nodes").mkdir()
        (base / "custom_nodes" / "actalker").symlink_to(pack)
        if DYNAMIC_VRAM:
            (base / "custom_nodes" / "dynamic_vram.py").write_text(SIMULATION)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--cpu", "--base-directory", str(base), "--port", str(self.port)]
        self.log = (base / "log.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "main.py", *options, "--disable-api-nodes", "--disable-auto-launch"],
            cwd=COMFY,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.info = self._wait_for("/object_info", START_SECONDS)
        assert ("Dynamic VRAM is simulated." in self.read_log()) == DYNAMIC_VRAM

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def read_log(self) -> str:
        """What it has written on its console."""
        return (self.base / "log.txt").read_text()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return json.load(answer)

    def _wait_for(self, path: str, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return self.get(path)
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        raise AssertionError(self.read_log()[-3000:])

    def run(self, graph: Graph) -> Any:
        """Queue a graph and wait: its entry in the history."""
        body = json.dumps({"prompt": graph}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/prompt", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                prompt_id = json.load(answer)["prompt_id"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:3000]) from error
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.2)
        raise AssertionError(f"The graph did not end within {RUN_SECONDS} s.")


def lay_landmarker(base: Path) -> None:
    """Put MediaPipe's landmarker where a server looks for it, if it is at hand."""
    if TASK.is_file():
        models = base / "models" / "actalker"
        models.mkdir(parents=True)
        (models / TASK.name).symlink_to(TASK)


def messages(entry: Any, kind: str) -> list[Any]:
    """What a run told of a kind."""
    return [data for name, data in entry["status"]["messages"] if name == kind]


def load_workflow(name: str) -> Graph:
    return json.loads((REPOSITORY / "workflows" / f"{name}.json").read_text("utf-8"))


def small(graph: Graph) -> Graph:
    """The same graph with few steps."""
    graph = copy.deepcopy(graph)
    for node in graph.values():
        if "steps" in node["inputs"]:
            node["inputs"]["steps"] = FEW_STEPS
    return graph


def api_format(workflow: Graph, info: dict[str, Any]) -> Graph:
    """A graph as the front end saves it -> as the HTTP API takes it.

    Widgets are saved by position; the node's slots tell their names. Those that the node got in a
    newer version have their defaults.
    """
    origins = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph: Graph = {}
    for node in workflow["nodes"]:
        if node["type"] in IN_BROWSER_ONLY:
            continue
        inputs = info[node["type"]]["input"]
        values = fill_widgets(inputs, _widgets(node, inputs))
        for slot in node["inputs"]:
            if slot["link"] is not None:
                values[slot["name"]] = origins[slot["link"]]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": values}
    return graph


def _widgets(node: Graph, inputs: Graph) -> Graph:
    """Values by name. A seed's is followed by a word on how the browser changes it."""
    values = iter(node.get("widgets_values") or [])
    options = {name: more for _, name, (_, *more) in list_inputs(inputs, {})}
    widgets = {}
    for name in saved_widgets(node):
        widgets[name] = next(values)
        if options[name] and options[name][0].get("control_after_generate"):
            next(values)
    assert not list(values), node["type"]
    return widgets


def saved_widgets(node: Graph) -> list[str]:
    """Names of a saved node's widgets, in the order of their values."""
    return [slot["name"] for slot in node["inputs"] if slot.get("widget")]


def widgets(inputs: Graph) -> list[str]:
    """Names of the widgets that a node's info describes, in order."""
    return [
        name
        for _, name, (io_type, *more) in list_inputs(inputs, {})
        if (isinstance(io_type, list) or io_type in WIDGETS)
        and not (more and more[0].get("forceInput"))
    ]
