"""Clips out: the end of the name says as what."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
"""Of numbered pictures, as FFmpeg and Blender begin."""

_NUMBER = re.compile(r"%(\d{0,2})d")


@dataclass(frozen=True)
class Format:
    """A file of pictures that move.

    Attributes:
        container: as libavformat calls it. video, sound: of what; None if it is a GIF.
    """

    container: str
    video: VideoCodec | None
    sound: AudioCodec | None


FORMATS = {
    ".mp4": Format("mp4", H264, AAC),
    ".mov": Format("mov", H264, AAC),
    ".mkv": Format("matroska", H264, AAC),
    ".webm": Format("webm", VP9, OPUS),
    ".gif": Format("gif", None, None),
}
NUMBERED = ".png"


def write_video(
    path: Path, chunks: Iterable[Tensor], fps: float, audio: Audio | None = None
) -> int:
    """Write a clip; `path` appears only when whole.

    Args:
        path: ends in one of `FORMATS`, or is a name such as `%05d.png` for numbered pictures, the
            first of which is `FIRST_NUMBER`. Only the former but GIF have sound.
        chunks: (n, 3, H, W) in 0…1. Of odd sides GIF and PNG keep the last row or column alone.

    Returns:
        The number of frames written.

    Raises:
        MediaError: it cannot be written, or the format cannot hold it.
    """
    chosen = _format_of(path, fps)
    if audio is not None and (chosen is None or chosen.sound is None):
        log.warning("%s: such files have no sound; it is left out.", path)
    if chosen is None:
        return _write_numbered(path, _pixels(chunks))
    rate = Fraction(fps).limit_denominator(1001)
    with replace_file(path) as part:
        try:
            with av.open(ffmpeg_path(part), "w", format=chosen.container) as container:
                if chosen.video is None:
                    count = encode_gif(container, _pixels(chunks), rate)
                else:
                    sound = None if audio is None or chosen.sound is None else (chosen.sound, audio)
                    count = encode_video(container, chosen.video, _pixels(chunks), rate, sound)
        except av.error.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error
        _refuse_nothing(path, count)
    return count


def check_video_path(path: Path, fps: float | None = None) -> None:
    """Find out whether a clip can be written, before it is made.

    Raises:
        MediaError: no format of that name, too fast for it, or the place cannot be written to.
    """
    if _format_of(path, fps) is None:
        _refuse_other_than_files(path)
        path = _numbered(path, FIRST_NUMBER)
    check_writable(path)


def _format_of(path: Path, fps: float | None) -> Format | None:
    """What the name says; None for numbered pictures."""
    suffix = path.suffix.lower()
    if suffix == NUMBERED and _is_pattern(path):
        return None
    if suffix not in FORMATS:
        raise MediaError(
            f"{path}: expected a name that ends in {', '.join(FORMATS)}, or numbered pictures such "
            f"as frames/%05d.png (the number in the name, not in a folder), got '{path.name}'. "
            "Choose one of them."
        )
    if suffix == ".gif" and fps is not None and fps > MAX_FPS:
        raise MediaError(
            f"{path}: expected at most {MAX_FPS} frames per second, for players slow faster GIFs "
            f"down, got {fps:g}. Choose fewer, or another format."
        )
    return FORMATS[suffix]


def _pixels(chunks: Iterable[Tensor]) -> Iterator[Pixels]:
    """Frames of (n, 3, H, W) one by one, as (H, W, 3) uint8."""
    for chunk in chunks:
        whole = (chunk.clamp(0, 1) * 255).round().to(torch.uint8)
        yield from np.ascontiguousarray(whole.permute(0, 2, 3, 1).numpy())


def _refuse_nothing(path: Path, count: int) -> None:
    if not count:
        raise MediaError(f"{path}: no frame came to be written. Check what was to be shown.")


# Numbered pictures -------------------------------------------------------------------------------


def _is_pattern(path: Path) -> bool:
    """Whether one number belongs into the name, and none into a folder."""
    return (
        len(_NUMBER.findall(path.name)) == 1
        and path.name.count("%") == 1
        and not _NUMBER.search(str(path.parent))
    )


def _numbered(path: Path, number: int) -> Path:
    def digits(found: re.Match[str]) -> str:
        return str(number).zfill(int(found[1] or 0))

    return path.with_name(_NUMBER.sub(digits, path.name))


def _write_numbered(path: Path, frames: Iterator[Pixels]) -> int:
    """All pictures are written aside first: a run that is stopped leaves none."""
    count = 0
    with translate_errors(path), staging_folder(path.parent) as folder:
        for count, pixels in enumerate(frames, 1):
            (folder / str(count)).write_bytes(encode_image(pixels, NUMBERED))
        _refuse_nothing(path, count)
        for i in range(count):
            move_into_place(folder / str(i + 1), _numbered(path, FIRST_NUMBER + i))
    later = _numbered(path, FIRST_NUMBER + count)
    if later.exists():
        log.warning("%s and after: of an earlier, longer sequence; they stay.", later)
    return count


def _refuse_other_than_files(path: Path) -> None:
    """Look at what already has a name of the sequence."""
    before, _, after = _NUMBER.split(path.name)
    wanted = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    if path.parent.is_dir():
        for name in os.listdir(path.parent):
            if wanted.fullmatch(name):
                resolve_target(path.with_name(name))
