"""Edits of signals as a person writes them: `pose.smooth=0.3`, `trim=1:4`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .curves import Curve, DrawnCurve
from .grammar import Span
from .signals import KINDS, MAX_SMOOTHING_SECONDS, DrivingSignal, Signals

EditFunction = Callable[..., DrivingSignal]

EDITS: dict[str, tuple[EditFunction, int, str]] = {
    "trim": (lambda s, start, end: s.trim(start, end), 2, "start:end"),
    "resample": (lambda s, rate_hz: s.resample(rate_hz), 1, "rate in Hz"),
    "loop": (lambda s, seconds: s.loop(seconds), 1, "seconds"),
    "ping-pong": (lambda s, seconds: s.ping_pong(seconds), 1, "seconds"),
    "hold": (lambda s, seconds: s.hold(seconds), 1, "seconds"),
    "offset": (lambda s, seconds: s.offset(seconds), 1, "seconds, later if above 0"),
    "scale": (lambda s, amount, neutral: s.scale(amount, neutral), 2, "amount:neutral second"),
    "smooth": (lambda s, seconds: s.smooth(seconds), 1, "seconds"),
}
"""Name -> the edit, how many numbers it takes, and what they are."""


@dataclass(frozen=True)
class Edit:
    """An edit of one kind of signal or of all.

    Attributes:
        kind: a key of `signals.KINDS`, or None for all signals.
        name: a key of `EDITS`.
        values: as many numbers as the edit takes.
    """

    kind: str | None
    name: str
    values: tuple[float, ...]

    def __call__(self, signals: Signals) -> Signals:
        """Return the edited signals.

        Raises:
            InputError: there is no signal of that kind, or it cannot use the values.
        """
        # A signal counts in samples: half a sample before its start is its start to it.
        check_values(self.name, self.values)
        function, _, _ = EDITS[self.name]
        return signals.edit(lambda signal: function(signal, *self.values), self.kind)


def blend_signals(first: Signals, second: Signals, curve: Curve | DrawnCurve) -> Signals:
    """The first where the curve is 0, the second where it is 1, kind by kind.

    A kind that only one of them has is taken as it is.

    Raises:
        InputError: see `DrivingSignal.blend` and `parse_curve`.
    """

    def blend(kind: str) -> Any:
        signal = first.present[kind]
        strengths = curve.sample(len(signal), signal.rate_hz)
        return signal.blend(second.present[kind], strengths, signal.rate_hz)

    kinds = [kind for kind in first.present if kind in second.present]
    return Signals(**{**second.present, **first.present, **{kind: blend(kind) for kind in kinds}})


def check_values(edit: str, values: Sequence[float]) -> None:
    """Refuse numbers of an edit (a key of `EDITS`) that no signal can use, however long it is.

    Raises:
        InputError: says what they may be.
    """
    first, last = values[0], values[-1]
    is_right, expected = {
        "trim": (0 <= first < last, "a start of 0 or more and an end after it"),
        "resample": (first > 0, "a rate above 0 Hz"),
        "scale": (last >= 0, "a neutral time of 0 or more"),
        "smooth": (
            0 <= first <= MAX_SMOOTHING_SECONDS,
            f"a time from 0 to {MAX_SMOOTHING_SECONDS:g} s",
        ),
        **dict.fromkeys(("loop", "ping-pong", "hold"), (first > 0, "a duration above 0 s")),
    }.get(edit, (True, ""))
    if not is_right:
        got = " and ".join(f"{value:g}" for value in values)
        raise InputError(f"Edit {edit}: expected {expected}, got {got}. Change the numbers.")


def parse_edit(text: str) -> Edit:
    """`[audio.|expression.|pose.]edit=value[:value]`.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    return Edit(*split_edit(text, "signal", KINDS))


def split_edit(
    text: str, owner: str, owners: Collection[str]
) -> tuple[str | None, str, tuple[float, ...]]:
    """`[owner.]edit=value[:value]` -> what it edits (None for all), a key of `EDITS`, its values.

    Args:
        owner: what the owners are, for errors: `signal`, `group`.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    name, value = Span.from_text("Edit", text).partition("=", f"[{owner}.]edit=value")
    kind = None
    if "." in name.text:
        part, name = name.partition(".", f"{owner}.edit")
        kind = part.check_word(owners)
    _, _, meaning = EDITS[name.check_word(EDITS)]
    return kind, name.text, value.parse_numbers(":", meaning.split(":"))
