"""Whether a file is MPEG audio, such as MP3, by its frames and not by its beginning; its length.

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


LENGTH_HEADS = ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14))
"""What encoders write into the first frame, and where in it the number of frames stands."""


@dataclass(frozen=True)
class Frame:
    """What a header says of its frame: bytes in the file, samples, and their rate."""

    length: int
    samples: int
    rate_hz: int


def is_mpeg_audio(source: Source) -> bool:
    """Whether two frames of MPEG audio follow each other somewhere, as in an MP3 without a head."""
    return _first_frame(read_head(source, MPEG_SYNC_BYTES)) is not None


def read_mpeg_seconds(source: Source) -> float | None:
    """How long an MP3's first frame says that all of them last; None if it does not say."""
    head = read_head(source, MPEG_SYNC_BYTES)
    first = _first_frame(head)
    if first is None:
        return None
    at, frame = first
    content = head[at : at + frame.length]
    for mark, count_at in LENGTH_HEADS:
        place = content.find(mark)
        count = content[place + count_at : place + count_at + 4]
        if place < 0 or len(count) < 4:
            continue
        if mark == b"VBRI" or content[place + 7] & 1:  # a flag says whether it is there
            return int.from_bytes(count, "big") * frame.samples / frame.rate_hz
    return None


def _first_frame(head: bytes) -> tuple[int, Frame] | None:
    """The first frame that another one follows, and where it begins."""
    at = head.find(b"\xff")
    while at != -1:
        frame = _frame_of(head[at : at + 4])
        if frame is not None:
            following = at + frame.length
            if _frame_of(head[following : following + 4]) is not None:
                return at, frame
        at = head.find(b"\xff", at + 1)
    return None


def _frame_of(header: bytes) -> Frame | None:
    """The frame that a header begins; None if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = {0: 4, 2: 2, 3: 1}.get(header[1] >> 3 & 3, 0), 4 - (header[1] >> 1 & 3)
    bits, rate = header[2] >> 4, header[2] >> 2 & 3
    if not version or layer == 4 or not 0 < bits < 15 or rate == 3:
        return None
    rate_hz = (44100, 48000, 32000)[rate] // version
    bits_per_second = 1000 * BIT_RATES_KBPS[min(version, 2), layer][bits - 1]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return Frame(4 * (12 * bits_per_second // rate_hz + padding), 384, rate_hz)
    samples = 576 if layer == 3 and version > 1 else 1152
    return Frame(samples // 8 * bits_per_second // rate_hz + padding, samples, rate_hz)
