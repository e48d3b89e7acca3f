"""Every error that this package raises on purpose.

    ACTalkerError
    ├── InputError        an argument, mask, curve or size that cannot be used
    ├── MediaError        an image, audio or video file that cannot be read or written
    ├── FaceError         no face where one is needed, or nothing to find it with
    ├── CheckpointError   a weight file that is missing, damaged or of another model
    ├── NotFiniteError    a network or the sampler made numbers that are NaN or infinite
    └── CancelledError    the caller asked to stop; nothing is wrong

Messages say what failed, what was expected, what came and what to do about it, in one line
of printable characters: they quote files and people, and go where a line break, a bidi mark or a
lone surrogate does harm (ComfyUI's queue ends at an error that cannot be encoded).
"""

import reprlib
from collections.abc import Iterable

__all__ = [
    "ACTalkerError",
    "CancelledError",
    "CheckpointError",
    "FaceError",
    "InputError",
    "MediaError",
    "NotFiniteError",
]

MAX_QUOTE_LENGTH = 80
"""Characters of what a person wrote that a message repeats."""
MAX_MESSAGE_LENGTH = 600
"""Of a longer one the middle is left out: it begins with what failed and ends with what to do."""


class ACTalkerError(Exception):
    """Base of all errors below; catch it to catch them all."""

    def __init__(self, *arguments: object) -> None:
        """Keep the message to one printable line."""
        super().__init__(*(to_one_line(a) if isinstance(a, str) else a for a in arguments))


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


class CancelledError(ACTalkerError):
    """The progress callback asked to stop."""


def escape_unprintable(text: str) -> str:
    """The text with line breaks, control characters, bidi marks and surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def to_one_line(message: str) -> str:
    """The message as any log can take it."""
    # Cut twice: a long text takes time to escape, and escaping makes it longer.
    return _drop_middle(escape_unprintable(_drop_middle(message)))


def _drop_middle(message: str) -> str:
    if len(message) <= MAX_MESSAGE_LENGTH:
        return message
    half = (MAX_MESSAGE_LENGTH - len(" … ")) // 2
    return f"{message[:half]} … {message[-half:]}"


def quote(value: object) -> str:
    """What a person gave, printable and in at most `MAX_QUOTE_LENGTH` characters."""
    if not isinstance(value, str):
        try:
            return _shorten_quote(reprlib.repr(value))
        except ValueError:  # a whole number of thousands of digits
            return f"a very large {type(value).__name__}"
    return f"'{_shorten_quote(value)}'"


def _shorten_quote(text: str) -> str:
    text = escape_unprintable(text[: MAX_QUOTE_LENGTH + 1])
    return text if len(text) <= MAX_QUOTE_LENGTH else f"{text[: MAX_QUOTE_LENGTH - 1]}…"


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
        InputError: names them.
    """
    names = list(choices)
    if value not in names:
        raise InputError(f"{name}: expected {' or '.join(names)}, got {quote(value)}. Choose one.")
