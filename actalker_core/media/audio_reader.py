"""The sound of a file, at the times that the file gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from . import downmix
from .audio import Audio, as_float, resample
from .container import FileWarnings, Source, open_container
from .decoder import StreamDecoder
from .mpeg import is_mpeg_audio
from .streams import find_audio_stream
from .timestamps import MAX_BACKWARD_SECONDS, MAX_GAP_SECONDS
from .video_reader import find_first_frame_seconds

TIMELINE_FORMATS = frozenset({"mov", "matroska"})
"""Containers whose zero is that of what was edited; others count from wherever they were cut."""
UNTIMED_FORMATS = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "truehd", "mlp", "loas", "amr"})
"""One packet after another without times; FFmpeg's own count goes wrong where the rate changes."""
JITTER_SECONDS = 0.015
"""Times may be off by so much without a gap: containers round them, and packets last longer."""
MAX_PLANAR_CHANNELS = 8
"""PyAV reads beyond the planes of a frame of so many channels and more, and the process dies."""
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 1_000_000


def load_audio(source: Source, seconds: float | None = None) -> Audio:
    """The default sound track of an audio or video file, at its own rate.

    Its clock starts with the first image, where the file has a video; else at the zero of MP4 and
    Matroska, and at the first sample of other files. Sound that starts later has silence before it,
    gaps are filled with silence, and what comes before zero or overlaps is cut. What is damaged or
    no sound is skipped, and changes of rate or channels are resampled, with a warning.

    Args:
        source: a file, or its content.
        seconds: read only so much; None reads all.

    Raises:
        MediaError: missing, unreadable or without sound.
    """
    warnings = FileWarnings(source)
    try:
        segments = _read_segments(source, seconds, warnings, None)
    except MediaError:
        if not is_mpeg_audio(source):
            raise
        segments = []
    if not segments and is_mpeg_audio(source):
        # Foreign bytes in front mislead the guess of what the file is.
        segments = _read_segments(source, seconds, warnings, "mp3")
    if not segments:
        raise MediaError(
            f"{warnings.name}: its audio track is empty or cannot be decoded. Choose a file with "
            "sound in it."
        )
    return _join(segments, seconds, warnings)


def has_audio(source: Source) -> bool:
    """Whether a file has a sound track, whatever is on it.

    Raises:
        MediaError: missing or unreadable.
    """
    with open_container(source, "video or sound file") as container:
        return find_audio_stream(container) is not None


@dataclass
class Segment:
    """Sound without a change of rate or channels.

    Attributes:
        start: seconds from the clock's zero.
        samples: (capacity, c), of which `length` are used; grows in place.
    """

    start: float
    rate_hz: int
    layout: tuple[str, ...] | None
    samples: NDArray[np.float32]
    length: int = 0

    @property
    def channels(self) -> int:
        """How many."""
        return int(self.samples.shape[1])

    @property
    def end(self) -> float:
        """Seconds from the clock's zero."""
        return self.start + self.length / self.rate_hz

    def extend(self, count: int) -> NDArray[np.float32]:
        """Room for so many more samples: (count, c), to be written to."""
        length = self.length + count
        if length > len(self.samples):
            # In place and by an eighth: doubling would hold up to twice the sound.
            shape = (length + len(self.samples) // 8, self.channels)
            self.samples.resize(shape, refcheck=False)
        room = self.samples[self.length : length]
        self.length = length
        return room

    def finish(self) -> NDArray[np.float32]:
        """Give back what is not used: (c, t)."""
        self.samples.resize((self.length, self.channels), refcheck=False)
        return np.asarray(self.samples.T)


@dataclass(frozen=True)
class AudioFrame:
    """What one packet holds.

    Attributes:
        time: seconds on the container's clock, if that is known.
        samples: (t, c).
    """

    time: float | None
    rate_hz: int
    layout: tuple[str, ...] | None
    samples: NDArray[np.float32]


def _read_segments(
    source: Source, seconds: float | None, warnings: FileWarnings, format: str | None
) -> list[Segment]:
    """The sound of a file in order; `format` as of `open_container`."""
    with open_container(source, "sound file", format=format) as container:
        stream = find_audio_stream(container)
        if stream is None:
            raise MediaError(f"{warnings.name}: has no sound. Choose a file with an audio track.")
        decoder = StreamDecoder(container, stream, source, warnings)
        formats = set(container.format.name.split(","))
        zero = find_first_frame_seconds(source) if container.streams.video else None
        if zero is None and formats & TIMELINE_FORMATS:
            zero = 0.0
        frames = _decode(decoder, is_timed=not formats & UNTIMED_FORMATS)
        return _lay_out(frames, zero, seconds, warnings)


def _decode(decoder: StreamDecoder, *, is_timed: bool) -> Iterator[AudioFrame]:
    """The frames of rates that can be true, with times where the container's are."""
    context = decoder.stream.codec_context
    is_mpeg = context.name.startswith("mp")
    for frame in decoder:
        # FFmpeg's decoders of MPEG audio give a frame the rate of the one before.
        rate_hz = context.sample_rate if is_mpeg else frame.rate
        if MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and frame.samples:
            time = frame.time if is_timed else None
            yield AudioFrame(time, rate_hz, _read_layout(frame), _read_samples(frame))


def _lay_out(
    frames: Iterator[AudioFrame],
    zero: float | None,
    seconds: float | None,
    warnings: FileWarnings,
) -> list[Segment]:
    """Put each frame where its time says, or after the last one where it says nothing.

    Args:
        zero: the container's time at which the sound's clock starts; None for the first sample's.
    """
    segments: list[Segment] = []
    end, shift = 0.0, None if zero is None else -zero
    for frame in frames:
        if shift is None and frame.time is not None:
            shift = end - frame.time
        time = end if frame.time is None or shift is None else frame.time + shift
        gap = time - end
        if gap >= MAX_GAP_SECONDS or (segments and gap <= -MAX_BACKWARD_SECONDS):
            warnings.warn(
                f"its clock jumps by {gap:+.0f} s after {end:.2f} s; the sound goes on there "
                "without a gap."
            )
            shift, time, gap = (shift or 0.0) - gap, end, 0.0
        if seconds is not None and time >= seconds:
            break
        # Before the first sample nothing is rounded away: it says how late the sound starts.
        if abs(gap) <= (JITTER_SECONDS if segments else 0):
            gap = 0.0
        overlap = max(0, round(-gap * frame.rate_hz))
        if overlap >= len(frame.samples):
            continue
        segment = _find_segment(frame, segments, end)
        segment.extend(max(0, round(gap * frame.rate_hz)))[:] = 0
        segment.extend(len(frame.samples) - overlap)[:] = frame.samples[overlap:]
        end = segment.end
        if seconds is not None and end >= seconds:
            break
    return segments


def _find_segment(frame: AudioFrame, segments: list[Segment], end: float) -> Segment:
    """The last one, or a new one after a change."""
    kind = (frame.rate_hz, frame.layout, frame.samples.shape[1])
    if segments and (segments[-1].rate_hz, segments[-1].layout, segments[-1].channels) == kind:
        return segments[-1]
    empty = np.empty((0, frame.samples.shape[1]), np.float32)
    segments.append(Segment(end, frame.rate_hz, frame.layout, empty))
    return segments[-1]


def _read_samples(frame: Any) -> NDArray[np.float32]:
    """(t, c)."""
    channels = len(frame.layout.channels)
    if frame.format.is_planar and channels < MAX_PLANAR_CHANNELS:
        return as_float(frame.to_ndarray().T)
    if frame.format.is_planar:
        (frame,) = av.AudioResampler(format="flt").resample(frame)
    return as_float(frame.to_ndarray().reshape(-1, channels))


def _read_layout(frame: Any) -> tuple[str, ...] | None:
    names = tuple(channel.name for channel in frame.layout.channels)
    return names if set(names) <= downmix.SHARES.keys() else None


def _join(segments: list[Segment], seconds: float | None, warnings: FileWarnings) -> Audio:
    """All of them at the highest rate, with silence between them where there is a gap."""
    rate_hz, layout = max(segment.rate_hz for segment in segments), segments[0].layout
    length = None if seconds is None else round(seconds * rate_hz)
    if len(segments) == 1:
        return Audio(segments[0].finish()[:, :length], rate_hz, layout)
    if any(segment.rate_hz != rate_hz for segment in segments):
        rates = ", ".join(map(str, sorted({segment.rate_hz for segment in segments})))
        warnings.warn(f"its sample rate changes ({rates} Hz); all is resampled to {rate_hz}.")
    widths = sorted({segment.channels for segment in segments})
    if len(widths) > 1:
        counts = ", ".join(map(str, widths))
        warnings.warn(f"its number of channels changes ({counts}); all become two.")
    is_mixed = len({segment.layout for segment in segments}) > 1 or len(widths) > 1
    channels, layout = (2, None) if is_mixed else (widths[0], layout)
    track = np.zeros((channels, round(segments[-1].end * rate_hz)), np.float32)
    for segment in segments:
        samples, start = segment.finish(), round(segment.start * rate_hz)
        if is_mixed:
            samples = downmix.mix_to_stereo(samples, segment.layout)
        if segment.rate_hz != rate_hz:
            samples = resample(samples, segment.rate_hz, rate_hz)
        room = track[:, start : start + samples.shape[1]]
        room[:] = samples[:, : room.shape[1]]
    return Audio(track[:, :length], rate_hz, layout)
