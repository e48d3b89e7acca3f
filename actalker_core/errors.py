"""Every error that this package raises on purpose.

    ACTalkerError
    ├── InputError        an argument, mask, curve or size that cannot be used
    ├── MediaError        an image, audio or video file that cannot be read or written
    ├── FaceError         no face where one is needed, or nothing to find it with
    ├── CheckpointError   a weight file that is missing, damaged or of another model
    └── Cancelled         the caller asked to stop; nothing is wrong

Messages say what failed, what was expected, what was found and what to do about it.
"""

from collections.abc import Iterable

__all__ = [
    "ACTalkerError",
    "Cancelled",
    "CheckpointError",
    "FaceError",
    "InputError",
    "MediaError",
]


class ACTalkerError(Exception):
    """Base of all errors below; catch it to catch them all."""


class InputError(ACTalkerError, ValueError):
    """A value given by the caller is outside what the model or the sampler can use."""


class MediaError(ACTalkerError):
    """An image, audio or video file cannot be read or written."""


class FaceError(ACTalkerError):
    """No face is found where one is needed, or there is nothing to find it with."""


class CheckpointError(ACTalkerError):
    """A weight file is missing, damaged, unsafe or belongs to another model."""


class Cancelled(ACTalkerError):  # noqa: N818 (nothing is wrong)
    """The progress callback asked to stop."""


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
        InputError: names them.
    """
    known = list(choices)
    if value not in known:
        raise InputError(f"{name}: expected {' or '.join(known)}, got '{value}'.")
