"""What the network of lips hears: log-mels per 10 ms, held against the speaker's own average.

A voice, a microphone and a room colour every band; what matters is how a band differs from how
this speaker usually sounds in it, and from the noise that is always there. Both are followed as the
sound goes on; nothing later is read. The average moves only while somebody speaks, else a pause of
some seconds would make a vowel of the noise.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE_HZ = 16_000
ROW_SECONDS = 0.01
"""A row of features, and of a `LipTrack`, for each so much of the sound."""
HOP = 160
WINDOW = 320
"""Samples of a row and of what is heard for it, around its middle."""
FFT = 512
BANDS = 40
MIN_HZ, MAX_HZ = 60.0, 7600.0
FEATURES = 2 * BANDS
PIECE_ROWS = 4
"""Rows that are computed at once, always: sums of the same length round alike, however a sound
comes in, so that a stream gives what the whole file gives, bit for bit."""

MIN_POWER = 1e-12
"""Of a band, against full scale: below is nothing but the rounding of a file."""
LEVEL_RANGE = slice(2, 32)
"""Bands that tell how loud speech is: without hum and hiss."""
FALL, RISE, QUICK_RISE = 0.35, 0.012, 0.16
"""How a noise floor follows: the share of a step down, and nepers of power per piece up; quickly
where the sound is steady, as speech never is."""
STEADY_DEVIATION, STEADY_SHARE = 0.45, 0.1
"""Nepers of power that a steady sound's loudness deviates at most, over about 0.4 s."""
PEAK_FALL = 0.016
SPEECH_ABOVE_FLOOR, SPEECH_BELOW_PEAK = 2.0, 3.5
"""Speech is that much louder than the floor and at most that much quieter than the peak."""
MIN_SHARE, PRIOR_PIECES = 1 / 100, 1.5
"""The average is one of about 4 s of speech; before any, that of speech at an ordinary level."""
PRIOR_LEVELS = (-6.0, -11.5)
"""Of the lowest and the highest band; those between lie on a line."""
FIRST_FLOOR = 3.0
"""The floor begins that much below the first piece: a file may begin with speech."""
_SCALES = np.repeat(np.array([0.5, 0.33], np.float32), BANDS)
"""Nepers to numbers about 1, of the two halves of the features."""


@cache
def mel_weights() -> Array:
    """Triangles that sum a spectrum's power to bands: (FFT / 2 + 1, BANDS)."""
    mel = np.linspace(_to_mel(MIN_HZ), _to_mel(MAX_HZ), BANDS + 2)
    edges_hz = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    up = (hz[:, None] - edges_hz[:-2]) / np.diff(edges_hz)[:-1]
    down = (edges_hz[2:] - hz[:, None]) / np.diff(edges_hz)[1:]
    triangles = np.maximum(np.minimum(up, down), 0)
    # Of a sine at full scale a band then holds about 1, however long the window.
    window_sum = np.hanning(WINDOW + 1)[:-1].sum()
    return np.asarray(triangles * (2 / window_sum) ** 2, np.float32)


def _to_mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


@cache
def _window() -> Array:
    return np.asarray(np.hanning(WINDOW + 1)[:-1], np.float32)


def measure_log_mels(samples: Array) -> Array:
    """Natural logarithms of the power in each band: (rows, BANDS) of samples (t,) at `RATE_HZ`.

    The first row's window begins with the first sample, so that t = WINDOW + (rows − 1) · HOP.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _window(), FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ mel_weights() + np.float32(MIN_POWER)), np.float32)


class Normalisation:
    """Features out of log-mels: against the average of speech and against the noise, so far.

    Both are what the pieces before have made them, so that no row hears what comes later.
    """

    def __init__(self) -> None:
        self.average = np.linspace(*PRIOR_LEVELS, BANDS, dtype=np.float32)
        self._floors = np.zeros(BANDS, np.float32)
        self._speech_pieces = PRIOR_PIECES
        self._has_begun = False
        self._floor = self._peak = self._level = 0.0
        self._variance = 1.0

    def normalise(self, log_mels: Array) -> Array:
        """Features (rows, 80) of the log-mels (rows, 40) that follow; whole pieces."""
        pieces = log_mels.reshape(-1, PIECE_ROWS, BANDS)
        features = np.concatenate([pieces, pieces], axis=2)
        means = pieces.mean(1)
        levels = means[:, LEVEL_RANGE].max(1).tolist()
        for piece, mean, level in zip(features, means, levels, strict=True):
            if not self._has_begun:
                self._begin(mean, level)
            piece[:, :BANDS] -= self.average
            piece[:, BANDS:] -= self._floors
            self._follow(mean, level)
        return np.asarray((features.reshape(-1, FEATURES) * _SCALES).clip(-4, 4))

    def _begin(self, mean: Array, level: float) -> None:
        self._has_begun = True
        self._level = self._peak = level
        self._floor = level - FIRST_FLOOR
        self._floors = mean - np.float32(FIRST_FLOOR)

    def _follow(self, mean: Array, level: float) -> None:
        """Take in one piece: its mean (BANDS,) over the rows, and its loudest band."""
        step = level - self._level
        self._level += STEADY_SHARE * step
        self._variance += STEADY_SHARE * (step * step - self._variance)
        rise = QUICK_RISE if self._variance < STEADY_DEVIATION**2 else RISE
        step = level - self._floor
        self._floor += min(step, rise) if step > 0 else FALL * step
        steps = mean - self._floors
        self._floors += np.where(steps > 0, np.minimum(steps, rise), FALL * steps)
        self._peak = max(level, self._peak - PEAK_FALL)
        loud = max(self._floor + SPEECH_ABOVE_FLOOR, self._peak - SPEECH_BELOW_PEAK)
        if level > loud:
            self._speech_pieces += 1
            self.average += max(1 / self._speech_pieces, MIN_SHARE) * (mean - self.average)
