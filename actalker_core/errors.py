"""Every error that this package raises on purpose.

    ACTalkerError
    ├── InputError        an argument, mask, curve or size that cannot be used
    ├── MediaError        an image, audio or video file that cannot be read or written
    ├── FaceError         no face where one is needed, or nothing to find it with
    ├── CheckpointError   a weight file that is missing, damaged or of another model
    ├── NotFiniteError    a network or the sampler made numbers that are NaN or infinite
    └── Cancelled         the caller asked to stop; nothing is wrong

Messages say what failed, what was expected, what was found and what to do about it, in one line
of printable characters: they quote files and people, and go where a line break, a bidi mark or a
lone surrogate does harm (ComfyUI's queue ends at an error that cannot be encoded).
"""

import reprlib
from collections.abc import Iterable

__all__ = [
    "ACTalkerError",
    "Cancelled",
    "CheckpointError",
    "FaceError",
    "InputError",
    "MediaError",
    "NotFiniteError",
]

MOST_QUOTED = 80
"""Characters of what a person wrote that a message repeats."""
LONGEST_MESSAGE = 600
"""Of a longer one the middle is left out: it begins with what failed and ends with what to do."""


class ACTalkerError(Exception):
    """Base of all errors below; catch it to catch them all."""

    def __init__(self, *arguments: object) -> None:
        """Keep the message to one printable line."""
        super().__init__(*(one_line(a) if isinstance(a, str) else a for a in arguments))


class InputError(ACTalkerError, ValueError):
    """A value given by the caller is outside what the model or the sampler can use."""


class MediaError(ACTalkerError):
    """An image, audio or video file cannot be read or written."""


class FaceError(ACTalkerError):
    """No face is found where one is needed, or there is nothing to find it with."""


class CheckpointError(ACTalkerError):
    """A weight file is missing, damaged, unsafe or belongs to another model."""


class NotFiniteError(ACTalkerError):
    """A network or the sampler made numbers that are NaN or infinite."""


class Cancelled(ACTalkerError):  # noqa: N818 (nothing is wrong)
    """The progress callback asked to stop."""


def printable(text: str) -> str:
    """The text with line breaks, control characters, bidi marks and surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(message: str) -> str:
    """A message that any log can take."""
    half = (LONGEST_MESSAGE - len(" … ")) // 2
    if len(message) > LONGEST_MESSAGE:  # before it is escaped, which takes time
        message = f"{message[:half]} … {message[-half:]}"
    message = printable(message)
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


def quoted(value: object) -> str:
    """What a person gave, as a message repeats it: at most `MOST_QUOTED` printable characters."""
    if not isinstance(value, str):
        try:
            return _cut(reprlib.repr(value))
        except ValueError:  # a whole number of thousands of digits
            return f"a very large {type(value).__name__}"
    return f"'{_cut(value)}'"


def _cut(text: str) -> str:
    shown = printable(text[: MOST_QUOTED + 1])
    return shown if len(shown) <= MOST_QUOTED else f"{shown[: MOST_QUOTED - 1]}…"


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
        InputError: names them.
    """
    known = list(choices)
    if value not in known:
        raise InputError(f"{name}: expected {' or '.join(known)}, got {quoted(value)}.")
