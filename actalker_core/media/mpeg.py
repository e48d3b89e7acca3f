"""Whether a file is MPEG audio, such as MP3, by its frames and not by its beginning; its duration.

Source: ISO/IEC 11172-3 and 13818-3, the header of an audio frame.
"""

from dataclasses import dataclass

from .container import Source, read_head

MPEG_SYNC_BYTES = 1 << 20
"""How far into a file the first MPEG audio frame is looked for."""
BIT_RATES_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2 stands for 2.5 too) and layer."""
COUNT_HEADS = ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14))
"""What encoders write into the first frame, and how far after it the number of frames stands."""


@dataclass(frozen=True)
class MPEGFrame:
    """What the header of a frame says.

    Attributes:
        size_bytes: header included. samples: per channel.
    """

    size_bytes: int
    samples: int
    rate_hz: int


def is_mpeg_audio(source: Source) -> bool:
    """Whether two frames of MPEG audio follow each other somewhere, as in an MP3 without a head."""
    return _find_first_frame(read_head(source, MPEG_SYNC_BYTES)) is not None


def read_mpeg_seconds(source: Source) -> float | None:
    """How many seconds an MP3's first frame says that all of them last; None if it does not say."""
    content = read_head(source, MPEG_SYNC_BYTES)
    first = _find_first_frame(content)
    if first is None:
        return None
    start, frame = first
    content = content[start : start + frame.size_bytes]
    for name, offset in COUNT_HEADS:
        at = content.find(name)
        count = content[at + offset : at + offset + 4]
        if at < 0 or len(count) < 4:
            continue
        if name == b"VBRI" or content[at + 7] & 1:  # a flag says whether it is there
            return int.from_bytes(count, "big") * frame.samples / frame.rate_hz
    return None


def _find_first_frame(content: bytes) -> tuple[int, MPEGFrame] | None:
    """Where the first frame begins that another one follows, as chance seldom arranges it."""
    at = content.find(b"\xff")
    while at != -1:
        frame = _parse_header(content[at : at + 4])
        if frame is not None:
            end = at + frame.size_bytes
            if _parse_header(content[end : end + 4]) is not None:
                return at, frame
        at = content.find(b"\xff", at + 1)
    return None


def _parse_header(header: bytes) -> MPEGFrame | None:
    """The frame that a header begins; None if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    # Versions 1, 2 and 2.5 have rates of 1, 1/2 and 1/4; 2.5 is called 4 for this reason.
    version, layer = {0: 4, 2: 2, 3: 1}.get(header[1] >> 3 & 3, 0), 4 - (header[1] >> 1 & 3)
    bit_rate, rate = header[2] >> 4, header[2] >> 2 & 3
    if not version or layer == 4 or not 0 < bit_rate < 15 or rate == 3:
        return None
    rate_hz = (44100, 48000, 32000)[rate] // version
    bits_per_second = 1000 * BIT_RATES_KBPS[min(version, 2), layer][bit_rate - 1]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return MPEGFrame(4 * (12 * bits_per_second // rate_hz + padding), 384, rate_hz)
    samples = 576 if layer == 3 and version > 1 else 1152
    return MPEGFrame(samples // 8 * bits_per_second // rate_hz + padding, samples, rate_hz)
