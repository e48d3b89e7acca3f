"""The page of one server, in each of the front end's two renderers."""

import importlib.util
import sys
from collections.abc import Iterator

import pytest
from helpers.host import COMFY, REPOSITORY
from helpers.http_host import Server, lay_landmarker

SHOWS_EDITORS = "0.3.64" not in (COMFY / "comfyui_version.py").read_text("utf-8")


def provide_core() -> None:
    """Let tests import the core by its name, although its folder must not stand on `sys.path`.

    ComfyUI's own `nodes` would be hidden by that of the repository.
    """
    source = REPOSITORY / "actalker_core" / "__init__.py"
    spec = importlib.util.spec_from_file_location("actalker_core", source)
    core = importlib.util.module_from_spec(spec)
    sys.modules["actalker_core"] = core
    spec.loader.exec_module(core)


provide_core()
browser = pytest.importorskip("helpers.browser", reason="needs selenium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "web":
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("server")
    lay_landmarker(base)
    running = Server(base)
    yield running
    running.close()


@pytest.fixture(scope="session", params=["classic", "nodes2"])
def open_page(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["browser.Page"]:
    if not browser.CHROMIUM or not browser.DRIVER:
        pytest.skip("needs chromium and chromedriver")
    if request.param == "nodes2" and not SHOWS_EDITORS:
        pytest.skip("the Nodes 2.0 of this ComfyUI draws no widgets but its own")
    page = browser.Page(server.port, tmp_path_factory.mktemp("profile"), request.param == "nodes2")
    yield page
    page.close()


@pytest.fixture
def page(open_page: "browser.Page") -> "browser.Page":
    """The page with an empty graph, and a console without the faults of earlier tests."""
    open_page.clear()
    open_page.read_faults()
    return open_page
