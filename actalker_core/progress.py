"""How long work says how far it is."""

from bisect import bisect_right
from collections.abc import Callable, Mapping

Report = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and how much there is if that is known; may raise to
cancel."""

MINUTE_S = 60.0


def report_nothing(stage: str, done: float, total: float | None) -> None:
    """Report nothing."""


class Stages:
    """Work in stages, each of which counts its own, as one share from 0 to 1 that never falls.

    Args:
        weights: stage -> its part of the time, of any sum; in the order in which they run.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.share = 0.0
        self._weights = dict(weights)
        self._sum = sum(self._weights.values())

    def advance(self, stage: str, done: float, total: float | None) -> float:
        """The share once so much of a stage is done; one that is not known adds nothing.

        Args:
            total: of the stage; None where that is not known before.
        """
        if stage in self._weights:
            names = list(self._weights)
            before = sum(self._weights[name] for name in names[: names.index(stage)])
            if total is None:
                part = done / (done + 1)
            else:
                part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
            self.share = max(self.share, (before + self._weights[stage] * part) / self._sum)
        return self.share

    def finish(self) -> float:
        """The share once all is done: 1."""
        self.share = 1.0
        return self.share


class RemainingTime:
    """How long one stage will still take, by how fast its latter half went.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stage: str | None = None
        self._times_s: list[float] = []
        self._counts: list[float] = []
        self._expected_s: dict[str, float] = {}

    def expect(self, stage: str, seconds: float) -> None:
        """Say how long a stage will take, until some of it is measured."""
        self._expected_s[stage] = seconds

    def measure(self, stage: str, done: float, total: float | None) -> float | None:
        """Seconds that are left of a stage; None where they are not known.

        A stage that takes less than a minute in all has nothing to say: None too. The first part
        of a stage often loads something, so that it does not count once more is done.
        """
        now_s = self._clock()
        if stage != self._stage or done < self._counts[-1]:
            self._stage, self._times_s, self._counts = stage, [], []
        self._times_s.append(now_s)
        self._counts.append(done)
        if total is None or total <= done:
            return None
        half = bisect_right(self._counts, (self._counts[0] + done) / 2) - 1
        half_s, half_done = self._times_s[half], self._counts[half]
        elapsed_s = now_s - self._times_s[0]
        if done > half_done:
            left_s = (now_s - half_s) * (total - done) / (done - half_done)
        else:
            left_s = self._expected_s.get(stage, 0.0) - elapsed_s
        return left_s if elapsed_s + left_s > MINUTE_S else None


def format_seconds(seconds: float) -> str:
    """A duration that is an estimate: 45 s, 3 min, 2 h 10 min."""
    if seconds < MINUTE_S:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
