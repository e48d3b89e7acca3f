"""What commands refuse: one line that says why, and no file left behind."""

import logging
import wave
from pathlib import Path

import pytest
import torch
from helpers.cli_media import (
    Media,
    read_error,
    request_of,
)

from actalker_core.cli import main, progress

pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--portrait nowhere.png", ["nowhere.png", "no such file"]),
        ("--portrait {notes.txt}", ["notes.txt", "expected an image"]),
        ("--audio nowhere.wav", ["nowhere.wav", "no such file"]),
        ("--audio {notes.txt}", ["notes.txt", "sound"]),
        ("--audio {driving.mp4}", ["driving.mp4", "no sound"]),
        ("--driving nowhere.mp4", ["nowhere.mp4", "no such file"]),
        ("--driving {speech.wav}", ["speech.wav", "no images"]),
        ("--model nowhere.safetensors", ["nowhere.safetensors", "no such file"]),
        ("--model {portrait.png}", ["portrait.png", "not a weight file"]),
        ("--model released", ["released", "convert"]),
        ("--size 100", ["Size", "multiple of 64", "100"]),
        ("--audio-gate loud", ["Gate", "number", "loud"]),
        ("--expression-gate 0:1,1", ["Gate", "time:strength", "character 5"]),
        ("--expression-gate nan:1,1:0", ["Gate"]),
        ("--face-box 200,9,210,20", ["Face box", "portrait", "96x160"]),
        ("--driving-box 64,0,90,30", ["Face box", "driving clip", "64x64"]),
        ("--overlap-frames 25", ["overlap", "25"]),
        ("--expression-mask nowhere.png", ["nowhere.png", "no such file"]),
        ("--device gpu", ["--device", "gpu"]),
        ("--device meta", ["--device", "meta"]),
        ("--out {notes.txt}/talk.mp4", ["talk.mp4", "cannot be written"]),
    ],
)
def test_error_is_one_line_and_exit_code_1(
    media: Media, out: Path, caplog: pytest.LogCaptureFixture, options: str, words: list[str]
) -> None:
    for name in ("notes.txt", "speech.wav", "driving.mp4", "portrait.png", "square.png"):
        options = options.replace(f"{{{name}}}", media[name])
    signals = "audio" if options.startswith("--audio") else "driving"
    request = request_of(media, out, signals, "--frames", "1")
    message = read_error([*request, *options.split(" ")], caplog)
    assert [word for word in words if word not in message] == [], message
    assert not out.parent.exists() or not list(out.parent.iterdir())


def test_nothing_to_follow_is_an_error(
    media: Media, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "audio" in read_error(request_of(media, out, "nothing"), caplog)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "xpu"])
def test_device_that_is_not_there_is_an_error(
    media: Media,
    out: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
) -> None:
    for kind in (torch.cuda, torch.backends.mps, torch.xpu):
        monkeypatch.setattr(kind, "is_available", lambda: False)
    message = read_error(request_of(media, out, "driving", "--device", device), caplog)
    assert f"--device {device}" in message
    assert "cpu" in message


def test_a_second_device_where_there_is_one_is_an_error(
    media: Media, out: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    message = read_error(request_of(media, out, "driving", "--device", "cuda:1"), caplog)
    assert "--device cuda:1" in message


def test_too_short_speech_is_an_error(
    media: Media, out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with wave.open(str(tmp_path / "click.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 700))
    request = request_of(media, out, "nothing", "--audio", str(tmp_path / "click.wav"))
    assert "short" in read_error(request, caplog)


@pytest.mark.parametrize(
    "options",
    [
        *("--frames 0", "--frames -3", "--frames x", "--steps 0", "--size 0"),
        *("--fps 0", "--fps nan", "--fps x", "--masks none", "--dtype fp4", "--scan fast"),
        *("--face-box 1,2,3", "--face-box a,b,c,d", "--window-mode loop", "--window-frames 0"),
        *("--audio-scale x", "--audio-scale 1:x", "--audio-scale nan", "--audio-scale inf"),
        *("--seed x", "--seed -1", "--seed 99999999999999999999", "--seed 1_0", "--unknown 1"),
        *("--face-box nan,0,50,50", "--face-box १,२,३,४", "--shift-frames -1", "--size 640000"),
        *("--grow-px 20000", "--feather-px 1e3", "--frames १०", "--fps 1e400", "--steps 0x10"),
        *("--aspect 1e9", "--aspect 1:0", "--expand 1e9", "--strength inf", "--temperature 0"),
        *("--guide-from nan", "--audio-scale 1e300", "--face nobody", "--overlap-frames 1e9"),
    ],
)
def test_unusable_option_is_named(
    media: Media, out: Path, capsys: pytest.CaptureFixture[str], options: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*request_of(media, out, "audio"), *options.split(" ")])
    assert end.value.code == 2
    assert options.split(" ")[0] in capsys.readouterr().err
    assert not out.exists()


def test_interrupting_leaves_nothing_behind(
    media: Media, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        out.parent.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Bars, "report_chunks", interrupt)
    assert main(request_of(media, out, "audio", "--frames", "1")) == 130
    assert not list(out.parent.iterdir())


def test_errors_reach_the_terminal_as_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise logging is already set up, by the test runner.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert main(["info", str(tmp_path / "no.safetensors")]) == 1
    message = capsys.readouterr()
    assert message.out == ""
    (line,) = message.err.splitlines()
    assert line.startswith("Error: ")
    assert "no.safetensors" in line
