"""Routes of the pack: what is wrong gets words for people, 4xx or fault, and touches nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.host import Comfy
from helpers.routes import JSON, Client


@pytest.fixture(scope="module")
def routes(comfy: Comfy) -> Any:
    return comfy.node_module("common.routes")


@pytest.fixture(scope="module")
def client(comfy: Comfy, routes: Any) -> Iterator[Client]:
    """With a route `echo`, one that measures a picture, and ones that fail."""

    def fail(values: Any) -> Any:
        raise KeyError("a fault of the pack")

    def measure(values: Any) -> Any:
        return {"shape": list(routes.load_picture(values.get("picture")).shape)}

    def draw(values: Any) -> Any:
        return routes.Picture(np.full((8, 12, 3), (200, 100, 50), np.uint8), {"face": 1})

    for name, work in (("echo", dict), ("measure", measure), ("fail", fail), ("draw", draw)):
        routes.add_route(f"test_{name}", work)
    running = Client(comfy)
    yield running
    running.close()


@pytest.fixture(scope="module")
def folder(comfy: Comfy) -> Path:
    """The input folder, with pictures and what is none."""
    folder = comfy.base / "input"
    (folder / "sub").mkdir(exist_ok=True)
    pixels = np.zeros((24, 32, 3), np.uint8)
    for name in ("routes.png", "sub/routes.png"):
        cv2.imwrite(str(folder / name), pixels)
    (folder / "text.png").write_text("no picture")
    cv2.imwrite(str(comfy.base / "secret.png"), pixels)
    (folder / "link.png").unlink(missing_ok=True)
    (folder / "link.png").symlink_to(comfy.base / "secret.png")
    header = cv2.imencode(".png", pixels)[1].tobytes()
    large = header[:16] + (10_000).to_bytes(4, "big") * 2 + header[24:]
    (folder / "large.png").write_bytes(large)
    return folder


@pytest.mark.parametrize(
    "name", ["routes.png", "routes.png [input]", "sub/routes.png", "sub/routes.png [input]"]
)
def test_a_picture_is_named_as_load_image_names_it(client: Client, folder: Path, name: str) -> None:
    answer = client.post("test_measure", {"picture": name})
    assert (answer.status, json.loads(answer.body)) == (200, {"shape": [3, 24, 32]})


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "sub/../../secret.png",
        "..\\secret.png",
        "link.png",
        "routes.png [output]",
        "routes.png [temp]",
        "",
        "/",
        ".",
        "C:\\secret.png",
        "a\0b.png",
        "\ud800.png",
        "x" * 100_000,
        None,
        7,
        ["routes.png"],
    ],
)
def test_what_is_no_picture_of_the_input_folder_is_refused(
    client: Client, folder: Path, comfy: Comfy, name: object
) -> None:
    answer = client.post("test_measure", {"picture": name})
    assert answer.status == 400
    assert answer.error.startswith("Picture")
    assert str(comfy.base) not in answer.error


@pytest.mark.parametrize("name", ["missing.png", "sub/missing.png", "text.png", "large.png", "sub"])
def test_a_picture_that_is_missing_or_cannot_be_read_is_a_fault(
    client: Client, folder: Path, comfy: Comfy, name: str
) -> None:
    fault = client.post("test_measure", {"picture": name}).fault
    assert fault.startswith("Picture: expected")
    assert repr(name) in fault
    assert str(comfy.base) not in fault


def test_an_absolute_path_is_refused(client: Client, folder: Path) -> None:
    for path in (folder / "routes.png", Path("/etc/passwd")):
        assert client.post("test_measure", {"picture": str(path)}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000),
        *(b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": ' + b"9" * 10_000 + b"}"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    answer = client.post("test_echo", body)
    assert answer.status == 400
    assert "JSON" in answer.error


def test_a_long_body_is_not_read(client: Client, routes: Any) -> None:
    long = json.dumps({"a": "x" * routes.MAX_BODY_BYTES}).encode()
    assert client.post("test_echo", long).status == 413


def test_another_content_type_is_refused(client: Client) -> None:
    assert client.post("test_echo", b"{}", {"Content-Type": "text/plain"}).status == 415


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", "127.0.0.1:8188", 403),
        ("http://evil.example", "artists.example", 403),
        ("https://artists.example", "artists.example", 200),
        ("https://artists.example:444", "artists.example:443", 403),
        ("http://127.0.0.1:8188", "127.0.0.1:8188", 200),
        ("http://127.0.0.1:9999", "127.0.0.1:8188", 403),
        ("http://localhost:8188", "127.0.0.1:8188", 403),
        ("null", "127.0.0.1:8188", 403),
        ("http://[", "127.0.0.1:8188", 403),
        ("http://a:x", "a", 403),
    ],
)
def test_only_the_own_page_may_ask(client: Client, origin: str, host: str, status: int) -> None:
    answer = client.post("test_echo", {}, JSON | {"Origin": origin, "Host": host})
    assert answer.status == status


def test_a_foreign_site_may_not_ask_without_naming_itself(client: Client) -> None:
    assert client.post("test_echo", {}, JSON | {"Sec-Fetch-Site": "cross-site"}).status == 403


def test_an_origin_that_comfyui_was_started_with_may_ask(
    client: Client, routes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes.args, "enable_cors_header", "http://other.example")
    for origin, status in (("http://other.example", 200), ("http://evil.example", 403)):
        assert client.post("test_echo", {}, JSON | {"Origin": origin}).status == status


def test_a_fault_of_the_pack_is_logged_and_shows_no_code(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post("test_fail", {})
    assert answer.status == 500
    assert "a fault of the pack" not in answer.error
    assert "a fault of the pack" in caplog.text


def test_a_picture_comes_with_its_facts(client: Client, routes: Any) -> None:
    answer = client.post("test_draw", {})
    assert json.loads(answer.headers[routes.FACTS_HEADER]) == {"face": 1}
    pixels = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(pixels[4, 6], (50, 100, 200), atol=4)
