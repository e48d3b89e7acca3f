"""Audio files with damage."""

import random
import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np

from actalker_core.media import load_audio
from fuzz.mutations import damage

FORMATS = {
    ".wav": "pcm_s16le",
    ".mp3": "mp3",
    ".flac": "flac",
    ".ogg": "libvorbis",
    ".opus": "libopus",
    ".m4a": "aac",
    ".mka": "pcm_f32le",
}
RATE_HZ, SECONDS = 48_000, 0.3


def encode(path: Path, codec: str, channels: int = 1) -> bytes:
    """A tone."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(RATE_HZ * SECONDS)) / RATE_HZ)
    samples = np.repeat((wave * 32767).astype(np.int16)[None], channels, axis=0)
    with av.open(str(path), "w") as file:
        layout = {1: "mono", 2: "stereo"}[channels]
        stream = file.add_stream(codec, rate=RATE_HZ, layout=layout)
        resampler = av.AudioResampler(stream.format, layout, RATE_HZ, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples.copy(), "s16p", layout)
        frame.sample_rate = RATE_HZ
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            file.mux(stream.encode(part))
        file.mux(stream.encode())
    return path.read_bytes()


@cache
def sounds() -> dict[str, bytes]:
    """One in each format that this FFmpeg can write."""
    contents = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in FORMATS.items():
            try:
                contents[suffix] = encode(
                    Path(folder, f"tone{suffix}"), codec, len(contents) % 2 + 1
                )
            except (av.error.FFmpegError, ValueError):
                continue
    assert ".wav" in contents
    return contents


def prepare() -> None:
    """Make what is damaged."""
    sounds()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Load it."""
    suffix = rng.choice(list(sounds()))
    path = inside / f"sound{suffix}"
    path.write_bytes(damage(rng, sounds()[suffix]))
    audio = load_audio(path)
    assert audio.rate_hz > 0
    assert audio.samples.size
    assert np.isfinite(audio.samples).all()
    assert np.isfinite(audio.loudness(5, 12.5)).all()
