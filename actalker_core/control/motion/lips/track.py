"""What the lips do over time, and how it is read out of speech.

    track = read_lips(load_audio(path))          # a row for each 10 ms
    frames = to_frames(track, frames=250, fps=25)  # a row for each video frame

Numbers, in every row: openness 0 (shut) … 1 (as open as speech opens it), width −1 (narrow, "woo")
… 1 (wide, "ee"), pucker 0 … 1 (lips pushed forward, "woo"), closure 0 … 1 (lips pressed on each
other: m, b, p), teeth on lip 0 … 1 (f, v). A mouth at rest is all zeros: silence, noise and music
are rest. Openness already is small where closure or teeth on lip are not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ....media.audio import Audio
from .features import HOP, PIECE_ROWS, RATE_HZ, ROW_SECONDS, WINDOW, Normalisation, measure_log_mels
from .network import LOOK_AHEAD_ROWS, LipNetwork, load_built_in

Array = NDArray[np.float32]

CLOSURE_BEGIN, CLOSURE_END = 0.72, 0.17
"""How sure the network must be of a closure to begin one, and below what it ends."""
SILENCE_OPENNESS = 0.08
"""An openness below this is none: lips at rest do not tremble."""
SPEECH_RISE, SPEECH_FALL = 0.6, 0.35
"""Share of a step, per row, by which the certainty of speech follows the network's: it doubts for a
row or two where a vowel is held, and lips would tremble."""
REST_CERTAINTY, SPEECH_CERTAINTY = 0.55, 0.85
"""How sure it is of speech: below the one lips rest, above the other they speak."""
MAX_OFFSET_SECONDS = 10.0
_PIECE_SAMPLES = PIECE_ROWS * HOP
_FIRST_PAD = (WINDOW - HOP) // 2
"""Samples before the sound that the window of the first row reaches."""


@dataclass(frozen=True)
class LipTrack:
    """What the lips do: one value per row, of 10 ms or of a video frame.

    Attributes:
        openness: (rows,) float32 in 0…1. width: (rows,) in −1…1.
        pucker, closure, teeth_on_lip: (rows,) in 0…1.
    """

    openness: Array
    width: Array
    pucker: Array
    closure: Array
    teeth_on_lip: Array

    def __len__(self) -> int:
        """Rows."""
        return len(self.openness)

    @property
    def columns(self) -> Array:
        """All of them, in this order: (rows, 5)."""
        return np.stack([getattr(self, field.name) for field in fields(self)], axis=1)

    @classmethod
    def of_columns(cls, columns: Array) -> "LipTrack":
        """The track of columns (rows, 5), in the order of `columns`."""
        return cls(*np.ascontiguousarray(columns.T, np.float32))

    def shift(self, rows: int) -> "LipTrack":
        """The same so many rows later, or earlier if below 0; as long, at rest where it is new."""
        columns = self.columns
        result = np.zeros_like(columns)
        if rows >= 0:
            result[rows:] = columns[: max(len(self) - rows, 0)]
        else:
            result[:rows] = columns[-rows:]
        return LipTrack.of_columns(result)


class LipReader:
    """Reads lips out of speech that comes in pieces of any length, as a microphone gives them.

    A row comes as soon as `network.LOOK_AHEAD_SECONDS` of sound after its middle are there and its
    piece of `PIECE_ROWS` is full; all rows together are, bit for bit, what the whole sound gives.

    Args:
        network: instead of the one that the package brings.
    """

    def __init__(self, network: LipNetwork | None = None) -> None:
        self._stream = (network or load_built_in()).start()
        self._normalisation = Normalisation()
        self._samples = np.zeros(_FIRST_PAD, np.float32)
        self._rows_to_drop = LOOK_AHEAD_ROWS
        self._is_closed = False
        self._certainty = 0.0

    def push(self, samples: Array) -> LipTrack:
        """The rows that are ready after samples (t,) more, at `features.RATE_HZ`; maybe none.

        What is no number becomes silence.

        Raises:
            InputError: the samples are not of one channel.
        """
        sound = np.asarray(samples, np.float32)
        if sound.ndim != 1:
            raise InputError(
                f"Lips: expected samples of one channel, (t,), got {sound.shape}. Mix them first."
            )
        sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
        self._samples = np.concatenate([self._samples, sound])
        pieces = []
        first = 0
        while len(self._samples) - first >= WINDOW + _PIECE_SAMPLES - HOP:
            piece = self._samples[first : first + WINDOW + _PIECE_SAMPLES - HOP]
            features = self._normalisation.normalise(measure_log_mels(piece))
            outputs = self._stream.step(features)
            late = min(self._rows_to_drop, PIECE_ROWS)
            self._rows_to_drop -= late
            pieces.append(self._decode(outputs[late:]))
            first += _PIECE_SAMPLES
        self._samples = self._samples[first:]
        return LipTrack.of_columns(np.concatenate([np.zeros((0, 5), np.float32), *pieces]))

    def finish(self) -> LipTrack:
        """The rows that still wait, as if silence followed; more than the sound's own by a few."""
        return self.push(np.zeros((LOOK_AHEAD_ROWS + PIECE_ROWS) * HOP + WINDOW, np.float32))

    def _decode(self, outputs: Array) -> Array:
        """Columns (rows, 5) of a track out of outputs (rows, OUTPUTS)."""
        openness, width, pucker, closure, teeth_on_lip, silence = _squash(outputs)
        speech = np.empty_like(silence)
        for i, certainty in enumerate(closure.tolist()):
            self._is_closed = certainty > (CLOSURE_END if self._is_closed else CLOSURE_BEGIN)
            # Within a closure the lips are pressed; outside they are not, however unsure it is.
            closure[i] = min(1.0, certainty / CLOSURE_BEGIN) if self._is_closed else 0.0
            step = 1 - float(silence[i]) - self._certainty
            self._certainty += step * (SPEECH_RISE if step > 0 else SPEECH_FALL)
            speech[i] = self._certainty
        # Nothing at all in silence.
        speech = (speech - REST_CERTAINTY) / (SPEECH_CERTAINTY - REST_CERTAINTY)
        speech = speech.clip(0, 1)
        closure *= speech > 0
        openness *= (1 - closure) * speech
        openness[openness < SILENCE_OPENNESS] = 0
        columns = [openness, width * speech, pucker * speech, closure, teeth_on_lip * speech]
        return np.stack(columns, axis=1)


def _squash(outputs: Array) -> Iterable[Array]:
    """Columns of outputs (rows, OUTPUTS) as what they stand for: 0…1, the width −1…1."""
    values = 1 / (1 + np.exp(-outputs.clip(-30, 30)))
    values[:, 1] = 2 * values[:, 1] - 1
    return np.ascontiguousarray(values.T)


def read_lips(
    audio: Audio, offset_seconds: float = 0.0, network: LipNetwork | None = None
) -> LipTrack:
    """What the lips do that say a sound: a row for each 10 ms of it that has begun.

    Args:
        offset_seconds: how much later the lips shall come than the sound says, for files whose
            picture and sound are not in step; below 0 earlier.
        network: instead of the one that the package brings.

    Raises:
        InputError: an offset that is no number, or too large.
        CheckpointError: the network's file is missing or damaged.
    """
    if not abs(offset_seconds) <= MAX_OFFSET_SECONDS:
        raise InputError(
            f"Lips' offset: expected seconds within ±{MAX_OFFSET_SECONDS:g}, got {offset_seconds}. "
            "Choose one of them."
        )
    samples = np.asarray(audio.to_mono(RATE_HZ).numpy(), np.float32)
    rows = -(-len(samples) // HOP)
    reader = LipReader(network)
    columns = np.concatenate([reader.push(samples).columns, reader.finish().columns])
    return LipTrack.of_columns(columns[:rows]).shift(round(offset_seconds / ROW_SECONDS))


def to_frames(track: LipTrack, frames: int, fps: float) -> LipTrack:
    """What the lips do in each video frame: a track of as many rows as frames.

    A closure lasts a row or ten: the most that a frame holds counts, else lips would not meet. Of
    all else it is the mean. After the track's end the mouth is at rest.

    Raises:
        InputError: fewer than no frames, or no frame rate above 0.
    """
    if frames < 0 or not 0 < fps < np.inf:
        raise InputError(
            f"Lips: expected frames from 0 and a rate above 0, got {frames} at {fps} a second."
        )
    edges = np.arange(frames + 1) / (fps * ROW_SECONDS)
    first = np.floor(edges[:-1] + 1e-6).astype(int)
    last = np.maximum(np.ceil(edges[1:] - 1e-6).astype(int), first + 1)
    length = int(last[-1]) if frames else 0
    columns = np.zeros((max(length, len(track)), 5), np.float32)
    columns[: len(track)] = track.columns
    spans = [columns[a:b] for a, b in zip(first, last, strict=True)]
    means = np.array([span.mean(0) for span in spans], np.float32).reshape(-1, 5)
    means[:, 3:] = np.array([span[:, 3:].max(0) for span in spans], np.float32).reshape(-1, 2)
    means[:, 0] = np.minimum(means[:, 0], 1 - means[:, 3])
    return LipTrack.of_columns(means)
