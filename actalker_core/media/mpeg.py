"""Whether a file is MPEG audio, such as MP3, by its frames and not by its beginning.

Source: ISO/IEC 11172-3 and 13818-3, the header of an audio frame.
"""

from .opening import Source, head_of

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


def is_mpeg_audio(source: Source) -> bool:
    """Whether two frames of MPEG audio follow each other somewhere, as in an MP3 without a head."""
    head = head_of(source, MPEG_SYNC_BYTES)
    at = head.find(b"\xff")
    while at != -1:
        length = _frame_length(head[at : at + 4])
        following = head[at + length : at + length + 4]
        if length and _frame_length(following):
            return True
        at = head.find(b"\xff", at + 1)
    return False


def _frame_length(header: bytes) -> int:
    """Bytes of the frame that a header begins; 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = {0: 4, 2: 2, 3: 1}.get(header[1] >> 3 & 3, 0), 4 - (header[1] >> 1 & 3)
    bits, rate = header[2] >> 4, header[2] >> 2 & 3
    if not version or layer == 4 or not 0 < bits < 15 or rate == 3:
        return 0
    rate_hz = (44100, 48000, 32000)[rate] // version
    bits_per_second = 1000 * BIT_RATES_KBPS[min(version, 2), layer][bits - 1]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return 4 * (12 * bits_per_second // rate_hz + padding)
    samples = 576 if layer == 3 and version > 1 else 1152
    return samples // 8 * bits_per_second // rate_hz + padding
