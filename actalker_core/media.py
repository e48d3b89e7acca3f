"""Pictures, sound and video in and out: OpenCV for images, PyAV for the rest."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import MediaError

log = logging.getLogger(__name__)

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100)
"""AAC writes 1,024 samples at a time; at lower rates its last packet outlasts a video frame."""
FALLBACK_RATE_HZ = 48000
LOUDEST = 1e6
"""Nothing recorded is louder, as a multiple of full scale."""
QUALITY = {"crf": "16", "preset": "medium"}


@dataclass(frozen=True)
class Audio:
    """Sound.

    Attributes:
        samples: (channels, t) float32 in −1…1.
        rate_hz: samples per second.
    """

    samples: NDArray[np.float32]
    rate_hz: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return float(self.samples.shape[1] / self.rate_hz)

    def __post_init__(self) -> None:
        """Refuse what is no sound; silence what is no number."""
        samples = np.asarray(self.samples, np.float32)
        if samples.ndim != 2 or not samples.size or self.rate_hz <= 0:
            raise MediaError(
                "Audio: expected (channels, samples) with at least one of each and a rate above 0, "
                f"got {samples.shape} at {self.rate_hz} Hz. Choose a file with sound in it."
            )
        if not np.isfinite(samples).all():
            log.warning("The audio has samples that are not numbers; they become silence.")
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if np.abs(samples).max() > LOUDEST:
            log.warning("The audio goes beyond %g times full scale; it is cut there.", LOUDEST)
            samples = samples.clip(-LOUDEST, LOUDEST)
        object.__setattr__(self, "samples", samples)

    def mono_at(self, rate_hz: int) -> Tensor:
        """All channels averaged, at another rate: (t,)."""
        return torch.from_numpy(_resampled(self.samples.mean(0), self.rate_hz, rate_hz))

    def loudness(self, frames: int, fps: float) -> NDArray[np.float64]:
        """(frames,) root mean square of the sound during each video frame; 0 after its end."""
        edges = np.round(np.arange(frames + 1) * self.rate_hz / fps).astype(int)
        power = np.concatenate([[0.0], np.cumsum((self.samples.astype(np.float64) ** 2).mean(0))])
        total = np.diff(power[np.minimum(edges, len(power) - 1)])
        mean: NDArray[np.float64] = np.maximum(total, 0) / np.maximum(np.diff(edges), 1)
        return np.asarray(np.sqrt(mean))

    def trimmed(self, seconds: float) -> "Audio":
        """The beginning, silence added where there is not enough."""
        wanted = round(seconds * self.rate_hz)
        kept = self.samples[:, :wanted]
        return Audio(np.pad(kept, ((0, 0), (0, wanted - kept.shape[1]))), self.rate_hz)

    def playable(self) -> "Audio":
        """One or two channels at a rate that suits AAC."""
        samples = self.samples if len(self.samples) <= 2 else self.samples.mean(0, keepdims=True)
        if self.rate_hz in AAC_RATES_HZ:
            return Audio(samples, self.rate_hz)
        return Audio(_resampled(samples, self.rate_hz, FALLBACK_RATE_HZ), FALLBACK_RATE_HZ)


def _resampled(samples: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    resampled = librosa.resample(samples, orig_sr=rate_hz, target_sr=wanted_hz)
    return np.ascontiguousarray(resampled, dtype=np.float32)


def load_image(path: Path) -> Tensor:
    """A picture of any kind as (3, H, W) RGB in 0…1; transparency is dropped.

    Raises:
        MediaError: missing or not a picture.
    """
    _require(path, "picture")
    # Not cv2.imread, which cannot open non-ASCII paths on Windows.
    content = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if pixels is None:
        raise MediaError(f"{path}: expected a picture (PNG, JPEG, WebP …); it cannot be decoded.")
    rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


def save_image(path: Path, picture: Tensor) -> None:
    """Write (3, H, W) in 0…1 as PNG.

    Raises:
        MediaError: it cannot be written.
    """
    make_folder(path)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    # Not cv2.imwrite, which cannot write to non-ASCII paths on Windows.
    _, content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    try:
        content.tofile(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error}). Choose another folder.") from error


def load_audio(path: Path) -> Audio:
    """The first sound track of an audio or video file, at its own rate.

    Raises:
        MediaError: missing, unreadable or without sound.
    """
    with _opened(path, "sound file") as container:
        if not container.streams.audio:
            raise MediaError(f"{path}: has no sound. Choose a file with an audio track.")
        convert = av.AudioResampler(format="fltp")
        parts, rate_hz = [], 0
        for frame in container.decode(audio=0):
            rate_hz = frame.sample_rate
            parts += [part.to_ndarray() for part in convert.resample(frame)]
    if not parts:
        raise MediaError(f"{path}: its audio track is empty. Choose a file with sound in it.")
    return Audio(np.concatenate(parts, axis=1), rate_hz)


def read_frames(path: Path, fps: float) -> Iterator[Tensor]:
    """The pictures that a video shows at 0, 1/fps, 2/fps … seconds, whatever its own rate.

    Yields:
        (3, H, W) RGB, uint8, one at a time.

    Raises:
        MediaError: missing, unreadable or without pictures.
    """
    with _opened(path, "video") as container:
        if not container.streams.video:
            raise MediaError(f"{path}: expected a video, found no pictures in it.")
        yield from _at_rate(_timed_frames(container), fps)


@dataclass(frozen=True)
class VideoFrames:
    """The pictures of a video at a frame rate, as `read_frames`; each loop reads the file anew."""

    path: Path
    fps: float

    def __iter__(self) -> Iterator[Tensor]:
        return read_frames(self.path, self.fps)


def _timed_frames(container: Any) -> Iterator[tuple[float, Any]]:
    """Each frame with the seconds at which it disappears."""
    stream = container.streams.video[0]
    usual = float(1 / (stream.average_rate or 25))
    first: float | None = None
    previous: Any = None
    for frame in container.decode(stream):
        now = frame.time if frame.time is not None else 0.0
        first = now if first is None else first
        if previous is not None:
            yield now - first, previous
        previous, shown = frame, now
    if previous is not None and first is not None:
        yield shown - first + usual, previous


def _at_rate(timed: Iterator[tuple[float, Any]], fps: float) -> Iterator[Tensor]:
    count = 0
    for end, frame in timed:
        picture: Tensor | None = None
        while count / fps < end - 1e-6:
            picture = _upright(frame) if picture is None else picture
            yield picture
            count += 1


def _upright(frame: Any) -> Tensor:
    """A frame as (3, H, W) uint8, turned as its file asks."""
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def write_video(
    path: Path, chunks: Iterable[Tensor], fps: float, audio: Audio | None = None
) -> int:
    """Write an H.264 mp4, with AAC sound if there is any; `path` appears only when whole.

    Args:
        chunks: (n, 3, H, W) in 0…1; even sides.

    Returns:
        The number of frames written.
    """
    unfinished = path.with_name(f".{path.stem}.part.mp4")
    make_folder(path)
    try:
        with av.open(str(unfinished), "w", format="mp4") as container:
            count = _encode(container, chunks, Fraction(fps).limit_denominator(1001), audio)
        if not count:
            raise MediaError(f"{path}: no frame came to be written. Check what was to be shown.")
        os.replace(unfinished, path)
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"{path}: cannot be written ({error}). Check folder and space.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _encode(container: Any, chunks: Iterable[Tensor], rate: Fraction, audio: Audio | None) -> int:
    video = container.add_stream("libx264", rate=rate, options=QUALITY)
    video.pix_fmt = "yuv420p"
    sound = None if audio is None else _add_sound(container, audio.playable())
    count = 0
    for chunk in chunks:
        pixels = (chunk * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        if not count:
            video.height, video.width = pixels.shape[1:3]
            if sound is not None:
                _encode_sound(container, *sound)
        for picture in pixels:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
    if count:
        container.mux(video.encode(None))
    return count


def _add_sound(container: Any, audio: Audio) -> tuple[Any, Audio]:
    layout = "mono" if len(audio.samples) == 1 else "stereo"
    stream = container.add_stream("aac", rate=audio.rate_hz, layout=layout)
    stream.bit_rate = 192_000
    return stream, audio


def _encode_sound(container: Any, stream: Any, audio: Audio) -> None:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.layout.name)
    frame.sample_rate = audio.rate_hz
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def make_folder(path: Path) -> None:
    """Make the folder of a file that is to be written.

    Raises:
        MediaError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error}). Choose another folder.") from error


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Any]:
    _require(path, kind)
    try:
        with av.open(str(path)) as container:
            yield container
    except av.error.FFmpegError as error:
        raise MediaError(f"{path}: expected a {kind}; it cannot be read ({error}).") from error


def _require(path: Path, kind: str) -> None:
    if not path.is_file():
        raise MediaError(f"{path}: no such file. Expected a {kind} there; check the path.")
