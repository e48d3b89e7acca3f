"""A ComfyUI in this process, with the pack loaded from its folder as ComfyUI does it."""

import asyncio
import importlib
import inspect
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.widgets import fill_widgets

REPOSITORY = Path(__file__).parents[2]
COMFY = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser()
DYNAMIC_VRAM = "ACTALKER_DYNAMIC_VRAM" in os.environ
"""Whether layers are built as in a ComfyUI that streams weights from the file: 0.16 and newer."""


class Comfy:
    """ComfyUI and the pack in it; what differs between its versions is known here alone."""

    def __init__(self, base: Path) -> None:
        self.base = base
        sys.path.insert(0, str(COMFY))
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.nodes = self._start()
        module = self.nodes.LOADED_MODULE_DIRS["actalker"]
        self.package = module.replace(".", "_x_")

    def _start(self) -> Any:
        for folder in ("models/actalker", "custom_nodes", "input", "output"):
            (self.base / folder).mkdir(parents=True)
        pack = self.base / "custom_nodes" / "actalker"
        pack.symlink_to(REPOSITORY)
        arguments, sys.argv = sys.argv, ["main.py", "--cpu", "--base-directory", str(self.base)]
        import comfy.options

        comfy.options.enable_args_parsing()
        importlib.import_module("utils.extra_config")
        nodes = importlib.import_module("nodes")
        sys.argv = arguments
        if DYNAMIC_VRAM:
            importlib.import_module("comfy.memory_management").aimdo_enabled = True
        utils = importlib.import_module("comfy.utils")
        for name in ("PROGRESS_THROTTLE_MIN_INTERVAL", "PROGRESS_THROTTLE_MIN_PERCENT"):
            if hasattr(utils, name):  # so that tests can count the reports of short work
                setattr(utils, name, 0)
        self.server = importlib.import_module("server").PromptServer(self.loop)
        setup_logger = importlib.import_module("app.logger").setup_logger
        setup_logger(**_select_arguments(setup_logger, file_outputs=[]))
        self.loop.run_until_complete(nodes.init_builtin_extra_nodes())
        assert self.loop.run_until_complete(nodes.load_custom_node(str(pack)))
        return nodes

    def core(self, name: str) -> Any:
        """A module of the core, as the pack has loaded it."""
        return importlib.import_module(f"{self.package}.actalker_core.{name}")

    def node_module(self, name: str) -> Any:
        """A module of the nodes, as the pack has loaded it."""
        return importlib.import_module(f"{self.package}.nodes.{name}")

    def info(self, node: str) -> dict[str, Any]:
        """What /object_info says of a node."""
        return self.nodes.NODE_CLASS_MAPPINGS[node].GET_NODE_INFO_V1()

    def call(self, name: str, **inputs: Any) -> Any:
        """Run one node of the pack with the defaults of its widgets; its outputs."""
        return self.execute(name, **inputs).args

    def execute(self, name: str, **inputs: Any) -> Any:
        """The same with what the node shows on itself: outputs as `args`, the other as `ui`."""
        node = self.nodes.NODE_CLASS_MAPPINGS[f"ACTalker_{name}"]
        return node.EXECUTE_NORMALIZED(**self.fill_widgets(f"ACTalker_{name}", inputs))

    def fill_widgets(self, node: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs of a node, and what its other widgets are in a new graph."""
        kind = self.nodes.NODE_CLASS_MAPPINGS[node]
        is_v3 = hasattr(kind, "GET_NODE_INFO_V1")
        return fill_widgets(self.info(node)["input"] if is_v3 else kind.INPUT_TYPES(), inputs)

    def node(self, kind: str, **inputs: Any) -> dict[str, Any]:
        """A node of the pack or of ComfyUI for a graph in API format."""
        node_id = f"ACTalker_{kind}"
        name = node_id if node_id in self.nodes.NODE_CLASS_MAPPINGS else kind
        return {"class_type": name, "inputs": self.fill_widgets(name, inputs)}

    def inputs(self, kind: str) -> dict[str, Any]:
        """What a node of the pack takes: required and optional."""
        return self.info(f"ACTalker_{kind}")["input"]

    def queue(self, graph: dict[str, Any]) -> "Run":
        """Validate and run a graph in API format, as the server does."""
        execution = importlib.import_module("execution")
        prompt_id = str(uuid.uuid4())
        valid, error, outputs, node_errors = self.loop.run_until_complete(
            execution.validate_prompt(prompt_id, graph, None)
        )
        if not valid:
            return Run(False, [], _of_validation(error, node_errors), [])
        self.server.events = []
        self.server.send_sync = lambda event, data, sid=None: self.server.events.append(
            (event, data)
        )
        self.server.client_id = "tests"
        if not hasattr(self, "executor"):
            limits = {"lru": 0, "ram": 0, "ram_inactive": 0}
            more = _select_arguments(execution.PromptExecutor, cache_args=limits)
            self.executor = execution.PromptExecutor(self.server, **more)
        self.loop.run_until_complete(
            self.executor.execute_async(graph, prompt_id, {"client_id": "tests"}, outputs)
        )
        events = self.server.events
        ran = [d["node"] for e, d in events if e == "executing" and d.get("node")]
        errors = [d for e, d in events if e == "execution_error"]
        return Run(self.executor.success, ran, errors[0] if errors else None, events)

    def output(self, node: str, slot: int = 0) -> Any:
        """What a node of the last graph gave."""
        entry = self.executor.caches.outputs.get(node)
        if inspect.isawaitable(entry):
            entry = self.loop.run_until_complete(entry)
        return getattr(entry, "outputs", entry)[slot][0]

    @contextmanager
    def report_progress(self, hook: Callable[..., None]) -> Iterator[None]:
        """Call the hook with each report of progress: name of the node, steps done, all steps."""
        utils = importlib.import_module("comfy.utils")

        def report(done: int, total: int, preview: Any, node_id: str | None = None) -> None:
            hook([d["node"] for e, d in self.server.events if e == "executing"][-1], done, total)

        utils.set_progress_bar_global_hook(report)
        try:
            yield
        finally:
            utils.set_progress_bar_global_hook(None)


class Run:
    """What happened to a queued graph."""

    def __init__(self, success: bool, ran: list[str], error: Any, events: list[Any]) -> None:
        self.success, self.ran, self.error, self.events = success, ran, error, events

    @property
    def message(self) -> str:
        """What the node shows."""
        return str(self.error["exception_message"]) if self.error else ""

    @property
    def ui(self) -> dict[str, dict[str, Any]]:
        """What each node shows; {} of one that shows nothing, for which ComfyUI may send None."""
        outputs = {d["node"]: d["output"] for event, d in self.events if event == "executed"}
        return {node: output or {} for node, output in outputs.items()}


def _select_arguments(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Those arguments that this version of ComfyUI knows."""
    parameters = inspect.signature(call).parameters
    return {name: value for name, value in arguments.items() if name in parameters}


def _of_validation(failure: Any, node_errors: dict[str, Any]) -> dict[str, Any]:
    """What ComfyUI refused before the graph ran, as an error of the node concerned."""
    for node, errors in node_errors.items():
        lines = [f"{error['message']}: {error['details']}" for error in errors["errors"]]
        return {"node_id": node, "exception_message": "\n".join(lines)}
    return {"node_id": None, "exception_message": f"{failure['message']}: {failure['details']}"}


# Media -------------------------------------------------------------------------------------------


def image(height: int = 96, width: int = 80, frames: int = 1) -> Tensor:
    """An IMAGE with a moving bright bar."""
    x = torch.linspace(0, 1, width)[None, None].expand(frames, height, width)
    y = torch.linspace(0, 1, height)[None, :, None].expand(frames, height, width)
    t = torch.linspace(0, 0.5, frames)[:, None, None].expand(frames, height, width)
    return torch.stack([x, y, (x + t) % 1], dim=-1)


def speech(seconds: float = 1.0, rate_hz: int = 16_000, channels: int = 1) -> dict[str, Any]:
    """An AUDIO with a beat in it."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * 180 * t) * (np.sin(2 * np.pi * 3 * t) > 0)
    samples = torch.from_numpy(wave).float().expand(1, channels, -1).clone()
    return {"waveform": samples, "sample_rate": rate_hz}
