"""Media of many kinds, made for a test, and what is to be seen and heard in them."""

import io
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

CASES = Path(__file__).parents[1] / "data" / "cases"
"""Small files of kinds that people bring. In most, the grey of a frame is its time, the corners are
red, green, blue and grey, and the sound clicks at 0.5, 1.0 and 1.5 s."""

CLICKS = (0.5, 1.0, 1.5)
GREY_STEP = 10
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)


def seconds_shown(image: Tensor) -> float:
    """The time that a frame of a case says by its grey."""
    height, width = image.shape[1:]
    middle = image[:, height // 3 : height // 2, width // 3 : width // 2]
    return (middle.float().mean().item() - 20) / 100


def corner_colours(image: Tensor) -> list[str]:
    """Those of the corners: top left, top right, bottom left, bottom right."""
    names = []
    for y in (4, -5):
        for x in (4, -5):
            rgb = np.array(image[:, y, x].tolist())
            colours = dict(red=RED, green=GREEN, blue=BLUE, grey=GREY)
            names.append(min(colours, key=lambda name: np.abs(rgb - colours[name]).sum()))
    return names


def clicks_in(samples: NDArray[np.float32], rate_hz: int) -> list[float]:
    """The seconds at which a loud sound begins after a quiet time."""
    loud = np.flatnonzero(np.abs(samples).max(0) > 0.5 * np.abs(samples).max()) / rate_hz
    return [t for i, t in enumerate(loud) if not i or t - loud[i - 1] > 0.1]


def clicking(seconds: float, rate_hz: int, at: Sequence[float] = CLICKS) -> NDArray[np.float32]:
    """(t,) silence with a short loud sound at each time."""
    samples = np.zeros(round(seconds * rate_hz), np.float32)
    burst = 0.6 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz // 100) / rate_hz)
    for time in at:
        start = round(time * rate_hz)
        samples[start : start + len(burst)] = burst[: len(samples) - start]
    return samples


def draw_corners(grey: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A grey image with coloured corners."""
    image = np.full((height, width, 3), grey, np.uint8)
    image[:16, :16], image[:16, -16:], image[-16:, :16] = RED, GREEN, BLUE
    image[-16:, -16:] = GREY
    return image


def write_media(path: Path, *tracks: Callable[[Any], list[Any]], format: str | None = None) -> Path:
    """A file of several tracks, each made by a function that adds it to a container."""
    with av.open(str(path), "w", format=format) as container:
        # All tracks must be there before the first packet is written.
        packets = [packet for track in tracks for packet in track(container)]
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)
    return path


def encode_video(
    container: Any,
    codec: str,
    images: Sequence[NDArray[np.uint8]],
    *,
    rate: Fraction | int = 25,
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
) -> list[Any]:
    """Add a video to an open container; its packets."""
    packets = []
    stream = container.add_stream(codec, rate=rate, options=options or {})
    stream.height, stream.width = images[0].shape[:2]
    stream.pix_fmt = pix_fmt
    if pixel_aspect:
        stream.codec_context.sample_aspect_ratio = pixel_aspect
    base = Fraction(1, 90_000) if times else 1 / Fraction(rate)
    stream.codec_context.time_base = base
    for number, image in enumerate(images):
        kind = "rgba" if image.shape[2] == 4 else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=kind)
        if pix_fmt != kind:
            frame = frame.reformat(format=pix_fmt)
        frame.time_base = base
        frame.pts = number if times is None else round(times[number] / base)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def video_bytes(format: str, codec: str, images: Sequence[Any], **how: Any) -> bytes:
    """A file of one video."""
    content = io.BytesIO()
    with av.open(content, "w", format=format) as container:
        container.mux(encode_video(container, codec, images, **how))
    return content.getvalue()


def encode_audio(
    container: Any,
    codec: str,
    pieces: Sequence[tuple[float, NDArray[np.float32]]],
    rate_hz: int,
    layout: str = "mono",
    sample_format: str = "fltp",
) -> list[Any]:
    """Add a sound track, pieces of (c, t) at their seconds, to an open container; its packets."""
    packets = []
    stream = container.add_stream(codec, rate=rate_hz, layout=layout)
    for start, samples in pieces:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout
        )
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = round(start * rate_hz)
        convert = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz)
        for part in convert.resample(frame):
            packets += stream.encode(part)
    return packets + stream.encode(None)


def audio_bytes(
    format: str, codec: str, samples: NDArray[np.float32], rate_hz: int, **how: Any
) -> bytes:
    """A file of one sound, (c, t)."""
    content = io.BytesIO()
    with av.open(content, "w", format=format) as container:
        container.mux(encode_audio(container, codec, [(0.0, samples)], rate_hz, **how))
    return content.getvalue()


def with_cover(flac: bytes, image: bytes) -> bytes:
    """A FLAC file with a JPEG as its cover."""
    head = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIII", 0, 8, 8, 24, 0)
    block = head + struct.pack(">I", len(image)) + image
    header = bytes([6]) + len(block).to_bytes(3, "big")
    after_info = 4 + 4 + 34
    return flac[:after_info] + header + block + flac[after_info:]


def draw_numbers(count: int, **size: int) -> list[Any]:
    """Images whose grey is their number."""
    return [draw_corners(20 + GREY_STEP * number, **size) for number in range(count)]


def number_of(image: Tensor) -> int:
    height, width = image.shape[1:]
    middle = image[:, height // 3 : -height // 3, width // 3 : -width // 3].float().mean().item()
    return round((middle - 20) / GREY_STEP)


def content(format: str, codec: str, images: Any, **how: Any) -> io.BytesIO:
    return io.BytesIO(video_bytes(format, codec, images, **how))
