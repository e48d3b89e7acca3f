"""Clips in: the frames that are shown at given times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..errors import MediaError
from . import webp
from .container import FileWarnings, Source, open_container
from .decoder import StreamDecoder
from .rgb import RGBConverter
from .streams import find_video_stream, require_video_stream
from .timestamps import Clock, is_untimed, nominal_frame_seconds, rounding_seconds

Timed = Iterator[tuple[float, Any]]


def read_frames(
    source: Source,
    fps: float,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    words: FileWarnings | None = None,
) -> Iterator[Tensor]:
    """The pictures that a video shows at 0, 1/fps, 2/fps … seconds, whatever its own rate.

    Time counts from the appearance of the first picture. Covers are no pictures of a video.

    Args:
        source: a file, or its content.
        start: seconds at the beginning that are left out.
        seconds: how much is read; None reads to the end.
        words: what was said of the file before, and is not said again.

    Yields:
        (3, H, W) RGB, uint8, one at a time, upright, with square pixels, all of one size.

    Raises:
        MediaError: missing, unreadable, without pictures, of an absurd size, or over before start.
    """
    words = words or FileWarnings(source)
    until = float("inf") if seconds is None else start + seconds
    count = 0
    for picture in _pictures(source, fps, start, until, words):
        count += 1
        yield picture
    if not count:
        raise MediaError(
            f"{words.name}: expected pictures from {start:g} s on, but the film ends before. Start "
            "earlier."
            if start
            else f"{words.name}: expected a video, but none of its pictures can be decoded. Export "
            "it anew."
        )


@dataclass(frozen=True)
class VideoFrames:
    """The pictures of a video at a frame rate, as `read_frames`; each loop reads the file anew."""

    source: Source
    fps: float
    start: float = 0.0
    seconds: float | None = None
    _words: list[FileWarnings] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._words.append(FileWarnings(self.source))

    def __iter__(self) -> Iterator[Tensor]:
        return read_frames(
            self.source, self.fps, start=self.start, seconds=self.seconds, words=self._words[0]
        )


def read_nominal_fps(source: Source) -> float:
    """Frames per second that a video says it has.

    Raises:
        MediaError: missing, unreadable or without pictures.
    """
    if webp.is_animated(source):
        return webp.read_nominal_fps(source)
    with open_container(source, "video") as container:
        return 1 / nominal_frame_seconds(container, require_video_stream(container, source))


def find_first_frame_seconds(source: Source) -> float | None:
    """When a file's film begins on the container's clock; None if it has no film."""
    with open_container(source, "sound file") as container:
        film = find_video_stream(container)
        if film is None:
            return None
        try:
            require_video_stream(container, source)
            quiet = FileWarnings(source, quiet=True)
            frame = next(iter(StreamDecoder(container, film, source, quiet)), None)
        except MediaError:
            frame = None
        if frame is not None and frame.time is not None:
            return float(frame.time)
        return float((film.start_time or 0) * film.time_base)


def _pictures(
    source: Source, fps: float, start: float, until: float, words: FileWarnings
) -> Iterator[Tensor]:
    if webp.is_animated(source):
        yield from _at_rate(webp.read_frames(source), lambda shown: shown, fps, start, until, 1e-6)
        return
    with open_container(source, "video") as container:
        film = require_video_stream(container, source)
        usual = nominal_frame_seconds(container, film)
        clock = Clock(usual, words, trusted=not is_untimed(container))
        decoding = StreamDecoder(container, film, source, words)
        timed = clock.ends(decoding, decoding.lasting)
        screen, tolerance = RGBConverter(film, words), rounding_seconds(film, usual)
        yield from _at_rate(timed, screen.show, fps, start, until, tolerance)


def _at_rate(
    timed: Timed,
    show: Callable[[Any], Tensor],
    fps: float,
    start: float,
    until: float,
    tolerance: float,
) -> Iterator[Tensor]:
    """Each frame as often as its time asks for."""
    count = 0
    for end, frame in timed:
        picture: Tensor | None = None
        while start + count / fps < min(end, until) - tolerance:
            picture = show(frame) if picture is None else picture
            yield picture
            count += 1
        if end >= until:
            return
