"""The command line from end to end, with networks and clips that are small enough to wait for."""

import logging
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import cli_media
from helpers.cli_media import UNGUIDED, Animate, Media, Video, complaint, request_of, same, watch
from helpers.tiny import TINY

import actalker_core
from actalker_core.cli import main, progress
from actalker_core.models.actalker.checkpoint import built_in, save, summarize
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.synthetic import demo

pytestmark = pytest.mark.usefixtures("quick_models")

REPOSITORY = Path(__file__).parents[3]
REAL_MEDIA = REPOSITORY.parent / "shared" / "media"
COMMANDS = (
    *("generate", "inspect", "signals", "bank", "faces"),
    *("convert", "info", "download", "demo"),
)
FPS = 12.5
AUDIO_FRAMES, DRIVING_FRAMES = 7, 5
BRIEF = ("--frames", "2")

# generate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signals", "frames"),
    [
        ("audio", AUDIO_FRAMES),
        ("driving", DRIVING_FRAMES),
        ("audio driving", min(AUDIO_FRAMES, DRIVING_FRAMES)),
    ],
)
def test_shortest_signal_ends_the_clip(animate: Animate, signals: str, frames: int) -> None:
    video = animate(signals)
    assert len(video.pictures) == frames
    assert video.fps == FPS
    seconds = frames / FPS if "audio" in signals else 0
    assert video.heard == pytest.approx(seconds, abs=1 / FPS)


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (100, AUDIO_FRAMES)])
def test_frames_limit_the_clip(animate: Animate, asked: int, given: int) -> None:
    video = animate("audio", "--frames", str(asked))
    assert len(video.pictures) == given
    assert video.heard == pytest.approx(given / FPS, abs=1 / FPS)


def test_another_rate_gives_more_frames_of_the_same_time(animate: Animate) -> None:
    video = animate("audio driving", "--fps", "25")
    assert video.fps == 25
    assert len(video.pictures) == 10
    assert video.heard == pytest.approx(0.4, abs=0.04)


def test_size_is_the_short_side(animate: Animate) -> None:
    assert animate("driving", "--frames", "1").pictures.shape == (1, 64, 64, 3)
    larger = animate("driving", "--frames", "1", "--size", "128")
    assert larger.pictures.shape == (1, 192, 128, 3)


def test_same_seed_same_frames_and_other_seed_other_frames(animate: Animate) -> None:
    runs = [animate("audio driving", *BRIEF, "--seed", seed) for seed in ("3", "3", "4")]
    first, again, other = runs
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize(("closed", "open_one"), [("audio", "driving"), ("driving", "audio")])
def test_closed_gate_over_no_region_is_no_signal(
    animate: Animate, media: Media, closed: str, open_one: str
) -> None:
    name = {"audio": "audio", "driving": "expression"}[closed]
    options = [f"--{name}-gate", "0", f"--{name}-mask", media["black.png"], "--masks", "face"]
    assert same(animate("audio driving", *BRIEF, *options), animate(open_one, *BRIEF))


@pytest.fixture(scope="module")
def usual() -> list[Video]:
    """The clip without any option, once it has been made."""
    return []


@pytest.mark.parametrize(
    "options",
    [
        "--audio-gate 0:1,0.08:0",
        "--expression-gate 0.5",
        "--masks released",
        "--audio-mask left.png",
        "--expression-mask left.png",
        "--appearance-scale 2",
        "--audio-scale 3",
        "--expression-scale 6:1",
        "--face-box 20,40,70,120",
        "--driving-box 10,10,50,50",
        "--window-frames 1",
        "--window-frames 3 --window-mode cyclic",
        "--steps 2",
        "--fps 20",
    ],
)
def test_every_control_changes_the_picture(
    animate: Animate, media: Media, usual: list[Video], options: str
) -> None:
    if not usual:
        usual.append(animate("audio driving", *BRIEF))
    options = options.replace("left.png", media["left.png"])
    changed = animate("audio driving", *BRIEF, *options.split(" "))
    assert changed.pictures.shape == usual[0].pictures.shape
    assert not same(changed, usual[0])


def test_scales_run_from_start_to_end(animate: Animate) -> None:
    one, first, rising, constant = (
        animate("driving", *BRIEF, "--steps", steps, "--expression-scale", scale)
        for steps, scale in (("1", "3"), ("1", "3:9"), ("2", "3:9"), ("2", "3"))
    )
    assert same(one, first), "a single step is the start"
    assert not same(rising, constant)


def test_defaults_are_what_the_help_says(animate: Animate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_media, "UNGUIDED", ())
    explicit = ["--appearance-scale", "2", "--audio-scale", "7.5:7.5", "--expression-scale", "3"]
    explicit += ["--audio-gate", "1", "--expression-gate", "0:1", "--masks", "paper"]
    explicit += ["--window-frames", "25", "--overlap-frames", "0", "--shift-frames", "7"]
    explicit += ["--window-mode", "tight", "--seed", "0", "--fps", "12.5", "--scan", "auto"]
    explicit += ["--dtype", "fp32", "--model", "built-in", "--schedule", "karras"]
    explicit += ["--guide-to", "0", "--reuse-guidance", "1"]
    silent = animate("audio driving", *BRIEF, "--device", "cpu")
    assert same(animate("audio driving", *BRIEF, "--device", "cpu", *explicit), silent)


def test_white_masks_are_the_released_regions(animate: Animate, media: Media) -> None:
    white = ["--audio-mask", media["white.png"], "--expression-mask", media["white.png"]]
    released = animate("audio driving", *BRIEF, "--masks", "released")
    assert same(animate("audio driving", *BRIEF, *white), released)


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_several_windows_cover_the_clip(animate: Animate, mode: str) -> None:
    windows = ["--window-frames", "3", "--overlap-frames", "1", "--shift-frames", "2"]
    video = animate("audio", "--window-mode", mode, *windows, "--steps", "2")
    assert len(video.pictures) == AUDIO_FRAMES
    assert video.heard == pytest.approx(AUDIO_FRAMES / FPS, abs=1 / FPS)


def test_overlap_and_shift_move_the_windows(animate: Animate) -> None:
    windows = ["--steps", "2", "--frames", "4", "--window-frames", "2"]
    apart, overlapping, shifted = (
        animate("driving", *windows, "--overlap-frames", overlap, "--shift-frames", shift)
        for overlap, shift in (("0", "0"), ("1", "0"), ("0", "1"))
    )
    assert not same(apart, overlapping)
    assert not same(apart, shifted)


@pytest.mark.parametrize(
    "options",
    ["--schedule align-your-steps", "--guide-from 1", "--guide-to 1", "--reuse-guidance 3"],
)
def test_every_shortcut_changes_a_guided_clip(animate: Animate, options: str) -> None:
    guided = (*BRIEF, "--steps", "3", "--audio-scale", "3")
    assert not same(animate("audio", *guided, *options.split(" ")), animate("audio", *guided))


def test_a_unet_is_compiled_when_asked(animate: Animate, monkeypatch: pytest.MonkeyPatch) -> None:
    """That its graphs compute the same is test_unet's."""
    compiled: list[UNet] = []
    monkeypatch.setattr(UNet, "compile", lambda unet: compiled.append(unet))
    animate("audio", *BRIEF)
    assert not compiled
    assert animate("audio", *BRIEF, "--compile").frames is not None
    assert len(compiled) == 1


def test_channels_last_give_the_same_picture_but_for_rounding(animate: Animate) -> None:
    last, usual = animate("audio", *BRIEF, "--channels-last"), animate("audio", *BRIEF)
    assert last.frames is not None
    assert (last.frames - usual.frames).abs().mean() < 1e-3


@pytest.mark.parametrize("dtype", ["fp8", "fp16", "bf16"])
def test_fewer_bits_run_and_are_near(animate: Animate, dtype: str) -> None:
    fewer = animate("audio", *BRIEF, "--dtype", dtype)
    full = animate("audio", *BRIEF, "--dtype", "fp32")
    assert fewer.frames is not None
    assert fewer.frames.isfinite().all()
    assert (fewer.frames - full.frames).abs().mean() < 0.08


@pytest.mark.skipif(not REAL_MEDIA.is_dir(), reason="no recorded media beside the repository")
def test_recorded_media(tmp_path: Path) -> None:
    files = {"--portrait": "portrait.png", "--audio": "speech.mp3", "--driving": "driving.mp4"}
    request = [word for name, file in files.items() for word in (name, str(REAL_MEDIA / file))]
    request += ["--landmarker", str(REAL_MEDIA.parent / "models" / "face_landmarker.task")]
    options = ["--frames", "50", "--size", "128", "--steps", "1", "--out", str(tmp_path / "o.mp4")]
    assert main(["generate", *request, *options, *UNGUIDED]) == 0
    video = watch(tmp_path / "o.mp4")
    assert video.pictures.shape[0] == 50
    assert min(video.pictures.shape[1:3]) == 128
    assert video.fps == FPS
    assert video.heard == pytest.approx(4, abs=1 / FPS)


# Errors ------------------------------------------------------------------------------------------


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
        ("--face-box 9,9,9,20", ["Face box", "portrait", "96x160"]),
        ("--driving-box 64,0,90,30", ["Face box", "driving clip", "64x64"]),
        ("--overlap-frames 25", ["overlap", "25"]),
        ("--audio-mask {square.png}", ["mask", "160x160"]),
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
    said = complaint([*request, *options.split(" ")], caplog)
    assert [word for word in words if word not in said] == [], said
    assert not out.parent.exists() or not list(out.parent.iterdir())


def test_nothing_to_follow_is_an_error(
    media: Media, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "audio" in complaint(request_of(media, out, "nothing"), caplog)


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
    said = complaint(request_of(media, out, "driving", "--device", device), caplog)
    assert f"--device {device}" in said
    assert "cpu" in said


def test_a_second_device_where_there_is_one_is_an_error(
    media: Media, out: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    said = complaint(request_of(media, out, "driving", "--device", "cuda:1"), caplog)
    assert "--device cuda:1" in said


def test_too_short_speech_is_an_error(
    media: Media, out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with wave.open(str(tmp_path / "click.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 700))
    request = request_of(media, out, "nothing", "--audio", str(tmp_path / "click.wav"))
    assert "short" in complaint(request, caplog)


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
    def interrupted(*_: object) -> None:
        out.parent.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Bars, "report_chunks", interrupted)
    assert main(request_of(media, out, "audio", "--frames", "1")) == 130
    assert not list(out.parent.iterdir())


def test_errors_reach_the_terminal_as_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise logging is already set up, by the test runner.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert main(["info", str(tmp_path / "no.safetensors")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("Error: ")
    assert "no.safetensors" in line


# convert, info -----------------------------------------------------------------------------------


def test_convert_info_generate(
    released: Path,
    media: Media,
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    convert_tiny: None,
) -> None:
    model = tmp_path / "models" / "tiny.safetensors"
    convert = ["convert", str(released), "--out", str(model)]
    assert main([*convert, "--dtype", "fp16"]) == 0
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    numbers = summarize(model).parameters
    assert [f for f in (*numbers, "F16", "12.5 fps", "128 px") if f not in text] == []
    assert f"{sum(numbers.values()):,}" in text
    assert main(request_of(media, out, "audio driving", "--model", str(model))) == 0
    assert len(watch(out).pictures) == DRIVING_FRAMES


def test_converted_weights_are_the_ones_used(animate: Animate, checkpoint: Path) -> None:
    converted = animate("driving", *BRIEF, "--model", str(checkpoint))
    assert not same(converted, animate("driving", *BRIEF))


def test_svd_may_be_named_when_converting(
    released: Path,
    single_svd: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    convert_tiny: None,
) -> None:
    (released / "svd").rename(tmp_path / "elsewhere")
    request = ["convert", str(released), "--out", str(tmp_path / "model")]
    assert "--svd" in complaint(request, caplog)
    assert main([*request, "--svd", str(single_svd)]) == 0
    assert summarize(tmp_path / "model").config == TINY


def test_release_of_other_sizes_is_refused(
    released: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = complaint(["convert", str(released), "--out", str(tmp_path / "model")], caplog)
    assert "unet-1.pth" in said
    assert not (tmp_path / "model").exists()


def test_info_of_something_else_is_an_error(media: Media, caplog: pytest.LogCaptureFixture) -> None:
    assert "portrait.png" in complaint(["info", media["portrait.png"]], caplog)


# help, demo --------------------------------------------------------------------------------------


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
    wanted = COMMANDS if not command else () if command in silent else ("--out",)
    assert [word for word in wanted if word not in text] == []


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
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo, shorter and smaller, of a random model with fewer steps."""
    torch.manual_seed(0)
    tiny, path = TINY, tmp_path / "tiny.safetensors"
    config = replace(tiny, sampling=replace(tiny.sampling, steps=1, short_side_px=64))
    save(ACTalker(config).state_dict(), config, path, torch.float32)
    monkeypatch.setattr(built_in, "BUILT_IN_PATH", path)
    monkeypatch.setattr(demo, "SECONDS", 0.4)


@pytest.mark.usefixtures("hurried")
def test_demo_makes_its_own_media_and_a_video_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    assert main(["demo", "--out", str(folder)]) == 0
    made = {file.name for file in folder.iterdir()}
    assert made == {"portrait.png", "speech.wav", "driving.mp4", "demo.mp4"}
    video = watch(folder / "demo.mp4")
    assert len(video.pictures) == 5
    assert video.fps == FPS
    assert video.heard == pytest.approx(0.4, abs=1 / FPS)


@pytest.mark.usefixtures("hurried")
def test_demo_into_a_file_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "demo").write_bytes(b"a file")
    assert "demo" in complaint(["demo", "--out", str(tmp_path / "demo")], caplog)


# Importing ---------------------------------------------------------------------------------------

IMPORT_EVERYTHING = """
import importlib, importlib.util, pathlib, pkgutil, sys

touched = []

def refuse(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        touched.append((event, details[1:]))
        raise OSError("there is no network")

sys.addaudithook(refuse)
root = pathlib.Path(sys.argv[1])
place = importlib.util.spec_from_file_location(
    "pack", root / "__init__.py", submodule_search_locations=[str(root)])
pack = importlib.util.module_from_spec(place)
sys.modules["pack"] = pack
place.loader.exec_module(pack)
assert pack.WEB_DIRECTORY and callable(pack.comfy_entrypoint)

import actalker_core
for module in pkgutil.walk_packages(actalker_core.__path__, "actalker_core."):
    importlib.import_module(module.name)

import torch
assert not touched, touched
assert not torch.cuda.is_initialized()
foreign = {"comfy", "comfy_api", "folder_paths", "nodes", "pack.nodes"} & set(sys.modules)
assert not foreign, foreign
print(sum(name.startswith("actalker_core.") for name in sys.modules))
"""


def test_importing_touches_neither_network_nor_comfyui_nor_cuda() -> None:
    command = [sys.executable, "-c", IMPORT_EVERYTHING, str(REPOSITORY)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_network_guard_works() -> None:
    """The test above could not fail otherwise."""
    guard = IMPORT_EVERYTHING[: IMPORT_EVERYTHING.index("root =")]
    use = "import socket\ntry:\n    socket.create_connection(('localhost', 9))\nexcept OSError:\n"
    script = f"{guard}{use}    print(len(touched))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 0
