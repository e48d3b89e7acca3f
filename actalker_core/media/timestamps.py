"""When each frame of a video is shown."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .container import FileWarnings
from .streams import RAW_FORMATS

DEFAULT_FRAME_SECONDS = 1 / 25
"""A frame's duration where a file says nothing that can be true."""
MIN_FPS, MAX_FPS = 0.05, 1000.0
MAX_GAP_SECONDS = 600.0
"""A longer time without a new frame or sample is a jump of the clock."""
MAX_BACKWARD_SECONDS = 1.0
"""Times that go back by more are those of a new clock; by less they are mistakes."""
MAX_PENDING = 16
"""Frames of no known time that wait for one that has: as many as H.264 may reorder."""


def nominal_frame_seconds(container: Any, stream: Any) -> float:
    """The nominal duration of a frame."""
    context = getattr(stream.codec_context, "framerate", None)
    rates = [stream.average_rate, stream.guessed_rate, context, stream.base_rate]
    if is_untimed(container):
        # The container's rate is FFmpeg's own default there; the coded images know better.
        rates = [context, stream.guessed_rate, stream.average_rate]
    plausible = [float(rate) for rate in rates if rate and MIN_FPS <= rate <= MAX_FPS]
    return 1 / plausible[0] if plausible else DEFAULT_FRAME_SECONDS


def is_untimed(container: Any) -> bool:
    """Whether it is one image after another, and nothing else."""
    return bool(set(container.format.name.split(",")) & RAW_FORMATS)


def rounding_seconds(stream: Any, nominal_seconds: float) -> float:
    """How far times may be off because the file's clock ticks so coarsely."""
    tick = float(stream.time_base or 0)
    return min(tick / 2, nominal_seconds / 4) + 1e-6


class Clock:
    """Turns the times of frames into the seconds from the first one's appearance.

    Frames of no known time, or of one that does not come after the last, lie evenly between those
    that have one; where none has, each is shown for the nominal duration. A clock that goes back
    or jumps far ahead, as where recordings were joined, is continued without a gap, with a warning.

    A frame is known to end only when the next one appears, so frames wait in `_pending`: the first
    of them appeared at `_start`, the others' times are not known.
    """

    def __init__(
        self, nominal_seconds: float, warnings: FileWarnings, *, is_timed: bool = True
    ) -> None:
        self.nominal_seconds, self.warnings, self.is_timed = nominal_seconds, warnings, is_timed
        self._shift: float | None = None
        self._start = 0.0
        self._pending: list[Any] = []

    def add_ends(
        self, frames: Iterable[Any], duration_of: Callable[[Any], float | None]
    ) -> Iterator[tuple[float, Any]]:
        """Each frame with the seconds at which it disappears.

        Args:
            duration_of: how many seconds a frame is shown, if known; asked for the last one alone.
        """
        for frame in frames:
            if self._pending:
                yield from self._finish_pending(frame)
            else:
                self._shift = None if (time := self._time(frame)) is None else -time
                self._pending = [frame]
        for i, frame in enumerate(self._pending, 1):
            is_last = i == len(self._pending)
            duration = duration_of(frame) if is_last and self.is_timed else None
            if not duration or duration >= MAX_GAP_SECONDS:
                duration = self.nominal_seconds
            yield self._start + self.nominal_seconds * (i - 1) + duration, frame

    def _finish_pending(self, frame: Any) -> Iterator[tuple[float, Any]]:
        """Those that disappear when this one appears; none while that is not known."""
        start, count = self._find_start(frame), len(self._pending)
        if start is None:
            self._pending.append(frame)
            if count < MAX_PENDING:
                return
            start = self._start + self.nominal_seconds * count
        step = (start - self._start) / count
        for i in range(count):
            yield self._start + step * (i + 1), self._pending[i]
        self._start, self._pending = start, [frame]

    def _find_start(self, frame: Any) -> float | None:
        """When a frame appears; None if that is not known."""
        time = self._time(frame)
        if time is None:
            return None
        # Where it would appear if all pending frames were shown for the nominal duration.
        following = self._start + self.nominal_seconds * len(self._pending)
        if self._shift is None:
            self._shift = following - time
        start = time + self._shift
        step = start - self._start
        if -MAX_BACKWARD_SECONDS < step < MAX_GAP_SECONDS:
            return start if step > 1e-6 else None
        self.warnings.warn(
            f"its clock jumps by {step:+.0f} s after {self._start:.2f} s; the video goes on there "
            "without a gap."
        )
        self._shift = following - time
        return following

    def _time(self, frame: Any) -> float | None:
        return frame.time if self.is_timed else None
