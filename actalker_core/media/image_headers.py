"""How large an image claims to be, from its header alone, before anything is decoded."""

import re
from collections.abc import Callable
from itertools import pairwise

Size = tuple[int, int]
"""Width and height."""

FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's starts of a frame."""
MAX_BOX_BYTES = 1 << 20
"""How far into a file the boxes of HEIF and JPEG 2000 are looked for."""
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
"""Tags of an image file directory."""
MAX_TIFF_TAGS = 4096


def read_image_size(content: bytes) -> Size | None:
    """Width and height in pixels that an image's header claims; None if it is no such header."""
    for matches, read in READERS:
        if matches(content):
            try:
                return read(content)
            except (IndexError, ValueError):
                return None
    return None


def is_truncated(content: bytes) -> bool:
    """Whether the end of a PNG or JPEG is missing; decoders fill the rest with grey."""
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-1024:] and b"IEND" not in content
    if content.startswith(b"\xff\xd8"):
        scan = content.find(b"\xff\xda")
        return scan == -1 or content.find(b"\xff\xd9", scan) == -1
    return False


def _little(content: bytes, at: int, length: int) -> int:
    return _number(content, at, length, "little")


def _big(content: bytes, at: int, length: int) -> int:
    return _number(content, at, length, "big")


def _number(content: bytes, at: int, length: int, order: str) -> int:
    part = content[at : at + length]
    if len(part) < length:
        raise IndexError
    return int.from_bytes(part, "little" if order == "little" else "big")


def _png(content: bytes) -> Size:
    return _big(content, 16, 4), _big(content, 20, 4)


def _gif(content: bytes) -> Size:
    return _little(content, 6, 2), _little(content, 8, 2)


def _bmp(content: bytes) -> Size:
    if _little(content, 14, 4) == 12:
        return _little(content, 18, 2), _little(content, 20, 2)
    width, height = _little(content, 18, 4), _little(content, 22, 4)
    # Negative heights begin at the top.
    return width, height if height < 1 << 31 else (1 << 32) - height


def _jpeg(content: bytes) -> Size:
    at = 2
    while True:
        while content[at] != 0xFF:
            at += 1
        while content[at] == 0xFF:
            at += 1
        marker = content[at]
        if marker in FRAME_MARKERS:
            return _big(content, at + 6, 2), _big(content, at + 4, 2)
        has_no_length = marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += 1 if has_no_length else 1 + max(_big(content, at + 1, 2), 2)


def _webp(content: bytes) -> Size:
    kind = content[12:16]
    if kind == b"VP8X":
        return _little(content, 24, 3) + 1, _little(content, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(content, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF


def _tiff(content: bytes) -> Size:
    """Plain or BigTIFF, whose offsets and counts are twice as long."""
    order = "little" if content[:2] == b"II" else "big"
    big = _number(content, 2, 2, order) == 43
    offset, count_bytes, entry_bytes, value_bytes = (8, 8, 20, 8) if big else (4, 2, 12, 4)
    at = _number(content, offset, value_bytes, order)
    values = {}
    for i in range(min(_number(content, at, count_bytes, order), MAX_TIFF_TAGS)):
        start = at + count_bytes + i * entry_bytes
        tag, kind = _number(content, start, 2, order), _number(content, start + 2, 2, order)
        if tag in (TIFF_WIDTH, TIFF_HEIGHT):
            length = {1: 1, 3: 2, 4: 4, 16: 8}.get(kind, 4)
            values[tag] = _number(content, start + entry_bytes - value_bytes, length, order)
    if values.keys() != {TIFF_WIDTH, TIFF_HEIGHT}:
        raise ValueError
    return values[TIFF_WIDTH], values[TIFF_HEIGHT]


def _heif(content: bytes) -> Size:
    """The largest of the images in it: covers and tiles have sizes of their own."""
    boxes = [m.end() for m in re.finditer(b"ispe", content[:MAX_BOX_BYTES])]
    return max(
        ((_big(content, at + 4, 4), _big(content, at + 8, 4)) for at in boxes),
        key=lambda size: size[0] * size[1],
    )


def _jpeg_2000(content: bytes) -> Size:
    at = content.find(b"\xff\x4f\xff\x51", 0, MAX_BOX_BYTES)
    if at == -1:
        raise ValueError
    left, top = _big(content, at + 16, 4), _big(content, at + 20, 4)
    return _big(content, at + 8, 4) - left, _big(content, at + 12, 4) - top


def _exr(content: bytes) -> Size:
    at = content.index(b"dataWindow\0box2i\0") + 21
    left, top, right, bottom = (
        int.from_bytes(content[i : i + 4], "little", signed=True) for i in range(at, at + 16, 4)
    )
    return right - left + 1, bottom - top + 1


def _radiance(content: bytes) -> Size:
    match = re.search(rb"\n[-+]([XY]) +(\d{1,9}) +[-+][XY] +(\d{1,9})\n", content[:65536])
    if match is None:
        raise ValueError
    first, second = int(match[2]), int(match[3])
    return (second, first) if match[1] == b"Y" else (first, second)


def _netpbm(content: bytes) -> Size:
    head = re.sub(rb"#[^\n]*", b"", content[:65536])
    if head.startswith(b"P7"):
        values = dict(pairwise(head.split()[:64]))
        return int(values.get(b"WIDTH", b"")), int(values.get(b"HEIGHT", b""))
    _, width, height, *_ = head.split(maxsplit=3)
    return int(width), int(height)


def _sun(content: bytes) -> Size:
    return _big(content, 4, 4), _big(content, 8, 4)


def _starts_with(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(magic)


READERS: list[tuple[Callable[[bytes], bool], Callable[[bytes], Size]]] = [
    (_starts_with(b"\x89PNG\r\n\x1a\n"), _png),
    (_starts_with(b"\xff\xd8"), _jpeg),
    (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", _webp),
    (_starts_with(b"GIF8"), _gif),
    (_starts_with(b"BM"), _bmp),
    (_starts_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    (lambda content: content[4:8] == b"ftyp", _heif),
    (_starts_with(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), _jpeg_2000),
    (_starts_with(b"\x76\x2f\x31\x01"), _exr),
    (_starts_with(b"#?"), _radiance),
    (lambda content: re.match(rb"P[1-7Ff]\s", content) is not None, _netpbm),
    (_starts_with(b"\x59\xa6\x6a\x95"), _sun),
]
"""For each kind of image how it begins, and what reads its size."""
