"""Which of a file's streams is its video, and which is its sound."""

from typing import Any

import av

from ..errors import MediaError
from .container import MAX_FRAME_PIXELS, Source, name_of, read_head
from .image_headers import read_image_size

STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "jpeg2000", "tiff", "jpegxl"})
"""What covers are stored as; a video may be too, but then there is no other beside it."""
RAW_FORMATS = frozenset(
    {"h264", "hevc", "vvc", "m4v", "mpegvideo", "mjpeg", "h263", "h261", "vc1", "dirac", "obu"}
)
"""Images one after another without times; those that FFmpeg gives are of a rate of its own."""
HEAD_BYTES = 1 << 16


def find_video_stream(container: Any) -> Any | None:
    """The stream that a player shows; None if there are none but covers."""
    flags = av.stream.Disposition
    covers = flags.attached_pic | flags.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & covers and s.codec_context]
    return min(streams, key=lambda s: (_is_still(s), not _is_default(s), s.index), default=None)


def _is_still(stream: Any) -> bool:
    if stream.disposition & av.stream.Disposition.still_image or stream.frames == 1:
        return True
    return stream.codec_context.name in STILL_CODECS and not stream.frames


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def require_video_stream(container: Any, source: Source) -> Any:
    """The stream that a player shows, of a size that memory can hold.

    Raises:
        MediaError: there is none, or it claims an absurd size.
    """
    stream = find_video_stream(container)
    if stream is None:
        content = "only a cover image" if container.streams.video else "no images in it"
        raise MediaError(
            f"{name_of(source)}: expected a video, got a file with {content}. Choose a video."
        )
    coded_size = stream.codec_context.width, stream.codec_context.height
    # Animations such as GIF begin as still images do; and may claim more than the stream.
    claimed_size = read_image_size(read_head(source, HEAD_BYTES)) or coded_size
    width, height = max(coded_size, claimed_size, key=lambda size: size[0] * size[1])
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{name_of(source)}: expected frames of up to {MAX_FRAME_PIXELS / 1e6:.0f} million "
            f"pixels, got {width} × {height}. Scale the video down."
        )
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    return stream


def find_audio_stream(container: Any) -> Any | None:
    """The sound track that a player takes: the default one, else the first."""
    tracks = [s for s in container.streams.audio if s.codec_context]
    return min(tracks, key=lambda s: (not _is_default(s), s.index), default=None)
