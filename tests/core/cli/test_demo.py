"""`demo`, `--help` and `--version`."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.cli_media import FPS, read_error, watch
from helpers.hopper import HOPPER_SIZE, write_hopper
from helpers.recorded_faces import TASK, needs_model
from helpers.tiny import TINY

import actalker_core
from actalker_core.cli import main
from actalker_core.models.actalker.checkpoint import built_in, save
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.synthetic import demo

pytestmark = pytest.mark.usefixtures("quick_models")

COMMANDS = (
    *("generate", "animate", "inspect", "signals", "bank", "faces"),
    *("convert", "info", "download", "demo"),
)


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_explains_every_option(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage:")
    silent = {("info",), ("faces",), ("download",)}
    expected = COMMANDS if not command else () if command in silent else ("--out",)
    assert [word for word in expected if word not in text] == []


def test_no_command_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == actalker_core.__version__


@pytest.fixture
def quick_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo, shorter and smaller, of a random model with fewer steps."""
    torch.manual_seed(0)
    tiny, path = TINY, tmp_path / "tiny.safetensors"
    config = replace(tiny, sampling=replace(tiny.sampling, steps=1, short_side_px=64))
    save(ACTalker(config).state_dict(), config, path, torch.float32)
    monkeypatch.setattr(built_in, "BUILT_IN_PATH", path)
    monkeypatch.setattr(demo, "SECONDS", 0.4)


@needs_model
@pytest.mark.usefixtures("quick_demo")
def test_demo_makes_its_own_media_and_two_videos_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    assert main(["demo", "--out", str(folder), "--landmarker", str(TASK)]) == 0
    names = {file.name for file in folder.iterdir()}
    assert names == {"portrait.png", "speech.wav", "driving.mp4", "demo.mp4", "photograph.mp4"}
    drawing, photograph = watch(folder / "demo.mp4"), watch(folder / "photograph.mp4")
    assert len(drawing.images) == 5
    assert drawing.fps == FPS
    assert drawing.audio_seconds == pytest.approx(0.4, abs=1 / FPS)
    assert photograph.images.shape == (10, *HOPPER_SIZE, 3)
    assert photograph.audio_seconds == pytest.approx(0.4, abs=1 / FPS)


@needs_model
@pytest.mark.usefixtures("quick_demo")
def test_demo_moves_a_photograph_of_ones_own(tmp_path: Path) -> None:
    portrait = write_hopper(tmp_path / "me.png")
    request = ["demo", "--out", str(tmp_path / "demo"), "--landmarker", str(TASK)]
    assert main([*request, "--portrait", str(portrait)]) == 0
    assert not (tmp_path / "demo" / "demo.mp4").exists()
    assert watch(tmp_path / "demo" / "photograph.mp4").images.shape == (10, 300, 256, 3)


@pytest.mark.usefixtures("quick_demo")
def test_demo_into_a_file_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "demo").write_bytes(b"a file")
    assert "demo" in read_error(["demo", "--out", str(tmp_path / "demo")], caplog)
