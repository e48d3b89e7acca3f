"""`generate` from end to end, with networks and clips that are small enough to wait for."""

from pathlib import Path

import pytest
from helpers import cli_media
from helpers.cli_media import (
    AUDIO_FRAMES,
    BRIEF,
    DRIVING_FRAMES,
    FPS,
    SMALL,
    UNGUIDED,
    Animate,
    Media,
    Video,
    read_error,
    same_frames,
    watch,
)
from helpers.recorded_faces import TASK, needs_model
from helpers.tiny import TINY

from actalker_core.cli import commands, main
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.synthetic.demo import find_photograph

pytestmark = pytest.mark.usefixtures("quick_models")

REAL_MEDIA = Path(__file__).parents[4] / "shared" / "media"


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
    assert len(video.images) == frames
    assert video.fps == FPS
    seconds = frames / FPS if "audio" in signals else 0
    assert video.audio_seconds == pytest.approx(seconds, abs=1 / FPS)


@pytest.mark.parametrize(("limit", "frames"), [(1, 1), (100, AUDIO_FRAMES)])
def test_frames_limit_the_clip(animate: Animate, limit: int, frames: int) -> None:
    video = animate("audio", "--frames", str(limit))
    assert len(video.images) == frames
    assert video.audio_seconds == pytest.approx(frames / FPS, abs=1 / FPS)


def test_another_rate_gives_more_frames_of_the_same_time(animate: Animate) -> None:
    video = animate("audio driving", "--fps", "25")
    assert video.fps == 25
    assert len(video.images) == 10
    assert video.audio_seconds == pytest.approx(0.4, abs=0.04)


def test_size_is_the_short_side(animate: Animate) -> None:
    assert animate("driving", "--frames", "1").images.shape == (1, 64, 64, 3)
    larger = animate("driving", "--frames", "1", "--size", "128")
    assert larger.images.shape == (1, 192, 128, 3)


def test_same_seed_same_frames_and_other_seed_other_frames(animate: Animate) -> None:
    runs = [animate("audio driving", *BRIEF, "--seed", seed) for seed in ("3", "3", "4")]
    first, again, third = runs
    assert same_frames(first, again)
    assert not same_frames(first, third)


@pytest.mark.parametrize(("closed", "open_one"), [("audio", "driving"), ("driving", "audio")])
def test_closed_gate_over_no_region_is_no_signal(
    animate: Animate, media: Media, closed: str, open_one: str
) -> None:
    name = {"audio": "audio", "driving": "expression"}[closed]
    options = [f"--{name}-gate", "0", f"--{name}-mask", media["black.png"], "--masks", "face"]
    assert same_frames(animate("audio driving", *BRIEF, *options), animate(open_one, *BRIEF))


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
    video = animate("audio driving", *BRIEF, *options.split(" "))
    assert video.images.shape == usual[0].images.shape
    assert not same_frames(video, usual[0])


def test_scales_run_from_start_to_end(animate: Animate) -> None:
    single, first, rising, constant = (
        animate("driving", *BRIEF, "--steps", steps, "--expression-scale", scale)
        for steps, scale in (("1", "3"), ("1", "3:9"), ("2", "3:9"), ("2", "3"))
    )
    assert same_frames(single, first), "a single step is the start"
    assert not same_frames(rising, constant)


def test_defaults_are_what_the_help_says(animate: Animate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_media, "UNGUIDED", ())
    explicit = ["--appearance-scale", "2", "--audio-scale", "7.5:7.5", "--expression-scale", "3"]
    explicit += ["--audio-gate", "1", "--expression-gate", "0:1", "--masks", "paper"]
    explicit += ["--window-frames", "25", "--overlap-frames", "0", "--shift-frames", "7"]
    explicit += ["--window-mode", "tight", "--seed", "0", "--fps", "12.5", "--scan", "auto"]
    explicit += ["--dtype", "fp32", "--model", "built-in", "--schedule", "karras"]
    explicit += ["--guide-to", "0", "--reuse-guidance", "1"]
    silent = animate("audio driving", *BRIEF, "--device", "cpu")
    assert same_frames(animate("audio driving", *BRIEF, "--device", "cpu", *explicit), silent)


def test_white_masks_are_the_released_regions(animate: Animate, media: Media) -> None:
    white = ["--audio-mask", media["white.png"], "--expression-mask", media["white.png"]]
    expected = animate("audio driving", *BRIEF, "--masks", "released")
    assert same_frames(animate("audio driving", *BRIEF, *white), expected)


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_several_windows_cover_the_clip(animate: Animate, mode: str) -> None:
    windows = ["--window-frames", "3", "--overlap-frames", "1", "--shift-frames", "2"]
    video = animate("audio", "--window-mode", mode, *windows, "--steps", "2")
    assert len(video.images) == AUDIO_FRAMES
    assert video.audio_seconds == pytest.approx(AUDIO_FRAMES / FPS, abs=1 / FPS)


def test_overlap_and_shift_move_the_windows(animate: Animate) -> None:
    windows = ["--steps", "2", "--frames", "4", "--window-frames", "2"]
    plain, overlapping, shifted_windows = (
        animate("driving", *windows, "--overlap-frames", overlap, "--shift-frames", shift)
        for overlap, shift in (("0", "0"), ("1", "0"), ("0", "1"))
    )
    assert not same_frames(plain, overlapping)
    assert not same_frames(plain, shifted_windows)


@pytest.mark.parametrize(
    "options",
    ["--schedule align-your-steps", "--guide-from 1", "--guide-to 1", "--reuse-guidance 3"],
)
def test_every_shortcut_changes_a_guided_clip(animate: Animate, options: str) -> None:
    guided = (*BRIEF, "--steps", "3", "--audio-scale", "3")
    assert not same_frames(
        animate("audio", *guided, *options.split(" ")), animate("audio", *guided)
    )


def test_a_unet_is_compiled_when_asked(animate: Animate, monkeypatch: pytest.MonkeyPatch) -> None:
    """That its graphs compute the same is test_unet's."""
    calls: list[UNet] = []
    monkeypatch.setattr(UNet, "compile", lambda unet: calls.append(unet))
    animate("audio", *BRIEF)
    assert not calls
    assert animate("audio", *BRIEF, "--compile").frames is not None
    assert len(calls) == 1


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
    assert main(["generate", "--model", "built-in", *request, *options, *UNGUIDED]) == 0
    video = watch(tmp_path / "o.mp4")
    assert video.images.shape[0] == 50
    assert min(video.images.shape[1:3]) == 128
    assert video.fps == FPS
    assert video.audio_seconds == pytest.approx(4, abs=1 / FPS)


@pytest.mark.parametrize("face", ["178,80,345,290", pytest.param("whole", marks=needs_model)])
def test_a_photograph_is_refused_before_anything_is_encoded(
    face: str,
    media: Media,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def encode(*_: object, **__: object) -> None:
        raise AssertionError("encodes what will be refused")

    monkeypatch.setitem(VARIANTS, "built-in", TINY)
    monkeypatch.setattr(commands, "encode_media", encode)
    request = ["generate", "--portrait", str(find_photograph()), "--face-box", face, *SMALL]
    request += ["--audio", media["speech.wav"], "--driving", media["driving.mp4"]]
    request += ["--landmarker", str(TASK)] if face == "whole" else []
    assert "Animate Photo" in read_error([*request, "--out", str(tmp_path / "o.mp4")], caplog)


def test_a_photograph_is_refused_by_the_built_in_model_and_the_way_out_is_named(
    media: Media,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VARIANTS, "built-in", TINY)
    request = ["generate", "--portrait", str(find_photograph()), "--face-box", "178,80,345,290"]
    request += ["--audio", media["speech.wav"], "--out", str(tmp_path / "o.mp4"), *SMALL]
    message = read_error(request, caplog)
    for word in ("--model photograph", "released weights", "--allow-photograph"):
        assert word in message
    assert not (tmp_path / "o.mp4").exists()
    assert main([*request, *BRIEF, *UNGUIDED, "--allow-photograph"]) == 0
