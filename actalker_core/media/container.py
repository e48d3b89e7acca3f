"""Files that are opened, errors that name them, and warnings that are given once."""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from ..errors import MediaError, escape_unprintable

log = logging.getLogger(__name__)

MAX_FRAME_PIXELS = 1 << 26
"""No frame of a video may claim more: 8192 × 8192. What is larger is a mistake or an attack."""

Source = Path | io.BytesIO
"""A file, or the content of one."""


class FileWarnings:
    """Logs what is wrong with a file: each thing once, however often the file is read.

    Attributes:
        name: how errors and warnings call the file. quiet: nothing is logged.
    """

    def __init__(self, source: Source, *, quiet: bool = False) -> None:
        self.name, self.quiet = escape_unprintable(name_of(source)), quiet
        self._texts: set[str] = set()

    def warn(self, text: str) -> None:
        """Log a warning that begins with the file's name, unless it was given before."""
        if not self.quiet and text not in self._texts:
            self._texts.add(text)
            log.warning("%s: %s", self.name, text)


@contextmanager
def open_container(source: Source, kind: str, *, format: str | None = None) -> Iterator[Any]:
    """A container of PyAV, to be read.

    Args:
        kind: what is expected, for errors: "video".
        format: of the container, where its content alone misleads.

    Raises:
        MediaError: missing, unreadable or without an index.
    """
    try:
        with av.open(
            _find_input(source, kind),
            format=format,
            # Tags of old encodings are no reason to refuse the media that they describe.
            metadata_errors="replace",
            options={"max_pixels": str(MAX_FRAME_PIXELS)},
        ) as container:
            if not any(stream.codec_context for stream in container.streams):
                raise MediaError(
                    f"{name_of(source)}: expected a {kind}; its index is missing, as where a "
                    "download or recording was cut off. Get the whole file."
                )
            yield container
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"{name_of(source)}: expected a {kind}; it cannot be read ({describe_error(error)}). "
            "Get the whole file, or export it anew."
        ) from error


def describe_error(error: Exception) -> str:
    """What the system or FFmpeg says, without its number and the file's name."""
    return str(getattr(error, "strerror", None) or error)


def _find_input(source: Source, kind: str) -> str | io.BytesIO:
    if isinstance(source, io.BytesIO):
        # A reader of its own: the content may be read twice at once, and costs no copy.
        return io.BytesIO(source.getvalue())
    require_file(source, kind)
    return ffmpeg_path(source)


def ffmpeg_path(path: Path) -> str:
    """A path for FFmpeg, which takes what stands before a colon for a protocol."""
    return f"file:{path}"


def read_head(source: Source, length: int) -> bytes:
    """The first bytes of a file; none where it cannot be read, which is no error here."""
    if isinstance(source, io.BytesIO):
        return bytes(source.getbuffer()[:length])
    if not os.path.isfile(source):
        return b""
    try:
        with source.open("rb") as file:
            return file.read(length)
    except OSError:
        return b""


def name_of(source: Source) -> str:
    """How errors and warnings call it."""
    return str(source) if isinstance(source, Path) else "The video"


def require_file(path: Path, kind: str) -> None:
    """Refuse a path that is no file.

    Raises:
        MediaError: names it.
    """
    if not os.path.isfile(path):  # `Path.is_file` raises at names that no system takes
        raise MediaError(f"{path}: no such file. Expected a {kind} there; check the path.")
