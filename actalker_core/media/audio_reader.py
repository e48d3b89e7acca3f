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
PLANES = 8
"""As many as FFmpeg lists in a frame itself."""
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 1_000_000


def load_audio(source: Source, seconds: float | None = None) -> Audio:
    """The default sound track of an audio or video file, at its own rate.

    Its clock starts with the first picture, where the file has a film; else at the zero of MP4 and
    Matroska, and at the first sample of other files. Sound that starts later has silence before it,
    gaps are filled with silence, and what comes before zero or overlaps is cut. What is damaged or
    no sound is skipped, and changes of rate or channels are resampled, with a warning.

    Args:
        seconds: read only so much; None reads all.

    Raises:
        MediaError: missing, unreadable or without sound.
    """
    words = FileWarnings(source)
    try:
        pieces = _pieces(source, seconds, words, None)
    except MediaError:
        if not is_mpeg_audio(source):
            raise
        pieces = []
    if not pieces and is_mpeg_audio(source):
        # Foreign bytes in front mislead the guess of what the file is.
        pieces = _pieces(source, seconds, words, "mp3")
    if not pieces:
        raise MediaError(
            f"{words.name}: its audio track is empty or cannot be decoded. Choose a file with "
            "sound in it."
        )
    return _joined(pieces, seconds, words)


@dataclass
class Piece:
    """Sound without a change of rate or channels.

    Attributes:
        start: seconds from the clock's zero.
        samples: (capacity, c), of which `length` are there; grows in place.
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
        """Room for so many more samples, silent: (count, c)."""
        needed = self.length + count
        if needed > len(self.samples):
            # In small steps, in place: it is filled with zeros, and may be large.
            shape = (needed + len(self.samples) // 8, self.samples.shape[1])
            self.samples.resize(shape, refcheck=False)
        room = self.samples[self.length : needed]
        self.length = needed
        return room

    def finished(self) -> NDArray[np.float32]:
        """(c, t)."""
        self.samples.resize((self.length, self.samples.shape[1]), refcheck=False)
        return np.asarray(self.samples.T)


def _pieces(
    source: Source, seconds: float | None, words: FileWarnings, format: str | None
) -> list[Piece]:
    """What is heard, in order."""
    with open_container(source, "sound file", format=format) as container:
        track = find_audio_stream(container)
        if track is None:
            raise MediaError(f"{words.name}: has no sound. Choose a file with an audio track.")
        frames = StreamDecoder(container, track, source, words)
        formats = set(container.format.name.split(","))
        zero = find_first_frame_seconds(source) if container.streams.video else None
        if zero is None and formats & TIMELINE_FORMATS:
            zero = 0.0
        timed = _timed(frames, trusted=not formats & UNTIMED_FORMATS)
        return _laid_out(timed, zero, seconds, words)


@dataclass(frozen=True)
class Sound:
    """One frame.

    Attributes:
        at: seconds on the container's clock, if that is known.
        samples: (t, c).
    """

    at: float | None
    rate_hz: int
    layout: tuple[str, ...] | None
    samples: NDArray[np.float32]


def _timed(frames: StreamDecoder, *, trusted: bool) -> Iterator[Sound]:
    """What is decoded, of rates that can be true."""
    context = frames.stream.codec_context
    lagging = context.name.startswith("mp")
    for frame in frames:
        # FFmpeg's decoders of MPEG audio give a frame the rate of the one before.
        rate_hz = context.sample_rate if lagging else frame.rate
        if LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ and frame.samples:
            at = frame.time if trusted else None
            yield Sound(at, rate_hz, _layout_of(frame), _samples_of(frame))


def _laid_out(
    sounds: Iterator[Sound], zero: float | None, seconds: float | None, words: FileWarnings
) -> list[Piece]:
    pieces: list[Piece] = []
    end, shift = 0.0, None if zero is None else -zero
    for sound in sounds:
        if shift is None and sound.at is not None:
            shift = end - sound.at
        at = end if sound.at is None or shift is None else sound.at + shift
        ahead = at - end
        if ahead >= MAX_GAP_SECONDS or (pieces and ahead <= -MAX_BACKWARD_SECONDS):
            words.warn(
                f"its clock jumps by {ahead:+.0f} s after {end:.2f} s; the sound goes on there "
                "without a gap."
            )
            shift, at, ahead = (shift or 0.0) - ahead, end, 0.0
        if seconds is not None and at >= seconds:
            break
        if abs(ahead) <= (JITTER_SECONDS if pieces else 0):
            ahead = 0.0
        early = max(0, round(-ahead * sound.rate_hz))
        if early >= len(sound.samples):
            continue
        piece = _piece_for(sound, pieces, end)
        piece.extend(max(0, round(ahead * sound.rate_hz)))[:] = 0
        piece.extend(len(sound.samples) - early)[:] = sound.samples[early:]
        end = piece.end
        if seconds is not None and end >= seconds:
            break
    return pieces


def _piece_for(sound: Sound, pieces: list[Piece], end: float) -> Piece:
    """The last one, or a new one after a change."""
    kind = (sound.rate_hz, sound.layout, sound.samples.shape[1])
    if pieces and (pieces[-1].rate_hz, pieces[-1].layout, pieces[-1].channels) == kind:
        return pieces[-1]
    empty = np.empty((0, sound.samples.shape[1]), np.float32)
    pieces.append(Piece(end, sound.rate_hz, sound.layout, empty))
    return pieces[-1]


def _samples_of(frame: Any) -> NDArray[np.float32]:
    """(t, c)."""
    channels = len(frame.layout.channels)
    if frame.format.is_planar and channels < PLANES:
        return as_float(frame.to_ndarray().T)
    if frame.format.is_planar:
        # PyAV reads beyond the last of so many planes, and the process dies.
        (frame,) = av.AudioResampler(format="flt").resample(frame)
    return as_float(frame.to_ndarray().reshape(-1, channels))


def _layout_of(frame: Any) -> tuple[str, ...] | None:
    names = tuple(channel.name for channel in frame.layout.channels)
    return names if set(names) <= downmix.SHARES.keys() else None


def _joined(pieces: list[Piece], seconds: float | None, words: FileWarnings) -> Audio:
    """All of it at the highest rate, with silence where there is none."""
    rate_hz, layout = max(piece.rate_hz for piece in pieces), pieces[0].layout
    most = None if seconds is None else round(seconds * rate_hz)
    if len(pieces) == 1:
        return Audio(pieces[0].finished()[:, :most], rate_hz, layout)
    if any(piece.rate_hz != rate_hz for piece in pieces):
        rates = sorted({piece.rate_hz for piece in pieces})
        words.warn(f"its sample rate changes ({_listed(rates)} Hz); all is resampled to {rate_hz}.")
    widths = sorted({piece.channels for piece in pieces})
    if len(widths) > 1:
        words.warn(f"its number of channels changes ({_listed(widths)}); all become two.")
    mixed = len({piece.layout for piece in pieces}) > 1 or len(widths) > 1
    channels, layout = (2, None) if mixed else (widths[0], layout)
    joined = np.zeros((channels, round(pieces[-1].end * rate_hz)), np.float32)
    for piece in pieces:
        samples, start = piece.finished(), round(piece.start * rate_hz)
        if mixed:
            samples = downmix.mix_to_stereo(samples, piece.layout)
        if piece.rate_hz != rate_hz:
            samples = resample(samples, piece.rate_hz, rate_hz)
        room = joined[:, start : start + samples.shape[1]]
        room[:] = samples[:, : room.shape[1]]
    return Audio(joined[:, :most], rate_hz, layout)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
