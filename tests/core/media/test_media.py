"""Images, sound and video in and out, and the geometry between a portrait and the model."""

import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.errors import InputError, MediaError
from actalker_core.media import Audio, load_audio, load_image, read_frames, write_video

MODEL_FPS = 12.5
NTSC = Fraction(30000, 1001)
GREY_STEP = 3
TONE_HZ = 440.0

Samples = NDArray[np.float32]

# Making media -------------------------------------------------------------------------------------


def draw_number(number: int) -> NDArray[np.uint8]:
    """An image whose brightness is its number."""
    return np.full((64, 64, 3), 10 + GREY_STEP * number, np.uint8)


def number_of(frame: Tensor) -> int:
    return round((frame.float().mean().item() - 10) / GREY_STEP)


def write_clip(path: Path, times: list[Fraction], rate: Fraction) -> Path:
    """A clip whose images appear at the given seconds and show their number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "4"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        base = Fraction(1, 90_000)
        stream.codec_context.time_base = base
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(draw_number(number), format="rgb24")
            frame.time_base, frame.pts = base, round(time / base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(seconds: float, rate: Fraction) -> list[Fraction]:
    return [i / rate for i in range(round(seconds * rate))]


def tone(seconds: float, rate_hz: int, channels: int = 1) -> Samples:
    """A sine, softer in each further channel."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    amplitude = 0.8 / (1 + np.arange(channels))[:, None]
    return (amplitude * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.float32)


def write_wav(path: Path, samples: Samples, rate_hz: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples.T * 32767).round().astype("<i2").tobytes())
    return path


def write_aac(path: Path, samples: Samples, rate_hz: int) -> Path:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pitch_hz(samples: Samples, rate_hz: int) -> float:
    """The loudest frequency of a channel."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate_hz / len(samples))


def loudness(samples: Samples) -> float:
    """The amplitude of a sine, away from the ends, where coders ring."""
    inner = samples[len(samples) // 4 : -len(samples) // 4]
    return float(np.sqrt(2 * np.square(inner).mean()))


def greys(count: int, side: int = 64) -> Tensor:
    brightness = (10 + GREY_STEP * torch.arange(float(count))) / 255
    return brightness[:, None, None, None].expand(-1, 3, side, side)


def decode(path: Path) -> tuple[list[int], Fraction, float]:
    """Picture numbers, frames per second and seconds of sound of a finished video."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        images = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    sound_seconds = 0.0
    with av.open(str(path)) as container:
        if container.streams.audio:
            sound_seconds = sum(
                float(Fraction(f.samples, f.rate)) for f in container.decode(audio=0)
            )
    return [number_of(torch.from_numpy(p)) for p in images], rate, sound_seconds


# Images -------------------------------------------------------------------------------------------


def gradient(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """RGB; red grows to the right, green downwards, blue is 77."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    rgb[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    rgb[..., 2] = 77
    return rgb


def write_image(path: Path, rgb: NDArray[Any]) -> Path:
    """Write without OpenCV's own file access, which cannot name every path on every system."""
    bgr = rgb[..., [2, 1, 0, *range(3, rgb.shape[2])]] if rgb.ndim == 3 else rgb
    done, content = cv2.imencode(path.suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, 98])
    assert done
    path.write_bytes(content.tobytes())
    return path


def as_image(tensor: Tensor) -> NDArray[np.float64]:
    assert tensor.dtype == torch.float32
    assert tensor.shape[0] == 3
    return tensor.permute(1, 2, 0).double().numpy() * 255


def test_png_is_read_exactly(tmp_path: Path) -> None:
    image = load_image(write_image(tmp_path / "rgb.png", gradient()))
    assert np.array_equal(as_image(image).round(), gradient())
    assert image.min() >= 0
    assert image.max() == 1


def test_jpeg_is_read_nearly(tmp_path: Path) -> None:
    image = load_image(write_image(tmp_path / "photo.jpg", gradient()))
    assert np.abs(as_image(image) - gradient()).mean() < 3


def test_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    grey = gradient()[..., 0]
    image = as_image(load_image(write_image(tmp_path / "grey.png", grey)))
    assert np.array_equal(image.round(), np.stack([grey] * 3, axis=2))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.full((40, 56, 1), 3, np.uint8)
    rgba = np.concatenate([gradient(), alpha], axis=2)
    image = load_image(write_image(tmp_path / "rgba.png", rgba))
    assert np.array_equal(as_image(image).round(), gradient())


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    image = load_image(write_image(tmp_path / "deep.png", gradient().astype(np.uint16) * 257))
    assert np.abs(as_image(image) - gradient()).max() <= 1


@pytest.mark.parametrize("name", ["Gesicht ä.png", "顔.png", "лицо.jpg", "a b.png"])
def test_any_path_can_be_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "папка 図"
    folder.mkdir()
    assert load_image(write_image(folder / name, gradient())).shape == (3, 40, 56)


def test_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    path = write_image(tmp_path / "phone.jpg", gradient())
    upside_down = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 3, 0, 0)
    note = b"Exif\0\0" + upside_down
    jpeg = path.read_bytes()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + jpeg[2:])
    image = as_image(load_image(path))
    assert np.abs(image - gradient()[::-1, ::-1]).mean() < 3


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "half"])
def test_unreadable_picture_names_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "portrait.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "half":
        content = write_image(path, gradient()).read_bytes()
        path.write_bytes(content[:20])
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a picture"}[kind])
    with pytest.raises(MediaError, match=r"portrait\.png"):
        load_image(path)


# Sound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 1), (44100, 2), (48000, 6), (22050, 1), (37800, 2)]
)
def test_wav_is_read_exactly(tmp_path: Path, rate_hz: int, channels: int) -> None:
    samples = tone(0.3, rate_hz, channels)
    audio = load_audio(write_wav(tmp_path / "speech.wav", samples, rate_hz))
    assert audio.rate_hz == rate_hz
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == samples.shape
    assert np.abs(audio.samples - samples).max() < 1e-4
    assert audio.seconds == pytest.approx(0.3)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (44100, 2), (48000, 6)])
def test_aac_in_mp4_keeps_length_and_pitch(tmp_path: Path, rate_hz: int, channels: int) -> None:
    samples = tone(0.5, rate_hz, channels)
    audio = load_audio(write_aac(tmp_path / "speech.mp4", samples, rate_hz))
    assert (audio.rate_hz, len(audio.samples)) == (rate_hz, channels)
    assert audio.seconds == pytest.approx(0.5, abs=1024 / rate_hz)
    assert pitch_hz(audio.samples[0], rate_hz) == pytest.approx(TONE_HZ, abs=4)
    assert loudness(audio.samples[0]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_mono_is_the_average_at_another_rate(rate_hz: int, channels: int) -> None:
    samples = tone(0.5, rate_hz, channels)
    mono = Audio(samples, rate_hz).to_mono(16000)
    assert mono.shape == (8000,)
    assert mono.dtype == torch.float32
    expected = tone(0.5, 16000)[0] * (samples.mean(0).max() / samples[0].max())
    inner = slice(400, -400)
    assert np.abs(mono.numpy()[inner] - expected[inner]).max() < 0.02


@pytest.mark.parametrize("seconds", [0.1, 0.5, 0.7])
def test_trimmed_sound_is_the_beginning_and_then_silence(seconds: float) -> None:
    audio = Audio(tone(0.5, 8000, 2), 8000)
    part = audio.trim(seconds)
    length = min(len(audio.samples[0]), round(seconds * 8000))
    assert part.samples.shape == (2, round(seconds * 8000))
    assert np.array_equal(part.samples[:, :length], audio.samples[:, :length])
    assert not part.samples[:, length:].any()


def test_video_without_sound_is_no_speech(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "silent.mp4", steady(0.2, Fraction(25)), Fraction(25))
    with pytest.raises(MediaError, match=r"silent\.mp4.*(sound|audio)"):
        load_audio(path)


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "no samples", "folder"])
def test_unreadable_sound_names_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "speech.wav"
    if kind == "no samples":
        write_wav(path, np.zeros((1, 0), np.float32), 16000)
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a sound" * 100}[kind])
    with pytest.raises(MediaError, match=r"speech\.wav"):
        load_audio(path)


# Reading video ------------------------------------------------------------------------------------


def shown_at(times: list[Fraction], end: Fraction, fps: float) -> list[int]:
    """By the definition: the number of the image that is on at 0, 1/fps, 2/fps … seconds."""
    step = 1 / Fraction(fps)
    query_times = [i * step for i in range(1000) if i * step < end - Fraction(1, 10_000)]
    late = Fraction(1, 10_000)
    return [max(n for n, time in enumerate(times) if time <= at + late) for at in query_times]


@pytest.mark.parametrize("fps", [MODEL_FPS, 25.0, 7.0])
@pytest.mark.parametrize("rate", [Fraction(r) for r in (10, 24, 25, 60)] + [NTSC], ids=str)
def test_frames_are_those_shown_at_the_asked_times(
    tmp_path: Path, rate: Fraction, fps: float
) -> None:
    times = steady(1.2, rate)
    path = write_clip(tmp_path / "clip.mp4", times, rate)
    numbers = [number_of(frame) for frame in read_frames(path, fps)]
    assert numbers == shown_at(times, len(times) / rate, fps)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), NTSC], ids=str)
def test_rounded_timestamps_do_not_shift_frames(tmp_path: Path, rate: Fraction) -> None:
    """Matroska knows milliseconds only."""
    times = steady(1.2, rate)
    path = write_clip(tmp_path / "clip.mkv", times, rate)
    numbers = [number_of(frame) for frame in read_frames(path, MODEL_FPS)]
    expected = shown_at(times, len(times) / rate, MODEL_FPS)
    assert len(numbers) == len(expected)
    assert all(abs(a - b) <= 1 for a, b in zip(numbers, expected, strict=True))
    assert numbers[:3] == expected[:3]


def test_uneven_frame_times_are_followed(tmp_path: Path) -> None:
    times = [Fraction(n, 100) for n in (0, 5, 7, 30, 31, 33, 60, 90, 99)]
    path = write_clip(tmp_path / "phone.mp4", times, Fraction(25))
    numbers = [number_of(frame) for frame in read_frames(path, MODEL_FPS)]
    expected = shown_at(times, Fraction(1), MODEL_FPS)
    assert numbers[: len(expected)] == expected


def test_clip_that_starts_late_is_read_from_its_first_picture(tmp_path: Path) -> None:
    """As a piece of a recording, cut without coding it again."""
    times = steady(0.6, Fraction(25))
    path = write_clip(tmp_path / "cut.mkv", [time + 7 for time in times], Fraction(25))
    numbers = [number_of(frame) for frame in read_frames(path, MODEL_FPS)]
    assert numbers == shown_at(times, len(times) / Fraction(25), MODEL_FPS)


def test_frames_have_colours_and_shape(tmp_path: Path) -> None:
    red = torch.tensor([0.9, 0.2, 0.1])[None, :, None, None].expand(4, 3, 64, 96)
    write_video(tmp_path / "red.mp4", [red], 25)
    (first, *_) = read_frames(tmp_path / "red.mp4", 25)
    assert first.dtype == torch.uint8
    assert first.shape == (3, 64, 96)
    assert (first.float().mean((1, 2)) / 255 - red[0, :, 0, 0]).abs().max() < 0.03


def turned_clip(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """A clip, dark above and bright below, with a display matrix in its track header."""
    half = torch.cat([torch.full((5, 3, 32, 96), 0.1), torch.full((5, 3, 32, 96), 0.9)], dim=2)
    write_video(path, [half], 25)
    content = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("matrix", "dark_side"),
    [
        ((1, 0, 0, 1), "top"),
        ((0, 1, -1, 0), "right"),
        ((-1, 0, 0, -1), "bottom"),
        ((0, -1, 1, 0), "left"),
    ],
    ids=["upright", "quarter clockwise", "half", "quarter counter-clockwise"],
)
def test_phone_video_is_turned_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], dark_side: str
) -> None:
    path = turned_clip(tmp_path / "phone.mp4", matrix)
    frame = next(iter(read_frames(path, 25))).float()
    sides = {
        "top": frame[:, :8],
        "bottom": frame[:, -8:],
        "left": frame[..., :8],
        "right": frame[..., -8:],
    }
    assert min(sides, key=lambda side: sides[side].mean().item()) == dark_side
    assert frame.shape == ((3, 64, 96) if dark_side in ("top", "bottom") else (3, 96, 64))


def test_reading_may_stop_early_and_closes_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", steady(1, Fraction(25)), Fraction(25))
    frames = read_frames(path, 25)
    assert number_of(next(frames)) == 0
    frames.close()
    path.unlink()


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "sound"])
def test_unreadable_video_names_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("driving.wav" if kind == "sound" else "driving.mp4")
    if kind == "sound":
        write_wav(path, tone(0.2, 16000), 16000)
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a video" * 100}[kind])
    with pytest.raises(MediaError, match=r"driving\."):
        list(read_frames(path, MODEL_FPS))


# Writing video ------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [5, 17])
@pytest.mark.parametrize("fps", [12.5, 25.0, 30.0])
@pytest.mark.parametrize(
    ("rate_hz", "channels"),
    [(8000, 1), (8000, 2), (11025, 2), (16000, 1), (37800, 2), (44100, 6), (48000, 2), (192000, 1)],
)
def test_pictures_and_sound_end_together(
    tmp_path: Path, fps: float, frames: int, rate_hz: int, channels: int
) -> None:
    path = tmp_path / "out.mp4"
    audio = Audio(tone(frames / fps, rate_hz, channels), rate_hz)
    assert write_video(path, greys(frames).split(5), fps, audio) == frames
    numbers, rate, sound_seconds = decode(path)
    assert numbers == list(range(frames))
    assert rate == Fraction(fps)
    assert sound_seconds == pytest.approx(frames / fps, abs=1 / fps)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 37800, 44100, 192000])
def test_sound_keeps_its_pitch_and_loudness(tmp_path: Path, rate_hz: int) -> None:
    audio = Audio(tone(1.0, rate_hz), rate_hz)
    write_video(tmp_path / "out.mp4", [greys(25)], 25, audio)
    sound = load_audio(tmp_path / "out.mp4")
    assert pitch_hz(sound.samples[0], sound.rate_hz) == pytest.approx(TONE_HZ, abs=4)
    assert loudness(sound.samples[0]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("fps", "exact"), [(29.97, NTSC), (23.976, Fraction(24000, 1001))])
def test_broadcast_rates_stay_within_a_millisecond_an_hour(
    tmp_path: Path, fps: float, exact: Fraction
) -> None:
    write_video(tmp_path / "out.mp4", [greys(10)], fps)
    _, rate, _ = decode(tmp_path / "out.mp4")
    assert min(abs(float(rate) - fps), abs(float(rate - exact))) < 1e-6


def test_without_sound_there_is_no_audio_track(tmp_path: Path) -> None:
    assert write_video(tmp_path / "out.mp4", iter([greys(3)]), 25) == 3
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_folders_are_made_and_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder ä" / "out.mp4"
    for count in (3, 5):
        write_video(path, [greys(count)], 25)
        assert len(decode(path)[0]) == count
    assert [file.name for file in path.parent.iterdir()] == ["out.mp4"]


def failing_chunks(good: int) -> Iterator[Tensor]:
    yield from (frame[None] for frame in greys(good))
    raise InputError("cancelled half way")


@pytest.mark.parametrize("good", [0, 1, 30])
@pytest.mark.parametrize("with_sound", [False, True])
def test_failed_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, good: int, *, with_sound: bool
) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    audio = Audio(tone(1, 16000), 16000) if with_sound else None
    with pytest.raises(InputError, match="cancelled half way"):
        write_video(path, failing_chunks(good), 25, audio)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["a folder", "below a file"])
def test_output_that_cannot_be_names_the_path(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    path = {"a folder": tmp_path / "folder", "below a file": tmp_path / "file" / "out.mp4"}[place]
    with pytest.raises(MediaError, match=path.name):
        write_video(path, [greys(3)], 25)
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["file", "folder"]


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="frame"):
        write_video(tmp_path / "out.mp4", [], 25)
    assert not list(tmp_path.iterdir())
