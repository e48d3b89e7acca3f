"""What damaged files are refused with."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actalker_core.errors import ACTalkerError, MediaError

LIMIT_SECONDS = 5
MAX_LENGTH = 400
"""Characters of a message besides the path."""


def refusal(
    load: Callable[[Path], object], path: Path, error: type[ACTalkerError] = MediaError
) -> str:
    """The message of the error that a file is refused with: soon, in one line, with its path."""
    start = time.process_time()
    with pytest.raises(error) as info:
        load(path)
    assert time.process_time() - start < LIMIT_SECONDS
    message = str(info.value)
    assert str(path) in message
    assert "xpected" in message
    assert message.isprintable(), "one line of printable characters"
    assert len(message) < len(str(path)) + MAX_LENGTH
    return message
