"""Animated WebP, which FFmpeg does not decode: its frames, composed as players do.

Each frame is made into a WebP of its own, which OpenCV decodes, and laid onto the canvas.
Source: the WebP container specification, developers.google.com/speed/webp/docs/riff_container.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MediaError
from .container import MAX_FRAME_PIXELS, Source, name_of, read_head

ANIMATION, ALPHA = 0x02, 0x10
"""Flags of the extended header, VP8X."""
REPLACES, DISPOSES = 0x02, 0x01
"""Flags of a frame, ANMF: it replaces what was there; what it covers is cleared after it."""
MIN_FRAME_SECONDS = 0.011
"""Browsers show a frame that claims to last less for a tenth of a second."""
DEFAULT_FRAME_SECONDS = 0.1


@dataclass(frozen=True)
class WebPFrame:
    """One frame of the file.

    Attributes:
        x, y, width, height: what it covers of the canvas, in pixels.
        seconds: how long it is shown.
        blends: it is laid over what was there, instead of replacing it.
        disposes: what it covers is cleared after it.
        chunks: its image, as the chunks of a WebP.
    """

    x: int
    y: int
    width: int
    height: int
    seconds: float
    blends: bool
    disposes: bool
    chunks: bytes


def is_animated(source: Source) -> bool:
    """Whether a file is a WebP of several frames."""
    head = read_head(source, 21)
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return is_extended and len(head) > 20 and bool(head[20] & ANIMATION)


def read_nominal_fps(source: Source) -> float:
    """Frames per second, on average."""
    durations = [frame.seconds for frame in _parse_frames(_read_content(source))]
    return len(durations) / sum(durations) if durations else 1 / DEFAULT_FRAME_SECONDS


def read_frames(source: Source) -> Iterator[tuple[float, Tensor]]:
    """Each frame, (3, h, w) uint8 RGB, with the seconds at which it disappears.

    Raises:
        MediaError: it claims an absurd size, or a frame cannot be decoded.
    """
    content = _read_content(source)
    width, height = (_parse_int(content[at : at + 3]) + 1 for at in (24, 27))
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{name_of(source)}: expected frames of up to {MAX_FRAME_PIXELS / 1e6:.0f} million "
            f"pixels, got {width} × {height}. Scale the animation down."
        )
    canvas, end = np.zeros((height, width, 4), np.uint8), 0.0
    for number, frame in enumerate(_parse_frames(content)):
        bgra = _decode(frame)
        window = canvas[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
        if bgra is None or bgra.shape != window.shape:
            raise MediaError(
                f"{name_of(source)}: expected an animated WebP; its frame {number} cannot be "
                "decoded. Export it anew, or as GIF or MP4."
            )
        window[:] = _blend(bgra, window) if frame.blends else bgra
        end += frame.seconds
        rgb = np.ascontiguousarray(canvas[..., 2::-1])
        yield end, torch.from_numpy(rgb).permute(2, 0, 1)
        if frame.disposes:
            window[:] = 0


def _read_content(source: Source) -> bytes:
    return source.getvalue() if not isinstance(source, Path) else source.read_bytes()


def _parse_frames(content: bytes) -> Iterator[WebPFrame]:
    for name, data in _split_chunks(content[12:]):
        if name == b"ANMF" and len(data) > 16:
            x, y, width, height, milliseconds = (
                _parse_int(data[at : at + 3]) for at in range(0, 15, 3)
            )
            seconds = milliseconds / 1000
            # Places are stored as halves, sizes less one.
            yield WebPFrame(
                2 * x,
                2 * y,
                width + 1,
                height + 1,
                seconds if seconds >= MIN_FRAME_SECONDS else DEFAULT_FRAME_SECONDS,
                blends=not data[15] & REPLACES,
                disposes=bool(data[15] & DISPOSES),
                chunks=data[16:],
            )


def _split_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names and contents of RIFF chunks; each begins at an even place."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _decode(frame: WebPFrame) -> NDArray[np.uint8] | None:
    """(h, w, 4) BGRA; None if it is damaged or too large."""
    if frame.width * frame.height > MAX_FRAME_PIXELS:
        return None
    chunks = frame.chunks
    if chunks[:4] == b"ALPH":
        # Alpha apart from the colours is allowed after an extended header alone.
        header = bytes([ALPHA, 0, 0, 0]) + (frame.width - 1).to_bytes(3, "little")
        header += (frame.height - 1).to_bytes(3, "little")
        chunks = b"VP8X" + len(header).to_bytes(4, "little") + header + chunks
    body = b"WEBP" + chunks
    content = b"RIFF" + len(body).to_bytes(4, "little") + body
    try:
        bgra = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if bgra is None:
        return None
    if bgra.shape[2] == 3:
        bgra = cv2.cvtColor(bgra, cv2.COLOR_BGR2BGRA)
    return np.asarray(bgra, np.uint8)


def _blend(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 4) BGRA laid over another, each with its colours not multiplied by its alpha."""
    front_alpha, back_alpha = above[..., 3:] / np.float32(255), below[..., 3:] / np.float32(255)
    # Its own share of what is seen, and the rest of what is below, divided by both again.
    alpha = front_alpha + back_alpha * (1 - front_alpha)
    colours = above[..., :3] * front_alpha + below[..., :3] * (back_alpha * (1 - front_alpha))
    blend = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    return np.asarray(np.concatenate([blend, alpha * 255], axis=2).round(), np.uint8)


def _parse_int(data: bytes) -> int:
    return int.from_bytes(data, "little")
