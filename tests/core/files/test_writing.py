"""Files are written whole or not at all, and in place of nothing but a file."""

import multiprocessing
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from actalker_core.errors import CheckpointError, MediaError
from actalker_core.files import writing as files
from actalker_core.files.writing import (
    check_writable,
    record_written_files,
    replace_file,
    resolve_target,
    save_tensors,
)

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices are posix")


def write(path: Path, content: bytes = b"new") -> None:
    with replace_file(path) as part:
        part.write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(autouse=True)
def short_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a socket must be short."""
    monkeypatch.chdir(tmp_path)


# What takes its place ----------------------------------------------------------------------------


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_file_appears_whole_and_alone(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "new ä" / "folder" / "file"
    if old is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(old)
    with replace_file(path) as part:
        part.write_bytes(b"ne")
        assert (path.read_bytes() if path.exists() else None) == old
        part.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["new ä", "new ä/folder", "new ä/folder/file"]


@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt(), ValueError("no")])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, error: BaseException, old: bytes | None
) -> None:
    path = tmp_path / "file" if old else tmp_path / "new" / "folder" / "file"
    if old is not None:
        path.write_bytes(old)

    def fail() -> None:
        with replace_file(path) as part:
            part.write_bytes(b"half")
            (part.parent / "of a library").write_bytes(b"half")
            raise error

    with pytest.raises((MediaError, KeyboardInterrupt, ValueError)):
        fail()
    assert names(tmp_path) == ([] if old is None else ["file"])
    assert old is None or path.read_bytes() == old


@posix
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
@pytest.mark.parametrize("old", [None, 0o600, 0o666])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int, old: int | None) -> None:
    path = tmp_path / "x.safetensors"
    if old is not None:
        path.write_bytes(b"old")
        path.chmod(old)
    before = os.umask(mask)
    try:
        save_tensors(path, {"x": torch.ones(3)}, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert load_file(path)["x"].tolist() == [1, 1, 1]


def test_what_took_its_place_is_noted(tmp_path: Path) -> None:
    with record_written_files() as paths:
        write(tmp_path / "a")
        with pytest.raises(MediaError), replace_file(tmp_path / "b"):
            raise OSError
        assert paths == [tmp_path / "a"]
    write(tmp_path / "c")
    assert paths == [tmp_path / "a"]


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "disk").mkdir()
    if exists:
        (tmp_path / "disk" / "model").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
    (tmp_path / "second").symlink_to("link")
    check_writable(tmp_path / "second")
    write(tmp_path / "second")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert (tmp_path / "disk" / "model").read_bytes() == b"new"
    assert names(tmp_path) == ["disk", "disk/model", "link", "second"]


# Places that cannot be ---------------------------------------------------------------------------


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


PLACES: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "folder": (lambda path: path.mkdir(), "x", "a folder"),
    "pipe": (lambda path: os.mkfifo(path), "x", "a pipe"),
    "socket": (a_socket, "x", "a socket"),
    "link to a device": (lambda path: path.symlink_to("/dev/null"), "x", "a device"),
    "link to a folder": (lambda path: path.symlink_to("."), "x", "a folder"),
    "link to itself": (lambda path: path.symlink_to(path), "x", "cannot be written"),
    "link to nowhere": (lambda path: path.symlink_to("absent/x"), "x", "Mount"),
    "below a file": (lambda path: path.write_bytes(b"old"), "x/y", "cannot be written"),
    "long name": (lambda path: None, "ä" * 200, "shorter name"),
    "long folder": (lambda path: None, "a/" + "b" * 300 + "/x", "shorter name"),
    "no name": (lambda path: None, "x\0y", "cannot be written"),
    "no letters": (lambda path: None, "x\ud800y", "cannot be written"),
    "folder itself": (lambda path: None, ".", "a folder"),
}


@posix
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", [MediaError, CheckpointError])
@pytest.mark.parametrize("act", [check_writable, save_tensors])
def test_a_place_that_cannot_be_is_named_and_left(
    tmp_path: Path, place: str, kind: type[MediaError], act: Callable[..., None]
) -> None:
    make, name, reason = PLACES[place]
    make(tmp_path / "x")
    before = names(tmp_path), (tmp_path / "x").lstat() if (tmp_path / "x").exists() else None
    contents = () if act is check_writable else ({"x": torch.ones(3)}, {})
    with pytest.raises(kind, match=reason) as error:
        act(tmp_path / name, *contents, kind=kind)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    after = names(tmp_path), (tmp_path / "x").lstat() if (tmp_path / "x").exists() else None
    assert after[0] == before[0]
    assert after[1] is None or stat.S_IFMT(after[1].st_mode) == stat.S_IFMT(before[1].st_mode)


@posix
@pytest.mark.parametrize("path", ["/dev/null", "/dev/full", "/dev/stdin"])
def test_a_device_stays(path: str) -> None:
    if not os.path.exists(path) or stat.S_ISREG(os.stat(path).st_mode):
        pytest.skip("there is no such device")
    with pytest.raises(MediaError, match="expected a file"):
        write(Path(path))
    assert not stat.S_ISREG(os.stat(path).st_mode)


@posix
def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    """Not by its permissions, which mean nothing to root."""
    with pytest.raises(MediaError, match="/proc/x: cannot be written"):
        check_writable(Path("/proc/x"))


def test_a_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"old")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(MediaError, match="write-protected"):
        check_writable(tmp_path / "x")


def test_something_that_came_meanwhile_is_left(tmp_path: Path) -> None:
    def meet() -> None:
        with replace_file(tmp_path / "x") as part:
            part.write_bytes(b"new")
            (tmp_path / "x").mkdir()

    with pytest.raises(MediaError, match="a folder"):
        meet()
    assert names(tmp_path) == ["x"]


@pytest.fixture
def small_files() -> Iterator[None]:
    """As a full disk: no file may grow beyond 5 kB."""
    resource = pytest.importorskip("resource", reason="needs a limit of file sizes")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_is_found_and_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "new" / "x"
    if old is not None:
        path.parent.mkdir()
        path.write_bytes(old)
    for act in (
        lambda: check_writable(path),
        lambda: write(path, bytes(9999)),
        lambda: save_tensors(path, {"x": torch.zeros(9999)}, {}),
    ):
        with pytest.raises(MediaError, match=r"x: cannot be written.*Free some space"):
            act()
        assert names(tmp_path) == ([] if old is None else ["new", "new/x"])
        assert old is None or path.read_bytes() == old


def test_a_file_that_will_not_fit_is_refused(tmp_path: Path) -> None:
    check_writable(tmp_path / "x", size_bytes=1)
    with pytest.raises(CheckpointError, match=r"expected 1000000000\.00 GB of free space, got"):
        check_writable(tmp_path / "x", CheckpointError, size_bytes=10**18)


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    check_writable(tmp_path / "x")
    check_writable(tmp_path / "new" / "folder" / "y")
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


# Other runs --------------------------------------------------------------------------------------


def begin(path: Path, seconds: float = 60) -> None:
    """Another run, half way."""
    with replace_file(path) as part:
        part.write_bytes(b"half")
        part.with_name(".of a library").write_bytes(b"half")
        part.with_name("begun").touch()
        time.sleep(seconds)
        part.write_bytes(b"whole")


StartRun = Callable[..., multiprocessing.Process]


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[StartRun]:
    """Starts another run, and waits until it is half way."""
    runs = []

    def start(*arguments: Any) -> multiprocessing.Process:
        run = multiprocessing.get_context("fork").Process(target=begin, args=arguments)
        run.start()
        runs.append(run)
        while not list(tmp_path.glob(".actalker-*/begun")):
            time.sleep(0.005)
        return run

    yield start
    for run in runs:
        run.kill()
        run.join()


@posix
@pytest.mark.parametrize("path", ["x", "other"])
@pytest.mark.parametrize("act", [check_writable, write])
def test_what_a_killed_run_left_goes_with_the_next(
    tmp_path: Path, start_run: StartRun, path: str, act: Callable[[Path], None]
) -> None:
    run = start_run(tmp_path / "x")
    run.kill()
    run.join()
    assert len(names(tmp_path)) == 5, "its folder, lock and three files"
    act(tmp_path / path)
    assert names(tmp_path) == ([path] if act is write else [])


@posix
def test_what_a_living_run_has_begun_stays(tmp_path: Path, start_run: StartRun) -> None:
    run = start_run(tmp_path / "x", 0.3)
    check_writable(tmp_path / "x")
    write(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"
    run.join()
    assert run.exitcode == 0
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert names(tmp_path) == ["x"]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Heard even where the suite runs in the background, which a shell lets ignore it."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@posix
@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, start_run: StartRun) -> None:
    run = start_run(tmp_path / "x")
    os.kill(run.pid or 0, signal.SIGINT)
    run.join()
    assert run.exitcode != 0
    assert not names(tmp_path)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_waits_until_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while it begins or tidies up."""
    for name in ("_make_staging", "_remove_abandoned", "_remove"):
        with monkeypatch.context() as patch:
            function = getattr(files, name)

            def interrupt(path: Path, function: Callable[[Path], Any] = function) -> Any:
                signal.raise_signal(signal.SIGINT)
                return function(path)

            patch.setattr(files, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                check_writable(tmp_path / "new" / "x")
        assert not names(tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_folders_of_others_stay(tmp_path: Path) -> None:
    mine = (".actalker-0123456789abcdef.part", ".actalker-0123456789abcdee.part")
    foreign_folders = (".actalker-notes.part", "actalker-0123456789abcdef.part", ".x.part")
    for name in (*mine, *foreign_folders):
        (tmp_path / name).mkdir()
    unlike_ours = Path(mine[1], "it holds something, but no lock")
    (tmp_path / unlike_ours).touch()
    write(tmp_path / "x")
    assert set(names(tmp_path)) == {"x", *foreign_folders, mine[1], str(unlike_ours)}


def test_many_writers_of_one_file_all_end_well(tmp_path: Path) -> None:
    path, errors = tmp_path / "new" / "x", []

    def writer(letter: int) -> None:
        try:
            for _ in range(20):
                check_writable(path)
                write(path, bytes([letter]) * 5000)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=writer, args=(letter,)) for letter in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    content = path.read_bytes()
    assert len(content) == 5000
    assert len(set(content)) == 1
    assert names(tmp_path) == ["new", "new/x"]


def test_a_file_system_without_locks_is_written_and_tidied_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lock: int) -> bool:
        raise OSError("no locks here")

    monkeypatch.setattr(files, "_take_lock", refuse)
    with replace_file(tmp_path / "x") as part:
        part.write_bytes(b"new")
        write(tmp_path / "y")
    assert names(tmp_path) == ["x", "y"]


def test_a_plain_path_is_its_own_target(tmp_path: Path) -> None:
    assert resolve_target(tmp_path / "x") == tmp_path / "x"
