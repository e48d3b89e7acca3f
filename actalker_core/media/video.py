"""Clips in: the frames that are shown at given times."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MediaError
from .opening import opened


def read_frames(path: Path, fps: float) -> Iterator[Tensor]:
    """The pictures that a video shows at 0, 1/fps, 2/fps … seconds, whatever its own rate.

    Yields:
        (3, H, W) RGB, uint8, one at a time.

    Raises:
        MediaError: missing, unreadable or without pictures.
    """
    with opened(path, "video") as container:
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
