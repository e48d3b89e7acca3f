"""What is fetched comes whole, in time, and of a size, or is an error."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from helpers.servers import serve

from actalker_core.files import fetching
from actalker_core.files.fetching import UNREACHABLE, fetch, hide_password, is_offline

CONTENT = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    """Answers by what the address names."""

    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
        elif self.path == "/garbled":
            self.wfile.write(b"not HTTP\r\n\r\n")
        elif self.path == "/slow":
            self.send_answer(len(CONTENT))
            for byte in CONTENT[:40]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        else:
            self.send_answer({"/cut": len(CONTENT) + 1, "/unknown": None}.get(self.path, 256_000))
            self.wfile.write(CONTENT)

    def send_answer(self, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve(Handler) as address:
        yield address


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("path", ["/whole", "/unknown"])
def test_content_comes_whole_and_is_reported(server: str, path: str) -> None:
    reports: list[tuple[str, int, int | None]] = []
    content = fetch(server + path, len(CONTENT), "A", lambda *report: reports.append(report))
    assert content == CONTENT
    assert reports[-1] == ("A", len(CONTENT), None if path == "/unknown" else len(CONTENT))
    counts = [done for _, done, _ in reports]
    assert counts == sorted(set(counts))


def test_a_file_of_this_machine_has_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a b%.bin"
    path.write_bytes(CONTENT)
    assert fetch(path.as_uri(), len(CONTENT)) == CONTENT


@pytest.mark.parametrize("path", ["/absent", "/cut", "/garbled"])
def test_a_connection_that_fails_is_an_error(server: str, path: str) -> None:
    with pytest.raises(UNREACHABLE):
        fetch(server + path, 2 * len(CONTENT))


def test_more_than_expected_is_not_read_on(server: str) -> None:
    with pytest.raises(ValueError, match="1,000 bytes"):
        fetch(server, 1000)


def test_a_byte_now_and_then_does_not_hold_up_for_ever(server: str) -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        fetch(f"{server}/slow", len(CONTENT), max_seconds=0.2)
    assert time.monotonic() - start < 1.5


def test_a_server_that_says_nothing_does_not_hold_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(UNREACHABLE):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/", 10)


def test_a_report_may_stop_it(server: str) -> None:
    def stop(*report: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, len(CONTENT), "", stop)


@pytest.mark.parametrize("address", ["nowhere", "", "http://[", "http://a b/"])
def test_what_is_no_address_is_an_error(address: str) -> None:
    with pytest.raises(UNREACHABLE):
        fetch(address, 10)


def test_a_password_is_not_repeated() -> None:
    assert hide_password("https://me:secret@host:8/x/?y") == "https://host:8/x/?y"


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)]
)
def test_one_variable_keeps_all_from_the_network(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool
) -> None:
    monkeypatch.delenv(fetching.OFFLINE, raising=False)
    if value is not None:
        monkeypatch.setenv(fetching.OFFLINE, value)
    assert is_offline() == expected
