"""The frames of a stream, and warnings of what is damaged or missing."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import av

from .container import FileWarnings, Source, describe_error, read_head
from .mpeg import read_mpeg_seconds

EXACT_FORMATS = frozenset({"mov", "matroska", "webm", "flac", "wav", "aiff", "avi", "ogg", "flv"})
"""Containers that say how long they are; others are estimated from their size."""
BYTE_ORDERS = {b"RIFF": "little", b"FORM": "big"}
"""How WAV and AIFF begin, and the order of the bytes of the length that follows."""
MAX_CLAIMED_BYTES = 0xFFFFFF00
"""A file of these that claims more was written without knowing its length."""
REORDERED_PACKETS = 64
"""So many packets' durations are remembered until their frames come out, in another order."""
TAGS = {b"LYRICS": "a Lyrics3 tag", b"APETAG": "an APE tag", b"TAG": "an ID3v1 tag"}
TAG_BYTES = 256
"""How far into what is no frame a tag is looked for."""
MISSING_SECONDS = 0.5
"""A file may end so much earlier than it says."""


class StreamDecoder:
    """Iterates over the frames of one stream; skips what cannot be decoded, and warns at the end.

    Attributes:
        end_seconds: where the last packet of any stream ends, on the container's clock.
    """

    def __init__(self, container: Any, stream: Any, source: Source, warnings: FileWarnings) -> None:
        self.container, self.stream = container, stream
        self.source, self.warnings = source, warnings
        self.end_seconds = 0.0
        self._tick = stream.time_base or 0
        self._damaged_count = 0
        self._first_damage_seconds: float | None = None
        self._tags: set[str] = set()
        self._patched_count = 0
        self._durations: deque[tuple[int | None, float]] = deque(maxlen=REORDERED_PACKETS)

    def duration_of(self, frame: Any) -> float | None:
        """How many seconds a frame is shown, by its packet, if that says so."""
        durations = (
            seconds for pts, seconds in self._durations if pts == frame.pts and seconds > 0
        )
        return None if frame.pts is None else next(durations, None)

    def __iter__(self) -> Iterator[Any]:
        try:
            for packet in self._packets():
                if packet.stream.index != self.stream.index:
                    continue
                self._durations.append((packet.pts, float((packet.duration or 0) * self._tick)))
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    self._record_damage(packet)
                    continue
                self._patched_count += sum(frame.is_corrupt for frame in frames)
                yield from frames
        finally:
            self._warn_of_damage()
        self._warn_of_missing_end()

    def _packets(self) -> Iterator[Any]:
        """Those of all streams, which only together tell where the file ends."""
        try:
            for packet in self.container.demux():
                start = packet_seconds(packet)
                if start is not None:
                    duration = float((packet.duration or 0) * packet.time_base)
                    self.end_seconds = max(self.end_seconds, start + duration)
                yield packet
        except (av.error.FFmpegError, OSError) as error:
            self.warnings.warn(
                f"cannot be read beyond {self.end_seconds:.2f} s ({describe_error(error)}); what "
                "comes before is used."
            )

    def _record_damage(self, packet: Any) -> None:
        """Count a packet that cannot be decoded; remember which tag it is, if it is one."""
        start = bytes(packet)[:TAG_BYTES] if packet.size else b""
        self._tags |= {name for tag, name in TAGS.items() if tag in start}
        if not self._damaged_count:
            self._first_damage_seconds = packet_seconds(packet)
        self._damaged_count += 1

    def _warn_of_damage(self) -> None:
        if self._patched_count:
            self.warnings.warn(
                f"{self._patched_count} of its frames are damaged in part, and may look so."
            )
        if not self._damaged_count:
            return
        seconds, count = self._first_damage_seconds, self._damaged_count
        tags = f" ({' and '.join(sorted(self._tags))})" if self._tags else ""
        place = (
            "" if seconds is None else f", {'the first ' if count > 1 else ''}at {seconds:.2f} s"
        )
        self.warnings.warn(
            f"{count} damaged or foreign packet{'s' * (count > 1)}{tags}{place}: skipped."
        )

    def _warn_of_missing_end(self) -> None:
        """Compare the end with what the container says, where it knows."""
        expected = self._expected_seconds()
        if expected is None:
            return
        start = max(self.container.start_time or 0, 0) / av.time_base
        seconds = self.end_seconds - start
        if seconds < expected - max(MISSING_SECONDS, 0.02 * expected):
            self.warnings.warn(
                f"is cut off: expected {expected:.2f} s, got {max(seconds, 0):.2f} s. What is "
                "there is used; export or download it again for the rest."
            )

    def _claimed_share(self) -> float:
        """How much larger than the file its head says it is.

        FFmpeg quietly shortens the length of a WAV or AIFF to what the file holds.
        """
        head = read_head(self.source, 8)
        order = BYTE_ORDERS.get(head[:4])
        if order is None or self.container.size <= 0:
            return 1.0
        claimed_bytes = int.from_bytes(head[4:8], "big" if order == "big" else "little") + 8
        return (
            1.0
            if claimed_bytes > MAX_CLAIMED_BYTES
            else max(claimed_bytes / self.container.size, 1.0)
        )

    def _expected_seconds(self) -> float | None:
        """How long the file says it is; None if it does not say."""
        names = set(self.container.format.name.split(","))
        if "mp3" in names:
            return read_mpeg_seconds(self.source)  # FFmpeg's is an estimate where foreign bytes are
        if self.container.duration is None or not names & EXACT_FORMATS:
            return None
        return float(self.container.duration / av.time_base * self._claimed_share())


def packet_seconds(packet: Any) -> float | None:
    """When a packet is shown or heard, on the container's clock."""
    time = packet.dts if packet.pts is None else packet.pts
    return None if time is None or packet.time_base is None else float(time * packet.time_base)
