"""ComfyUI's page in a headless Chromium, in the classic canvas or in Nodes 2.0."""

import json
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--window-size=1600,950",
)
LOAD_SECONDS, WAIT_SECONDS = 240, 60
NODES_2 = "Comfy.VueNodes.Enabled"
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False}
"""Nothing stands over the graph."""


class Page:
    """The page of a server, with an empty graph.

    Args:
        port: of ComfyUI. profile: an empty folder for the browser.
        is_vue: Nodes 2.0 instead of the classic canvas.
    """

    def __init__(self, port: int, profile: Path, is_vue: bool) -> None:
        options = Options()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(WAIT_SECONDS)
        self.origin = f"http://127.0.0.1:{port}"
        self._set(SETTINGS | {NODES_2: is_vue})
        self.reload()

    def reload(self) -> None:
        """Load the page anew, so that there is nothing to undo."""
        self.driver.get("about:blank")
        self.driver.get(self.origin)
        self.wait_for("return !!window.app?.graph && !!window.app.extensionManager", LOAD_SECONDS)
        self.wait_for("return !!app.extensionManager.workflow.activeWorkflow?.changeTracker")
        self.clear()

    def _set(self, settings: dict[str, Any]) -> None:
        """Set the user's settings on the server, where the page reads them when it loads."""
        request = urllib.request.Request(
            f"{self.origin}/settings",
            json.dumps(settings).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()

    def choose_language(self, locale: str) -> None:
        """Show the page in a language, such as `zh`."""
        self._set({"Comfy.Locale": locale})
        self.reload()

    def close(self) -> None:
        self.driver.quit()

    def run(self, script: str, *values: Any) -> Any:
        """What a script with `await` and the page's `app` returns; it must not throw."""
        result = self.driver.execute_async_script(
            "const values = [...arguments], done = values.pop();"
            "(async function () {" + script + "}).apply(null, values)"
            ".then(done, (error) => done({ fault: String(error.stack ?? error) }));",
            *values,
        )
        assert not (isinstance(result, dict) and "fault" in result), result["fault"]
        return result

    def ask(self, script: str, *values: Any) -> Any:
        """What a script returns at once."""
        return self.driver.execute_script(script, *values)

    def wait_for(self, script: str, seconds: float = WAIT_SECONDS) -> Any:
        """What a script returns as soon as that counts as true."""
        end = time.monotonic() + seconds
        while True:
            try:
                result = self.ask(script)
            except JavascriptException:
                result = None
            if result:
                return result
            assert time.monotonic() < end, f"waited in vain for: {script}"
            time.sleep(0.05)

    def clear(self) -> None:
        """Take all nodes away, and show the graph as large as it is.

        Numbers of nodes go on: the front end would give a new node the widgets of an earlier one.
        """
        self.run(
            "const { lastNodeId } = app.graph.state; app.graph.clear();"
            "app.graph.state.lastNodeId = lastNodeId;"
            "app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0];"
        )

    def add(self, name: str, x: float, y: float) -> int:
        """A node of a type at a place of the graph: its id."""
        return self.ask(
            "const node = LiteGraph.createNode(arguments[0]);"
            "node.pos = [arguments[1], arguments[2]]; app.graph.add(node); return node.id;",
            name,
            x,
            y,
        )

    def widget(self, node: int, name: str) -> Any:
        return self.ask(
            "const { widgets } = app.graph.getNodeById(arguments[0]);"
            "return widgets.find(({ name }) => name == arguments[1]).value",
            node,
            name,
        )

    def find_canvas(self, index: int = 0) -> Any:
        """The canvas of an editor on the page, once it is there."""
        return self.wait_for(
            f"const canvas = document.querySelectorAll('.actalker-editor canvas')[{index}];"
            "return canvas?.clientHeight > 20 && canvas"
        )

    def drag(self, element: Any, start: tuple[float, float], *places: tuple[float, float]) -> None:
        """Press at a share of an element's size, move on to others, let go."""
        chain = ActionChains(self.driver, duration=30)
        box = element.rect
        for i, (x, y) in enumerate((start, *places)):
            chain.move_to_element_with_offset(
                element, round((x - 0.5) * box["width"]), round((y - 0.5) * box["height"])
            )
            if i == 0:
                chain.click_and_hold()
        chain.release().perform()

    def read_faults(self) -> list[str]:
        """Errors and warnings of the console that name the pack."""
        lines = [entry["message"] for entry in self.driver.get_log("browser")]
        return [line for line in lines if "actalker" in line.lower()]

    def read_hosts(self) -> set[str]:
        """Hosts that were asked for anything since the last call."""
        hosts = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if url.startswith(("http", "ws")):
                    hosts.add(url.split("/")[2].split(":")[0])
        return hosts
