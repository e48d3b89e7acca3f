"""The frames of a stream, and a word on what is damaged or missing."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import av

from .container import FileWarnings, Source, describe_error, read_head
from .mpeg import read_mpeg_seconds

EXACT_FORMATS = frozenset({"mov", "matroska", "webm", "flac", "wav", "aiff", "avi", "ogg", "flv"})
"""Containers that say how long they are; others are estimated from their size."""
CHUNKED = {b"RIFF": "little", b"FORM": "big"}
"""How WAV and AIFF begin, and the order of the bytes of the length that follows."""
STREAMED_BYTES = 0xFFFFFF00
"""A file of these that claims more was written without knowing its length."""
REORDERED = 64
"""Packets whose durations are remembered until their frames are shown."""
TAGS = {b"LYRICS": "a Lyrics3 tag", b"APETAG": "an APE tag", b"TAG": "an ID3v1 tag"}
TAG_BYTES = 256
"""How far into what is no frame its name is looked for."""
MISSING_SECONDS = 0.5
"""A file may end so much earlier than it says."""


class StreamDecoder:
    """The frames of one stream; what cannot be decoded is skipped, and said at the end.

    Attributes:
        end_seconds: where the last packet of any stream ends, on the container's clock.
    """

    def __init__(self, container: Any, stream: Any, source: Source, words: FileWarnings) -> None:
        self.container, self.stream = container, stream
        self.source, self.words = source, words
        self.end_seconds = 0.0
        self._tick = stream.time_base or 0
        self._damaged = 0
        self._first_damage: float | None = None
        self._tags: set[str] = set()
        self._repaired = 0
        self._lasting: deque[tuple[int | None, float]] = deque(maxlen=REORDERED)

    def lasting(self, frame: Any) -> float | None:
        """How many seconds a frame is shown, by its packet, if that says so."""
        known = (seconds for at, seconds in self._lasting if at == frame.pts and seconds > 0)
        return None if frame.pts is None else next(known, None)

    def __iter__(self) -> Iterator[Any]:
        try:
            for packet in self._packets():
                if packet.stream.index != self.stream.index:
                    continue
                self._lasting.append((packet.pts, float((packet.duration or 0) * self._tick)))
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    self._remember(packet)
                    continue
                self._repaired += sum(frame.is_corrupt for frame in frames)
                yield from frames
        finally:
            self._say_damage()
        self._say_missing()

    def _packets(self) -> Iterator[Any]:
        """Those of all streams, for only together do they tell where the file ends."""
        try:
            for packet in self.container.demux():
                at = packet_seconds(packet)
                if at is not None:
                    lasting = float((packet.duration or 0) * packet.time_base)
                    self.end_seconds = max(self.end_seconds, at + lasting)
                yield packet
        except (av.error.FFmpegError, OSError) as error:
            self.words.warn(
                f"cannot be read beyond {self.end_seconds:.2f} s ({describe_error(error)}); what "
                "comes before is used."
            )

    def _remember(self, packet: Any) -> None:
        """That a packet could not be decoded, and what it looks like."""
        start = bytes(packet)[:TAG_BYTES] if packet.size else b""
        self._tags |= {kind for tag, kind in TAGS.items() if tag in start}
        self._first_damage = self._first_damage if self._damaged else packet_seconds(packet)
        self._damaged += 1

    def _say_damage(self) -> None:
        if self._repaired:
            self.words.warn(f"{self._repaired} of its frames are damaged in part, and may look so.")
        if not self._damaged:
            return
        at, count = self._first_damage, self._damaged
        what = f" ({' and '.join(sorted(self._tags))})" if self._tags else ""
        where = "" if at is None else f", {'the first ' if count > 1 else ''}at {at:.2f} s"
        self.words.warn(
            f"{count} damaged or foreign packet{'s' * (count > 1)}{what}{where}: skipped."
        )

    def _say_missing(self) -> None:
        """Compare with what the container says, where it knows."""
        expected = self._expected_seconds()
        if expected is None:
            return
        start = max(self.container.start_time or 0, 0) / av.time_base
        got = self.end_seconds - start
        if got < expected - max(MISSING_SECONDS, 0.02 * expected):
            self.words.warn(
                f"is cut off: expected {expected:.2f} s, got {max(got, 0):.2f} s. What is there is "
                "used; export or download it again for the rest."
            )

    def _claimed_share(self) -> float:
        """How much larger than the file its head says it is, where FFmpeg does not mind."""
        head = read_head(self.source, 8)
        order = CHUNKED.get(head[:4], "little")
        claimed = int.from_bytes(head[4:8], "big" if order == "big" else "little") + 8
        streamed = claimed > STREAMED_BYTES
        known = head[:4] in CHUNKED and self.container.size > 0 and not streamed
        return max(claimed / self.container.size, 1.0) if known else 1.0

    def _expected_seconds(self) -> float | None:
        """How long the file says it is; None if it does not say."""
        names = set(self.container.format.name.split(","))
        if "mp3" in names:
            return read_mpeg_seconds(self.source)  # FFmpeg's is an estimate where foreign bytes are
        if self.container.duration is None or not names & EXACT_FORMATS:
            return None
        return float(self.container.duration / av.time_base * self._claimed_share())


def packet_seconds(packet: Any) -> float | None:
    """When a packet is shown or heard."""
    at = packet.dts if packet.pts is None else packet.pts
    return None if at is None or packet.time_base is None else float(at * packet.time_base)
