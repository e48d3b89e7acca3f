"""Every command that writes tries its place first: nothing is loaded, sampled or fetched before."""

import os
import stat
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.cli_media import Media, read_error, request_of, watch

from actalker_core.cli import commands, main
from actalker_core.files.fetching import OFFLINE
from actalker_core.models.actalker.checkpoint import release
from actalker_core.synthetic import demo

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices are posix")


class TooEarlyError(AssertionError):
    """Work was done before the place was tried."""


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works fails."""

    def work(*_: object, **__: object) -> None:
        raise TooEarlyError

    monkeypatch.delenv(OFFLINE)
    for place, name in (
        (commands, "_load_model"),
        (commands, "CLIPEncoder"),
        (demo, "render_driving_frames"),
        (release, "read_pickle"),
        (urllib.request, "urlopen"),
    ):
        monkeypatch.setattr(place, name, work)


Request = Callable[[Path], list[str]]


@pytest.fixture
def requests(media: Media, release_folder: Path, tmp_path: Path) -> dict[str, Request]:
    """Each command, by the file that it is to write."""
    faces = tmp_path / "faces"
    faces.mkdir()
    (faces / "joy.png").write_bytes(Path(media["square.png"]).read_bytes())

    def inspect(path: Path) -> list[str]:
        return ["inspect", *request_of(media, path, "audio")[1:]]

    return {
        "generate": lambda path: request_of(media, path, "audio"),
        "inspect": inspect,
        "signals": lambda path: ["signals", "--audio", media["speech.wav"], "--out", str(path)],
        "bank": lambda path: ["bank", str(faces), "--out", str(path)],
        "convert": lambda path: [
            *("convert", str(release_folder), "--out", str(path)),
        ],
        "download": lambda path: ["download", "--landmarker", str(path)],
        "demo": lambda path: ["demo", "--out", str(path.parent)],
    }


NAMES = {
    "generate": "clip.mp4",
    "inspect": "plan.png",
    "signals": "calm.safetensors",
    "bank": "bank.safetensors",
    "convert": "model.safetensors",
    "download": "face.task",
    "demo": "demo.mp4",
}
PLACES: dict[str, Callable[[Path], Any]] = {
    "a folder": lambda path: path.mkdir(parents=True),
    "a file above": lambda path: path.parent.write_bytes(b"old"),
    "a pipe": lambda path: (path.parent.mkdir(), os.mkfifo(path)),
    "a link to a device": lambda path: (path.parent.mkdir(), path.symlink_to("/dev/null")),
    "a link to nowhere": lambda path: (path.parent.mkdir(), path.symlink_to("/absent/file")),
}


@posix
@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("command", NAMES)
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_be_is_refused_before_the_work(
    requests: dict[str, Request],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    command: str,
    place: str,
) -> None:
    path = tmp_path / "out" / NAMES[command]
    PLACES[place](path)
    before = [(file, file.lstat().st_mode) for file in sorted((tmp_path / "out").rglob("*"))]
    message = read_error(requests[command](path), caplog)
    assert str(path) in message
    after = [(file, file.lstat().st_mode) for file in sorted((tmp_path / "out").rglob("*"))]
    assert after == before


@pytest.fixture
def full_disk() -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="needs a limit of file sizes")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("idle", "full_disk")
@pytest.mark.parametrize("command", NAMES)
def test_a_full_disk_is_found_before_the_work(
    requests: dict[str, Request], tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    message = read_error(requests[command](tmp_path / "out" / NAMES[command]), caplog)
    assert NAMES[command] in message or command == "demo"
    assert "Free some space" in message
    assert not (tmp_path / "out").exists()


@posix
@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("command", NAMES)
def test_a_folder_that_takes_no_files_is_found_before_the_work(
    requests: dict[str, Request], caplog: pytest.LogCaptureFixture, command: str
) -> None:
    """Root may write into any other folder."""
    assert "cannot be written" in read_error(
        requests[command](Path("/proc", NAMES[command])), caplog
    )


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("generate", name) for name in ("clip", "clip.avi", "clip.safetensors", "clip.png")),
        *(("generate", name) for name in ("%d/%d.png", "%s.png")),
        *(("inspect", name) for name in ("plan", "plan.gif", "plan.mp4")),
        *((c, "x.npz") for c in ("signals", "bank", "convert")),
        *((c, "x.mp4") for c in ("signals", "bank", "convert")),
    ],
)
def test_a_name_that_says_something_else_is_refused_before_the_work(
    requests: dict[str, Request],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    command: str,
    name: str,
) -> None:
    message = read_error(requests[command](tmp_path / "out" / name), caplog)
    assert "expected a name that ends in" in message
    assert str(tmp_path / "out" / name) in message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("idle")
def test_a_gif_too_fast_is_refused_before_the_work(
    requests: dict[str, Request], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = [*requests["generate"](tmp_path / "clip.gif"), "--fps", "60"]
    assert "at most 50" in read_error(request, caplog)


@pytest.mark.usefixtures("idle", "convert_tiny")
@pytest.mark.parametrize("command", NAMES)
def test_the_work_begins_where_the_place_is_good(
    requests: dict[str, Request], tmp_path: Path, command: str
) -> None:
    """The tests above could not fail otherwise."""
    with pytest.raises(TooEarlyError):
        main(requests[command](tmp_path / "out" / NAMES[command]))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick_models")
@pytest.mark.parametrize("name", ["clip.gif", "clip.webm", "clip.MOV", "clip.mkv"])
def test_generate_writes_what_the_name_says(media: Media, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert main(request_of(media, path, "driving", "--frames", "2")) == 0
    assert watch(path).images.shape == (2, 64, 64, 3)
    start = {"gif": b"GIF8", "webm": b"\x1aE\xdf\xa3", "mkv": b"\x1aE\xdf\xa3"}
    expected = start.get(path.suffix[1:], b"ftypqt")
    assert expected in path.read_bytes()[:16]


@pytest.mark.usefixtures("quick_models")
def test_generate_writes_numbered_pictures(media: Media, tmp_path: Path) -> None:
    request = request_of(media, tmp_path / "frames" / "%05d.png", "driving", "--frames", "2")
    assert main(request) == 0
    names = sorted(file.name for file in (tmp_path / "frames").iterdir())
    assert names == ["00001.png", "00002.png"]


@pytest.mark.usefixtures("quick_models")
def test_what_an_interrupted_command_has_written_is_said(
    media: Media,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "generate", interrupt)
    monkeypatch.setattr(demo, "SECONDS", 0.4)
    assert main(request_of(media, tmp_path / "a" / "clip.mp4", "driving", "--frames", "1")) == 130
    assert caplog.messages[-1] == "Interrupted; nothing was written."
    assert not (tmp_path / "a").exists()
    assert main(["demo", "--out", str(tmp_path / "b")]) == 130
    assert caplog.messages[-1].startswith("Interrupted; only ")
    assert "driving.mp4" in caplog.messages[-1]
    names = {file.name for file in (tmp_path / "b").iterdir()}
    assert names == {"portrait.png", "speech.wav", "driving.mp4"}
    assert all(stat.S_ISREG(file.stat().st_mode) for file in (tmp_path / "b").iterdir())
