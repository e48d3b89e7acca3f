"""A ComfyUI server with the pack in it, and saved graphs as its HTTP API takes them."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
COMFY = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser()
WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
START_SECONDS, RUN_SECONDS = 300, 600
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
IN_BROWSER_ONLY = ("MarkdownNote", "Note")

Graph = dict[str, Any]


class Server:
    """ComfyUI on a CPU, with folders of its own."""

    def __init__(self, base: Path, pack: Path = REPOSITORY) -> None:
        self.base = base
        (base / "custom_nodes").mkdir()
        (base / "custom_nodes" / "actalker").symlink_to(pack)
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

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

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
        raise AssertionError((self.base / "log.txt").read_text()[-3000:])

    def run(self, graph: Graph) -> Any:
        """Queue a graph and wait: its entry in the history."""
        body = json.dumps({"prompt": graph}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/prompt", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                queued = json.load(answer)["prompt_id"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:3000]) from error
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end:
            history = self.get(f"/history/{queued}")
            if queued in history:
                return history[queued]
            time.sleep(0.2)
        raise AssertionError(f"The graph did not end within {RUN_SECONDS} s.")


def messages(entry: Any, kind: str) -> list[Any]:
    """What a run told of a kind."""
    return [data for name, data in entry["status"]["messages"] if name == kind]


def api_format(saved: Graph, info: dict[str, Any]) -> Graph:
    """A graph as the front end saves it -> as the HTTP API takes it.

    Widgets are saved by position: a value for each widget input in the order of the node's
    schema, and one more after a seed, which says how the browser changes it.
    """
    origins = {link[0]: [str(link[1]), link[2]] for link in saved["links"]}
    graph: Graph = {}
    for node in saved["nodes"]:
        if node["type"] in IN_BROWSER_ONLY:
            continue
        inputs = _widgets(node, info[node["type"]])
        for slot in node["inputs"]:
            if slot["link"] is not None:
                inputs[slot["name"]] = origins[slot["link"]]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


def _widgets(node: Graph, info: dict[str, Any]) -> Graph:
    values = iter(node.get("widgets_values") or [])
    found = {}
    for kind in ("required", "optional"):
        for name, (io_type, *more) in info["input"].get(kind, {}).items():
            options = more[0] if more else {}
            if not (isinstance(io_type, list) or io_type in WIDGETS) or options.get("forceInput"):
                continue
            found[name] = next(values)
            if options.get("control_after_generate"):
                next(values)
    assert not list(values), node["type"]
    return found
