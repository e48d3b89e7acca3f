"""Which of a file's streams is the film, and which is the sound."""

from typing import Any

import av

from ..errors import MediaError
from .container import MAX_FRAME_PIXELS, Source, name_of, read_head
from .image_headers import read_image_size

STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "jpeg2000", "tiff", "jpegxl"})
"""What covers are stored as; a film may be too, but then there is no other beside it."""
RAW_FORMATS = frozenset(
    {"h264", "hevc", "vvc", "m4v", "mpegvideo", "mjpeg", "h263", "h261", "vc1", "dirac", "obu"}
)
"""Pictures one after another without times; those that FFmpeg gives are of a rate of its own."""
LONGEST_HEAD = 1 << 16


def find_video_stream(container: Any) -> Any | None:
    """The stream of pictures that is the film; None if there are none but covers."""
    flags = av.stream.Disposition
    covers = flags.attached_pic | flags.timed_thumbnails
    films = [s for s in container.streams.video if not s.disposition & covers and s.codec_context]
    return min(films, key=lambda s: (_is_still(s), not _is_default(s), s.index), default=None)


def _is_still(stream: Any) -> bool:
    flagged = bool(stream.disposition & av.stream.Disposition.still_image)
    is_picture = stream.codec_context.name in STILL_CODECS
    return flagged or stream.frames == 1 or (is_picture and not stream.frames)


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def require_video_stream(container: Any, source: Source) -> Any:
    """The same, of a size that can be held.

    Raises:
        MediaError: there is none, or it claims an absurd size.
    """
    film = find_video_stream(container)
    if film is None:
        found = "only a cover picture" if container.streams.video else "no pictures in it"
        raise MediaError(f"{name_of(source)}: expected a video, found {found}. Choose a film.")
    coded = film.codec_context.width, film.codec_context.height
    # Moving pictures such as GIF begin as still ones do.
    claimed = read_image_size(read_head(source, LONGEST_HEAD)) or coded
    width, height = max(coded, claimed, key=lambda size: size[0] * size[1])
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{name_of(source)}: expected frames of up to {MAX_FRAME_PIXELS / 1e6:.0f} million "
            f"pixels, got {width} × {height}. Scale the video down."
        )
    film.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    return film


def find_audio_stream(container: Any) -> Any | None:
    """The sound track that a player takes: the default one, else the first."""
    tracks = [s for s in container.streams.audio if s.codec_context]
    return min(tracks, key=lambda s: (not _is_default(s), s.index), default=None)
