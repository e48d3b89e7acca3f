"""Videos and numbered images out: the end of the name says as what."""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from ..errors import MediaError
from ..files.writing import (
    check_writable,
    move_into_place,
    replace_file,
    resolve_target,
    staging_folder,
    translate_errors,
)
from .audio import Audio
from .container import ffmpeg_path
from .gif import MAX_FPS, encode_gif
from .images import encode_image
from .video_encoder import AAC, H264, OPUS, VP9, AudioCodec, Pixels, VideoCodec, encode_video

log = logging.getLogger(__name__)

FIRST_NUMBER = 1
"""Of numbered images, as FFmpeg and Blender begin."""

_NUMBER = re.compile(r"%(\d{0,2})d")


@dataclass(frozen=True)
class Format:
    """A kind of video file.

    Attributes:
        container: as libavformat calls it. video, audio: the codecs; None for GIF.
        options: of the container, so that it keeps entries of any name.
    """

    container: str
    video: VideoCodec | None
    audio: AudioCodec | None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_metadata(self) -> bool:
        """Whether such files hold entries of metadata; GIF does not."""
        return self.video is not None


ANY_TAGS = {"movflags": "use_metadata_tags"}
"""Else MP4 and MOV drop entries whose names they do not know."""
FORMATS = {
    ".mp4": Format("mp4", H264, AAC, ANY_TAGS),
    ".mov": Format("mov", H264, AAC, ANY_TAGS),
    ".mkv": Format("matroska", H264, AAC),
    ".webm": Format("webm", VP9, OPUS),
    ".gif": Format("gif", None, None),
}
NUMBERED_SUFFIX = ".png"


def write_video(
    path: Path,
    chunks: Iterable[Tensor],
    fps: float,
    audio: Audio | None = None,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write a video; `path` appears only when whole.

    Args:
        path: ends in one of `FORMATS`, or is a name such as `%05d.png` for numbered images, the
            first of which is `FIRST_NUMBER`. Only the former but GIF have sound.
        chunks: (f, 3, h, w) RGB, uint8 or in 0…1, one after another. Of odd sides only GIF and
            PNG keep the last row or column.
        fps: frames per second.
        audio: its sound, which is not trimmed to the frames.
        metadata: entries of the file, which players and other programs show. GIF and numbered
            images hold none.

    Returns:
        The number of frames written.

    Raises:
        MediaError: it cannot be written, or the format cannot hold it.
    """
    format = _choose_format(path, fps)
    if audio is not None and (format is None or format.audio is None):
        log.warning("%s: such files have no sound; it is left out.", path)
    if metadata and (format is None or not format.has_metadata):
        log.warning(
            "%s: such files hold no metadata; left out: %s.", path, ", ".join(sorted(metadata))
        )
    if format is None:
        return _write_numbered(path, _to_pixels(chunks))
    rate = Fraction(fps).limit_denominator(1001)
    with replace_file(path) as part:
        try:
            name, options = ffmpeg_path(part), dict(format.options)
            with av.open(name, "w", format=format.container, options=options) as container:
                if format.has_metadata:
                    container.metadata.update(metadata or {})
                if format.video is None:
                    count = encode_gif(container, _to_pixels(chunks), rate)
                else:
                    sound = None if audio is None or format.audio is None else (format.audio, audio)
                    count = encode_video(container, format.video, _to_pixels(chunks), rate, sound)
        except av.error.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error
        _check_count(path, count)
    return count


def check_video_path(path: Path, fps: float | None = None) -> None:
    """Find out whether a video can be written, before it is made.

    Raises:
        MediaError: no format of that name, too fast for it, or the place cannot be written to.
    """
    if _choose_format(path, fps) is None:
        _check_targets(path)
        path = _number_path(path, FIRST_NUMBER)
    check_writable(path)


def _choose_format(path: Path, fps: float | None) -> Format | None:
    """What the name says; None for numbered images."""
    suffix = path.suffix.lower()
    if suffix == NUMBERED_SUFFIX and _is_pattern(path):
        return None
    if suffix not in FORMATS:
        raise MediaError(
            f"{path}: expected a name that ends in {', '.join(FORMATS)}, or numbered images such "
            f"as frames/%05d.png (the number in the name, not in a folder), got '{path.name}'. "
            "Choose one of them."
        )
    if suffix == ".gif" and fps is not None and fps > MAX_FPS:
        raise MediaError(
            f"{path}: expected at most {MAX_FPS} frames per second, for players slow faster GIFs "
            f"down, got {fps:g}. Choose fewer, or another format."
        )
    return FORMATS[suffix]


def _to_pixels(chunks: Iterable[Tensor]) -> Iterator[Pixels]:
    """(f, 3, h, w), bytes or in 0…1 -> each frame as (h, w, 3) uint8."""
    for chunk in chunks:
        is_bytes = chunk.dtype == torch.uint8
        frames = chunk if is_bytes else (chunk.clamp(0, 1) * 255).round().to(torch.uint8)
        yield from np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())


def _check_count(path: Path, count: int) -> None:
    if not count:
        raise MediaError(
            f"{path}: expected at least one frame to write, got none. Check what makes them."
        )


# Numbered images ---------------------------------------------------------------------------------


def _is_pattern(path: Path) -> bool:
    """Whether one number belongs into the name, and none into a folder."""
    return (
        len(_NUMBER.findall(path.name)) == 1
        and path.name.count("%") == 1
        and not _NUMBER.search(str(path.parent))
    )


def _number_path(path: Path, number: int) -> Path:
    """frames/%05d.png -> frames/00012.png."""

    def format_number(match: re.Match[str]) -> str:
        return str(number).zfill(int(match[1] or 0))

    return path.with_name(_NUMBER.sub(format_number, path.name))


def _write_numbered(path: Path, frames: Iterator[Pixels]) -> int:
    """All images are written aside first: a run that is stopped leaves none."""
    count = 0
    with translate_errors(path), staging_folder(path.parent) as folder:
        for count, pixels in enumerate(frames, 1):
            (folder / str(count)).write_bytes(encode_image(pixels, NUMBERED_SUFFIX))
        _check_count(path, count)
        for i in range(count):
            move_into_place(folder / str(i + 1), _number_path(path, FIRST_NUMBER + i))
    next_path = _number_path(path, FIRST_NUMBER + count)
    if next_path.exists():
        log.warning("%s and after: of an earlier, longer sequence; they stay.", next_path)
    return count


def _check_targets(path: Path) -> None:
    """Refuse a sequence of which a name stands for something else than a file."""
    before, _, after = _NUMBER.split(path.name)
    pattern = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    if path.parent.is_dir():
        for name in os.listdir(path.parent):
            if pattern.fullmatch(name):
                resolve_target(path.with_name(name))
