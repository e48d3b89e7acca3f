"""Animated WebP, which FFmpeg does not decode: its frames, composed as players do.

Each frame is made a WebP of its own, which OpenCV decodes, and laid onto the canvas.
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

ANIMATED = 0x02
ALPHA = 0x10
SHORTEST_SECONDS = 0.011
"""Browsers show a frame that claims to last less for a tenth of a second."""
USUAL_SECONDS = 0.1


@dataclass(frozen=True)
class Piece:
    """One frame of the file.

    Attributes:
        x, y, width, height: what it covers of the canvas, in pixels.
        seconds: how long it is shown.
        blend: laid over what was there, instead of replacing it.
        dispose: what it covers is cleared after it.
        chunks: its picture, as the chunks of a WebP.
    """

    x: int
    y: int
    width: int
    height: int
    seconds: float
    blend: bool
    dispose: bool
    chunks: bytes


def is_animated(source: Source) -> bool:
    """Whether a file is a WebP of several frames."""
    head = read_head(source, 21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:] and head[20] & 2)


def read_nominal_fps(source: Source) -> float:
    """Frames per second, on average."""
    lasting = [piece.seconds for piece in _pieces(_content(source))]
    return len(lasting) / sum(lasting) if lasting else 1 / USUAL_SECONDS


def read_frames(source: Source) -> Iterator[tuple[float, Tensor]]:
    """Each picture, (3, H, W) uint8, with the seconds at which it disappears.

    Raises:
        MediaError: it claims an absurd size, or a frame cannot be decoded.
    """
    content = _content(source)
    width, height = (_number(content[at : at + 3]) + 1 for at in (24, 27))
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{name_of(source)}: expected frames of up to {MAX_FRAME_PIXELS / 1e6:.0f} million "
            f"pixels, got {width} × {height}. Scale the animation down."
        )
    canvas, end = np.zeros((height, width, 4), np.uint8), 0.0
    for number, piece in enumerate(_pieces(content)):
        bgra = _decoded(piece)
        window = canvas[piece.y : piece.y + piece.height, piece.x : piece.x + piece.width]
        if bgra is None or bgra.shape != window.shape:
            raise MediaError(
                f"{name_of(source)}: expected an animated WebP; its frame {number} cannot be "
                "decoded. Export it anew, or as GIF or MP4."
            )
        window[:] = _over(bgra, window) if piece.blend else bgra
        end += piece.seconds
        rgb = np.ascontiguousarray(canvas[..., 2::-1])
        yield end, torch.from_numpy(rgb).permute(2, 0, 1)
        if piece.dispose:
            window[:] = 0


def _content(source: Source) -> bytes:
    return source.getvalue() if not isinstance(source, Path) else source.read_bytes()


def _pieces(content: bytes) -> Iterator[Piece]:
    for name, data in _chunks(content[12:]):
        if name == b"ANMF" and len(data) > 16:
            x, y, width, height, milliseconds = (
                _number(data[at : at + 3]) for at in range(0, 15, 3)
            )
            seconds = milliseconds / 1000
            yield Piece(
                2 * x,
                2 * y,
                width + 1,
                height + 1,
                seconds if seconds >= SHORTEST_SECONDS else USUAL_SECONDS,
                blend=not data[15] & 2,
                dispose=bool(data[15] & 1),
                chunks=data[16:],
            )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _decoded(piece: Piece) -> NDArray[np.uint8] | None:
    """(h, w, 4) BGRA."""
    if piece.width * piece.height > MAX_FRAME_PIXELS:
        return None
    chunks = piece.chunks
    if chunks[:4] == b"ALPH":
        header = bytes([ALPHA, 0, 0, 0]) + (piece.width - 1).to_bytes(3, "little")
        header += (piece.height - 1).to_bytes(3, "little")
        chunks = b"VP8X" + len(header).to_bytes(4, "little") + header + chunks
    body = b"WEBP" + chunks
    picture = b"RIFF" + len(body).to_bytes(4, "little") + body
    try:
        decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if decoded is None:
        return None
    if decoded.shape[2] == 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2BGRA)
    return np.asarray(decoded, np.uint8)


def _over(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One BGRA picture laid over another."""
    front, back = above[..., 3:] / np.float32(255), below[..., 3:] / np.float32(255)
    share = front + back * (1 - front)
    colours = above[..., :3] * front + below[..., :3] * (back * (1 - front))
    mixed = np.divide(colours, share, out=np.zeros_like(colours), where=share > 0)
    return np.asarray(np.concatenate([mixed, share * 255], axis=2).round(), np.uint8)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
