"""Videos with damage."""

import random
import tempfile
from functools import cache
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch

from actalker_core.media import VideoFrames, load_audio
from fuzz.mutations import damage

FORMATS = {
    ".mp4": ("libx264", "yuv420p"),
    ".mov": ("mpeg4", "yuv420p"),
    ".mkv": ("libx264", "yuv444p"),
    ".webm": ("libvpx-vp9", "yuv420p"),
    ".avi": ("mjpeg", "yuvj420p"),
    ".gif": ("gif", "rgb8"),
    ".h264": ("libx264", "yuv420p"),
}
FRAMES, MOST_FRAMES = 8, 60


def encode(path: Path, codec: str, pixels: str) -> bytes:
    """A bar that moves."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pixels
        for i in range(FRAMES):
            picture = np.full((32, 48, 3), 40, np.uint8)
            picture[:, 5 * i : 5 * i + 5] = 220
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixels)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path.read_bytes()


@cache
def videos() -> dict[str, bytes]:
    """One in each format that this FFmpeg can write."""
    contents = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, (codec, pixels) in FORMATS.items():
            try:
                contents[suffix] = encode(Path(folder, f"bar{suffix}"), codec, pixels)
            except (av.error.FFmpegError, ValueError):
                continue
    assert ".mp4" in contents
    return contents


def prepare() -> None:
    """Make what is damaged."""
    videos()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Read its first frames, or its sound, which it has not."""
    suffix = rng.choice(list(videos()))
    path = inside / f"film{suffix}"
    path.write_bytes(damage(rng, videos()[suffix]))
    if rng.random() < 0.1:
        load_audio(path)
    count = 0
    for picture in islice(VideoFrames(path, rng.choice((12.5, 25.0, 60.0))), MOST_FRAMES):
        assert picture.ndim == 3
        assert picture.shape[0] == 3
        assert picture.dtype == torch.uint8
        count += 1
    assert count
