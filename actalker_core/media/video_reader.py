"""The frames that a video shows at given times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
from torch import Tensor

from ..errors import MediaError
from . import webp
from .container import FileWarnings, Source, open_container
from .decoder import StreamDecoder
from .rgb import RGBConverter
from .streams import find_video_stream, require_video_stream
from .timestamps import Clock, is_untimed, nominal_frame_seconds, rounding_seconds

TimedFrames = Iterator[tuple[float, Any]]
"""Each frame with the seconds at which it disappears."""
WEBP_ROUNDING_SECONDS = 1e-6
"""WebP counts whole milliseconds; only their sum is rounded."""


def read_frames(
    source: Source,
    fps: float,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    warnings: FileWarnings | None = None,
) -> Iterator[Tensor]:
    """The frames that a video shows at 0, 1/fps, 2/fps … seconds, whatever its own rate.

    Time counts from the appearance of the first frame. Covers are no frames of a video.

    Args:
        source: a file, or its content.
        fps: frames per second to read.
        start: seconds at the beginning that are left out.
        seconds: how much is read; None reads to the end.
        warnings: those of the file that were given before, and are not given again.

    Yields:
        (3, h, w) uint8 RGB, one at a time, upright, with square pixels, all of one size.

    Raises:
        MediaError: missing, unreadable, without frames, of an absurd size, or over before start.
    """
    warnings = warnings or FileWarnings(source)
    until = float("inf") if seconds is None else start + seconds
    count = 0
    for frame in _read_at_rate(source, fps, start, until, warnings):
        count += 1
        yield frame
    if not count:
        raise MediaError(
            f"{warnings.name}: expected frames from {start:g} s on, but the video ends before. "
            "Start earlier."
            if start
            else f"{warnings.name}: expected a video, but none of its frames can be decoded. "
            "Export it anew."
        )


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a video at a rate, as by `read_frames`; each loop reads the file anew."""

    source: Source
    fps: float
    start: float = 0.0
    seconds: float | None = None
    _warnings: FileWarnings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_warnings", FileWarnings(self.source))

    def __iter__(self) -> Iterator[Tensor]:
        return read_frames(
            self.source,
            self.fps,
            start=self.start,
            seconds=self.seconds,
            warnings=self._warnings,
        )


def read_nominal_fps(source: Source) -> float:
    """Frames per second that a video says it has.

    Raises:
        MediaError: missing, unreadable or without frames.
    """
    if webp.is_animated(source):
        return webp.read_nominal_fps(source)
    with open_container(source, "video") as container:
        return 1 / nominal_frame_seconds(container, require_video_stream(container, source))


def read_nominal_seconds(source: Source) -> float | None:
    """How long a video says it lasts, for a bar of progress; None where it says nothing.

    Raises:
        MediaError: missing, unreadable or without frames.
    """
    if webp.is_animated(source):
        return None
    with open_container(source, "video") as container:
        require_video_stream(container, source)
        return None if container.duration is None else container.duration / av.time_base


def find_first_frame_seconds(source: Source) -> float | None:
    """When the first frame appears, on the container's clock; None without video."""
    with open_container(source, "sound file") as container:
        stream = find_video_stream(container)
        if stream is None:
            return None
        try:
            require_video_stream(container, source)
            decoder = StreamDecoder(container, stream, source, FileWarnings(source, quiet=True))
            frame = next(iter(decoder), None)
        except MediaError:
            frame = None
        # What the stream's header says may be wrong, and serves only where no frame can be decoded.
        if frame is not None and frame.time is not None:
            return float(frame.time)
        return float((stream.start_time or 0) * stream.time_base)


def _read_at_rate(
    source: Source, fps: float, start: float, until: float, warnings: FileWarnings
) -> Iterator[Tensor]:
    if webp.is_animated(source):
        frames = webp.read_frames(source)
        yield from _sample(frames, lambda rgb: rgb, fps, start, until, WEBP_ROUNDING_SECONDS)
        return
    with open_container(source, "video") as container:
        stream = require_video_stream(container, source)
        nominal_seconds = nominal_frame_seconds(container, stream)
        clock = Clock(nominal_seconds, warnings, is_timed=not is_untimed(container))
        decoder = StreamDecoder(container, stream, source, warnings)
        frames = clock.add_ends(decoder, decoder.duration_of)
        converter = RGBConverter(stream, warnings)
        tolerance = rounding_seconds(stream, nominal_seconds)
        yield from _sample(frames, converter.convert, fps, start, until, tolerance)


def _sample(
    frames: TimedFrames,
    convert: Callable[[Any], Tensor],
    fps: float,
    start: float,
    until: float,
    tolerance: float,
) -> Iterator[Tensor]:
    """Each frame as often as one is due while it is shown: several times, once or never.

    Args:
        convert: called once for a frame that is shown, never for others.
        tolerance: seconds; a frame due so shortly before the next appears is the next one, since
            the file's times are rounded.
    """
    count = 0
    for end, frame in frames:
        image: Tensor | None = None
        while start + count / fps < min(end, until) - tolerance:
            image = convert(frame) if image is None else image
            yield image
            count += 1
        if end >= until:
            return
