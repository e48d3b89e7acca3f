"""When each frame of a film is shown."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .container import FileWarnings
from .streams import RAW_FORMATS

DEFAULT_FRAME_SECONDS = 1 / 25
"""A frame's duration where a file says nothing that can be true."""
SLOWEST_FPS, FASTEST_FPS = 0.05, 1000.0
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
        # The container's rate is FFmpeg's own default there; the coded pictures know better.
        rates = [context, stream.guessed_rate, stream.average_rate]
    known = [float(rate) for rate in rates if rate and SLOWEST_FPS <= rate <= FASTEST_FPS]
    return 1 / known[0] if known else DEFAULT_FRAME_SECONDS


def is_untimed(container: Any) -> bool:
    """Whether it is one picture after another, and nothing else."""
    return bool(set(container.format.name.split(",")) & RAW_FORMATS)


def rounding_seconds(stream: Any, usual: float) -> float:
    """How far times may be off because the file's clock ticks so coarsely."""
    tick = float(stream.time_base or 0)
    return min(tick / 2, usual / 4) + 1e-6


class Clock:
    """Turns the times of frames into the seconds from the first one's appearance.

    Frames of no known time, or of one that does not come after the last, lie evenly between those
    that have one; where none has, each is shown for the nominal duration. A clock that goes back
    or jumps far ahead, as where recordings were joined, is continued without a gap, with a word.
    """

    def __init__(self, usual: float, words: FileWarnings, *, trusted: bool = True) -> None:
        self.usual, self.words, self.trusted = usual, words, trusted
        self._shift: float | None = None
        self._shown = 0.0
        self._pending: list[Any] = []

    def ends(
        self, frames: Iterable[Any], lasting: Callable[[Any], float | None]
    ) -> Iterator[tuple[float, Any]]:
        """Each frame with the seconds at which it disappears.

        Args:
            lasting: how long a frame is shown, if that is known; the last one's end.
        """
        for frame in frames:
            if self._pending:
                yield from self._before(frame)
            else:
                self._shift = None if (time := self._time(frame)) is None else -time
                self._pending = [frame]
        for i, frame in enumerate(self._pending, 1):
            last = i == len(self._pending)
            known = lasting(frame) if last and self.trusted else None
            known = known if known and known < MAX_GAP_SECONDS else self.usual
            yield self._shown + self.usual * (i - 1) + known, frame

    def _before(self, frame: Any) -> Iterator[tuple[float, Any]]:
        """Those that disappear when it appears."""
        appears, count = self._appears(frame), len(self._pending)
        if appears is None:
            self._pending.append(frame)
            if count < MAX_PENDING:
                return
            appears = self._shown + self.usual * count
        step = (appears - self._shown) / count
        for i in range(count):
            yield self._shown + step * (i + 1), self._pending[i]
        self._shown, self._pending = appears, [frame]

    def _appears(self, frame: Any) -> float | None:
        """When it appears; None if that is not known."""
        time = self._time(frame)
        if time is None:
            return None
        following = self._shown + self.usual * len(self._pending)
        if self._shift is None:
            self._shift = following - time
        appears = time + self._shift
        ahead = appears - self._shown
        if -MAX_BACKWARD_SECONDS < ahead < MAX_GAP_SECONDS:
            return appears if ahead > 1e-6 else None
        self.words.warn(
            f"its clock jumps by {ahead:+.0f} s after {self._shown:.2f} s; the film goes on there "
            "without a gap."
        )
        self._shift = following - time
        return following

    def _time(self, frame: Any) -> float | None:
        return frame.time if self.trusted else None
