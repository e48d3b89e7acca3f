"""Graphs on the page that begin with a picture of two faces."""

import json
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from helpers.group_picture import GROUP_SIZE, write_group
from helpers.http_host import RUN_SECONDS, Server

if TYPE_CHECKING:
    from helpers.browser import Page

PICTURE, HALF, BLANK = "group.png", "half.png", "blank.png"
"""Two faces, the right one of them, none."""
SIDE_PX = 512


class PictureGraph:
    """Load Image of two faces."""

    def __init__(self, page: "Page", server: Server) -> None:
        self.page, self.server = page, server
        folder = server.base / "input"
        if not (folder / PICTURE).is_file():
            group = cv2.imread(str(write_group(folder / PICTURE)))
            cv2.imwrite(str(folder / HALF), group[:, GROUP_SIZE[0] // 2 :])
            cv2.imwrite(str(folder / BLANK), np.full((300, 400, 3), 128, np.uint8))
        self.load = page.add("LoadImage", 40, 140)
        self.set(self.load, "image", PICTURE)

    def set(self, node: int, widget: str, value: Any) -> None:
        """As if it were typed."""
        self.page.ask(
            "const node = app.graph.getNodeById(arguments[0]);"
            "const widget = node.widgets.find(({ name }) => name == arguments[1]);"
            "widget.value = arguments[2]; widget.callback?.(arguments[2], app.canvas, node);",
            node,
            widget,
            value,
        )

    def connect(self, source: int, slot: int, node: int, name: str) -> None:
        self.page.ask(
            "const [source, node] = [arguments[0], arguments[2]]"
            "  .map((id) => app.graph.getNodeById(id));"
            "source.connect(arguments[1], node, node.findInputSlot(arguments[3]));",
            source,
            slot,
            node,
            name,
        )

    def save(self, node: int, slot: int) -> int:
        """A Save Image behind an output."""
        image = self.page.add("SaveImage", 1200, 600)
        self.connect(node, slot, image, "images")
        return image

    def run(self, *images: int) -> list[np.ndarray]:
        """Queue the graph in the page and wait: (h, w, 3) in 0…255 of each Save Image."""
        self.page.wait_for("return app.api.socket?.readyState === 1 && app.api.clientId")
        before = set(self.server.get("/history"))
        self.page.run("await app.queuePrompt(0)")
        end = time.monotonic() + RUN_SECONDS
        while not (entries := set(self.server.get("/history")) - before):
            assert time.monotonic() < end
            time.sleep(0.1)
        entry = self.server.get("/history")[entries.pop()]
        assert entry["status"]["status_str"] == "success", json.dumps(entry["status"])[-2000:]
        return [self._read(entry["outputs"][str(image)]["images"][0]) for image in images]

    def _read(self, file: dict[str, str]) -> np.ndarray:
        query = urllib.parse.urlencode(file)
        with urllib.request.urlopen(f"{self.page.origin}/view?{query}") as answer:
            pixels = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
        return pixels[..., ::-1]

    def note(self, kind: str, text: str) -> str:
        """What an editor says, once it contains a text."""
        selector = {"faces": "output", "regions": ".actalker-note"}[kind]
        script = f"return document.querySelector('[data-editor={kind}] {selector}')?.textContent"
        try:
            self.page.wait_for(f"{script}.includes({json.dumps(text)})")
        except AssertionError as error:
            raise AssertionError(f"expected {text!r}, got {self.page.ask(script)!r}") from error
        return str(self.page.ask(script))

    def canvas(self, kind: str) -> Any:
        """The canvas of an editor."""
        return self.page.wait_for(
            f"const canvas = document.querySelector('[data-editor={kind}] canvas');"
            "return canvas?.clientHeight > 20 && canvas"
        )


class PortraitGraph(PictureGraph):
    """With Prepare Portrait behind it, seen as a whole on the page."""

    def __init__(self, page: "Page", server: Server) -> None:
        super().__init__(page, server)
        self.prepare = page.add("ACTalker_PreparePortrait", 360, 140)
        self.set(self.prepare, "short_side_px", SIDE_PX)
        self.connect(self.load, 0, self.prepare, "image")
