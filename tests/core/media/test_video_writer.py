"""Clips out in every format: what is in the file, its colours, its times, and what is refused."""

import logging
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.errors import InputError, MediaError
from actalker_core.media import (
    Audio,
    check_image_path,
    check_video_path,
    load_image,
    save_image,
    write_video,
)

CODECS = {
    ".mp4": ("mp4", "h264", "aac"),
    ".mov": ("mov", "h264", "aac"),
    ".mkv": ("matroska", "h264", "aac"),
    ".webm": ("webm", "vp9", "opus"),
}
SUFFIXES = (*CODECS, ".gif")
RED = (230, 60, 60)


def greys(count: int, height: int = 32, width: int = 48) -> Tensor:
    """Frames that show their number."""
    brightness = (20 + 7 * torch.arange(float(count))) / 255
    return brightness[:, None, None, None].expand(-1, 3, height, width)


def numbers(images: list[NDArray[np.uint8]]) -> list[int]:
    return [round((float(image.mean()) - 20) / 7) for image in images]


def sine(seconds: float, rate_hz: int) -> Audio:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return Audio((0.7 * np.sin(2 * np.pi * 440 * t))[None].astype(np.float32), rate_hz)


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def forbidden() -> Iterator[Tensor]:
    raise AssertionError("the work began all the same")
    yield


ACTS = {
    "check": check_video_path,
    "write": lambda path, fps: write_video(path, forbidden(), fps),
}


# Formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["take:2", "10:30", "http:"])
def test_a_colon_in_a_relative_folder_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(folder, "clip.mp4")
    check_video_path(path)
    assert write_video(path, [greys(2)], 25.0) == 2
    assert path.is_file()


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".MP4", ".WebM", ".Gif"])
@pytest.mark.parametrize("fps", [12.5, 25.0, 29.97])
def test_the_container_follows_the_name(tmp_path: Path, suffix: str, fps: float) -> None:
    path = tmp_path / f"clip{suffix}"
    assert write_video(path, greys(13).split(5), fps) == 13
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    kind, codec, _ = CODECS.get(suffix.lower(), ("gif", "gif", None))
    with av.open(str(path)) as container:
        assert kind in container.format.name
        assert container.streams.video[0].codec_context.name == codec
        if kind != "gif":
            assert container.streams.video[0].average_rate == Fraction(fps).limit_denominator(1001)
    assert numbers(frames_of(path)) == list(range(13))
    brands = {".mov": b"qt  ", ".webm": b"webm", ".mkv": b"matroska", ".gif": b"GIF89a"}
    assert brands.get(suffix.lower(), b"isom") in path.read_bytes()[:64]


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_sound_is_there_and_ends_with_the_pictures(
    tmp_path: Path, suffix: str, rate_hz: int
) -> None:
    path = tmp_path / f"clip{suffix}"
    write_video(path, [greys(25)], 25, sine(1, rate_hz))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == CODECS[suffix][2]
        convert = av.AudioResampler(format="fltp")
        frames = [part for frame in container.decode(audio=0) for part in convert.resample(frame)]
    rate = frames[0].sample_rate
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    start = float(frames[0].time)  # below 0 where a decoder does not cut what the coder began with
    assert start == pytest.approx(0, abs=0.025)
    assert start + len(samples) / rate == pytest.approx(1, abs=0.04)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() * rate / len(samples) == pytest.approx(440, abs=4)
    inner = samples[rate // 4 : rate * 3 // 4]
    assert np.sqrt(2 * np.square(inner).mean()) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("suffix", CODECS)
def test_pictures_and_sound_stay_together(tmp_path: Path, suffix: str) -> None:
    """A click with a flash, half a second in."""
    clip = torch.zeros(25, 3, 32, 32)
    clip[12] = 1
    click = np.zeros((1, 48000), np.float32)
    click[0, 23040:23540] = 0.9
    write_video(tmp_path / f"clip{suffix}", [clip], 25, Audio(click, 48000))
    with av.open(str(tmp_path / f"clip{suffix}")) as container:
        brightness = {f.time: f.to_ndarray(format="gray").mean() for f in container.decode(video=0)}
    flash = max(brightness, key=lambda time: brightness[time])
    with av.open(str(tmp_path / f"clip{suffix}")) as container:
        start, parts = None, []
        for frame in container.decode(audio=0):
            start = float(frame.time) if start is None else start
            parts.append(frame.to_ndarray()[:, : frame.samples].reshape(-1)[: frame.samples])
    click = start + float(np.abs(np.concatenate(parts)).argmax()) / 48000
    assert click - flash == pytest.approx(0.005, abs=0.012)


@pytest.mark.parametrize("name", ["clip.gif", "%d.png"])
def test_what_cannot_hold_sound_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.WARNING):
        write_video(tmp_path / name, [greys(2)], 25)
        assert not caplog.messages
        write_video(tmp_path / name, [greys(2)], 25, sine(0.1, 16000))
    (message,) = caplog.messages
    assert "no sound" in message
    assert name in message


@pytest.mark.parametrize(
    "name", ["clip", "clip.avi", "clip.mp4.bak", "clip.png", ".mp4", "50%.png"]
)
@pytest.mark.parametrize("act", ACTS)
def test_another_name_is_refused(tmp_path: Path, name: str, act: str) -> None:
    with pytest.raises(MediaError, match=r"expected a name that ends in \.mp4.*got '.*'") as error:
        ACTS[act](tmp_path / name, 25)
    assert ".webm" in str(error.value)
    assert "frames/%05d.png" in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "width"), [*((suffix, 34) for suffix in CODECS), (".gif", 35), ("%d.png", 35)]
)
def test_odd_sides(tmp_path: Path, suffix: str, width: int) -> None:
    """Colour at half the size wants even ones; GIF and PNG do not."""
    ramp = torch.linspace(0, 1, 35).expand(2, 3, 21, 35)
    name = suffix if "%" in suffix else f"clip{suffix}"
    write_video(tmp_path / name, [ramp], 25)
    first = (
        load_image(tmp_path / "1.png").permute(1, 2, 0).numpy() * 255
        if "%" in suffix
        else frames_of(tmp_path / name)[0]
    )
    assert first.shape == (21 if width == 35 else 20, width, 3)
    assert first[10, 2:-2].mean(1) == pytest.approx(ramp[0, 0, 0, 2 : width - 2] * 255, abs=9)


@pytest.mark.parametrize("suffix", CODECS)
def test_frames_without_an_even_side_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MediaError, match="at least 2x2"):
        write_video(tmp_path / f"clip{suffix}", [torch.zeros(1, 3, 1, 8)], 25)
    assert not list(tmp_path.iterdir())


# Colours ------------------------------------------------------------------------------------------


def from_bt709(frame: av.VideoFrame) -> NDArray[np.float64]:
    """The colour in the middle, by the formula of ITU-R BT.709 in limited range."""
    height, width = frame.height, frame.width
    planes = frame.to_ndarray().reshape(-1).astype(np.float64)
    at = height // 4 * (width // 2) + width // 4
    y = (planes[height // 2 * width + width // 2] - 16) / 219
    pb = (planes[height * width + at] - 128) / 224
    pr = (planes[height * width * 5 // 4 + at] - 128) / 224
    red, blue = y + 1.5748 * pr, y + 1.8556 * pb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.array([red, green, blue]) * 255


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("side", [(128, 128), (576, 576), (1080, 1920)])
@pytest.mark.parametrize("colour", [RED, (20, 200, 90), (255, 255, 255)])
def test_colours_are_bt709_and_say_so(
    tmp_path: Path, suffix: str, side: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    path = tmp_path / f"clip{suffix}"
    flat = (torch.tensor(colour) / 255)[None, :, None, None].expand(1, 3, *side)
    write_video(path, [flat], 25)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        tags = (context.colorspace, context.color_primaries, context.color_trc)
    assert tags == (1, 1, 1)
    assert context.color_range == 1
    assert frame.format.name == "yuv420p"
    assert from_bt709(frame) == pytest.approx(np.array(colour), abs=3)


@pytest.mark.parametrize("name", ["clip.gif", "%d.png"])
def test_colours_of_others_are_rgb(tmp_path: Path, name: str) -> None:
    flat = (torch.tensor(RED) / 255)[None, :, None, None].expand(3, 3, 40, 40)
    write_video(tmp_path / name, [flat], 25)
    first = cv2.imread(str(tmp_path / "2.png")) if "%" in name else None
    image = frames_of(tmp_path / name)[1] if first is None else first[..., ::-1]
    assert image.reshape(-1, 3).mean(0) == pytest.approx(np.array(RED), abs=3)


def test_brighter_than_white_is_white(tmp_path: Path) -> None:
    write_video(tmp_path / "%d.png", [torch.full((1, 3, 8, 8), 1.2)], 25)
    assert load_image(tmp_path / "1.png").min() == 1


# GIF ----------------------------------------------------------------------------------------------


def delays(path: Path) -> list[int]:
    """How long each frame of a GIF is shown, in hundredths of a second."""
    content, at, delays_cs = path.read_bytes(), 0, []
    while (at := content.find(b"\x21\xf9\x04", at)) >= 0:
        delays_cs.append(int.from_bytes(content[at + 4 : at + 6], "little"))
        at += 8
    return delays_cs


@pytest.mark.parametrize("fps", [12.5, 24.0, 25.0, 29.97, 50.0])
@pytest.mark.parametrize("frames", [1, 2, 31])
@pytest.mark.parametrize("moving", [True, False])
def test_a_gif_lasts_as_long_as_its_frames(
    tmp_path: Path, fps: float, frames: int, moving: bool
) -> None:
    clip = greys(frames) if moving else greys(1).expand(frames, -1, -1, -1)
    write_video(tmp_path / "clip.gif", [clip], fps)
    delays_cs = delays(tmp_path / "clip.gif")
    assert len(delays_cs) == frames
    assert sum(delays_cs) / 100 == pytest.approx(frames / fps, abs=0.0051)
    assert max(delays_cs) - min(delays_cs) <= 1
    assert min(delays_cs) >= 2, "players slow shorter ones down"


def test_a_gif_keeps_its_pictures(tmp_path: Path) -> None:
    """Smooth ramps in three colours, of which no palette has them all."""
    x, y = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="xy")
    clip = torch.stack([torch.stack([x, y, (x + i / 8) % 1]) for i in range(4)])
    write_video(tmp_path / "clip.gif", [clip], 25)
    for image, frame in zip(frames_of(tmp_path / "clip.gif"), clip, strict=True):
        error = image.astype(float) - (frame.permute(1, 2, 0) * 255).numpy()
        assert np.abs(error).mean() < 12
        assert np.abs(error.mean((0, 1))).max() < 3


@pytest.mark.parametrize("act", ACTS)
def test_a_gif_faster_than_players_is_refused(tmp_path: Path, act: str) -> None:
    with pytest.raises(MediaError, match=r"at most 50 frames per second.*got 60"):
        ACTS[act](tmp_path / "clip.gif", 60)


# Numbered images ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "first", "last"),
    [
        ("%d.png", "1.png", "12.png"),
        ("%05d.png", "00001.png", "00012.png"),
        ("%04d.PNG", "0001.PNG", "0012.PNG"),
        ("take 2 (%3d).png", "take 2 (001).png", "take 2 (012).png"),
    ],
)
def test_pictures_are_numbered_from_1(tmp_path: Path, pattern: str, first: str, last: str) -> None:
    clip = greys(12)
    folder = tmp_path / "new" / "frames"
    check_video_path(folder / pattern)
    assert not list(tmp_path.iterdir())
    assert write_video(folder / pattern, clip.split(5), 25) == 12
    files = sorted(folder.iterdir(), key=lambda file: load_image(file).mean().item())
    assert len(files) == 12
    assert (files[0].name, files[-1].name) == (first, last)
    assert torch.equal((load_image(files[6]) * 255).round(), (clip[6] * 255).round())


@pytest.mark.parametrize(
    "pattern",
    ["%05d/x.png", "%d/%d.png", "%d-%d.png", "%s.png", "%x%d.png", "%100d.png", "%-5d.png"],
)
def test_other_patterns_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(MediaError, match=r"frames/%05d\.png"):
        check_video_path(tmp_path / pattern)
    with pytest.raises(MediaError, match=r"frames/%05d\.png"):
        write_video(tmp_path / pattern, forbidden(), 25)
    assert not list(tmp_path.iterdir())


def test_a_sequence_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    write_video(tmp_path / "%d.png", [greys(1).expand(4, -1, -1, -1)], 25)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def failing() -> Iterator[Tensor]:
        yield greys(3)
        raise InputError("cancelled")

    with pytest.raises(InputError, match="cancelled"):
        write_video(tmp_path / "%d.png", failing(), 25)
    with pytest.raises(MediaError, match="at least one frame"):
        write_video(tmp_path / "%d.png", [], 25)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_stays_of_a_longer_sequence_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_video(tmp_path / "%d.png", [greys(4)], 25)
    with caplog.at_level(logging.WARNING):
        write_video(tmp_path / "%d.png", [greys(4)], 25)
        assert not caplog.messages
        write_video(tmp_path / "%d.png", [greys(2)], 25)
    (message,) = caplog.messages
    assert "3.png" in message


@pytest.mark.parametrize("number", ["1", "7"])
def test_a_sequence_replaces_nothing_but_files(tmp_path: Path, number: str) -> None:
    (tmp_path / f"{number}.png").mkdir()
    with pytest.raises(MediaError, match=rf"{number}\.png: expected a file to write, got a folder"):
        check_video_path(tmp_path / "%d.png")
    with pytest.raises(MediaError, match=rf"{number}\.png: expected a file to write, got a folder"):
        write_video(tmp_path / "%d.png", [greys(8)], 25)
    assert (tmp_path / f"{number}.png").is_dir()


# Images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg", ".webp"])
def test_a_picture_follows_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ä{suffix}"
    check_image_path(path)
    image = greys(3)[2]
    save_image(path, image)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    kinds = {".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8", ".webp": b"RIFF"}
    assert path.read_bytes().startswith(kinds.get(suffix, b"\x89PNG"))
    assert load_image(path) == pytest.approx(image, abs=0.02)
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize("name", ["plan", "plan.gif", "plan.mp4", ".png"])
def test_a_picture_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    for act in (check_image_path, lambda path: save_image(path, greys(1)[0])):
        with pytest.raises(MediaError, match=r"expected a name that ends in \.png.*got"):
            act(tmp_path / name)
    assert not list(tmp_path.iterdir())


# Full disk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*(f"clip{suffix}" for suffix in SUFFIXES), "%d.png", "one.png"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, name: str, old: bytes | None) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit of file sizes")
    path = tmp_path / name
    if old is not None:
        path.with_name(name.replace("%d", "1")).write_bytes(old)
    noise = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        with pytest.raises(MediaError, match=r"cannot be written.*Free some space"):
            save_image(path, noise[0]) if name == "one.png" else write_video(path, [noise], 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if old is None else [old])


# Metadata -----------------------------------------------------------------------------------------


ENTRIES = {"comment": "a clip – with “quotes” = signs; and\nlines", "swap": "made by hand"}


def entries_of(path: Path) -> dict[str, str]:
    """By names in lower case, as Matroska keeps them in upper case."""
    with av.open(str(path)) as container:
        return {name.lower(): value for name, value in container.metadata.items()}


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("audio", [None, sine(0.2, 16_000)], ids=["silent", "sound"])
def test_entries_of_any_name_are_read_back(
    tmp_path: Path, suffix: str, audio: Audio | None
) -> None:
    path = tmp_path / f"clip{suffix}"
    write_video(path, [greys(3)], 25.0, audio, ENTRIES)
    entries = entries_of(path)
    assert {name: entries.get(name) for name in ENTRIES} == ENTRIES
    assert len(frames_of(path)) == 3


@pytest.mark.parametrize("suffix", CODECS)
def test_without_entries_there_are_none(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / f"clip{suffix}", [greys(1)], 25.0)
    assert not set(ENTRIES) & set(entries_of(tmp_path / f"clip{suffix}"))


@pytest.mark.parametrize("name", ["clip.gif", "%03d.png"])
def test_files_without_metadata_say_what_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    write_video(tmp_path / name, [greys(2)], 25.0, metadata=ENTRIES)
    assert "left out: comment, swap" in caplog.text
