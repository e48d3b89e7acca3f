"""The file behind a VIDEO, and its trim."""

import inspect
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VideoFile:
    """A file, or the content of one, and what of it is meant.

    Attributes:
        start: seconds left out at the beginning.
        seconds: how much follows; None for the rest.
    """

    source: Path | io.BytesIO
    start: float
    seconds: float | None


def file_behind(clip: Any) -> VideoFile | None:
    """The file that a VIDEO reads; None for one made of frames, and for what is no VIDEO."""
    if not _has_file(clip):
        return None
    source = clip.get_stream_source()
    if hasattr(source, "read") and not isinstance(source, io.BytesIO):
        source = io.BytesIO(source.read())
    start, seconds = _trim(clip)
    return VideoFile(source if isinstance(source, io.BytesIO) else Path(source), start, seconds)


def _has_file(clip: Any) -> bool:
    """Whether it names its source itself: the abstract VIDEO would encode its frames into one."""
    kinds = [kind for kind in type(clip).__mro__ if "get_stream_source" in vars(kind)]
    return bool(kinds) and not inspect.isabstract(kinds[0])


def _trim(clip: Any) -> tuple[float, float | None]:
    """Start and length in seconds; ComfyUI's 0 means to the end."""
    if hasattr(clip, "get_active_trim_window"):
        start, seconds = clip.get_active_trim_window()
    else:
        # Between the first VIDEO with a trim and the first that tells it.
        start, seconds = (
            getattr(clip, f"_VideoFromFile__{name}", 0) or 0 for name in ("start_time", "duration")
        )
        if start < 0:
            start = max(type(clip)(clip.get_stream_source()).get_duration() + start, 0)
    return float(start), float(seconds) if seconds else None
