"""Files that are opened, and errors that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from ..errors import MediaError


@contextmanager
def opened(path: Path, kind: str) -> Iterator[Any]:
    """A container of PyAV.

    Raises:
        MediaError: missing or unreadable; `kind` says what was expected.
    """
    require(path, kind)
    try:
        with av.open(str(path)) as container:
            yield container
    except av.error.FFmpegError as error:
        raise MediaError(f"{path}: expected a {kind}; it cannot be read ({error}).") from error


def require(path: Path, kind: str) -> None:
    """Refuse a path that is no file.

    Raises:
        MediaError: names it.
    """
    if not path.is_file():
        raise MediaError(f"{path}: no such file. Expected a {kind} there; check the path.")
