"""Where speech is stressed: syllables louder or higher than what was said before them."""

import numpy as np
from numpy.typing import NDArray

from ...media import Audio

Array = NDArray[np.float64]

RATE_HZ = 100.0
SYLLABLE_SECONDS = 0.12
"""Of two peaks of loudness nearer than this the lower one is no syllable."""
USUAL_SYLLABLES = 8
"""So many syllables before one say what is usual; of fewer than two nobody can tell."""
SILENCE = 0.004
"""Of full scale, root mean square; nothing below is a syllable."""
MIN_RATIO, FULL_RATIO = 1.1, 1.6
"""Of a syllable's loudness to the usual one: where stress begins, and where it is 1."""
PITCH_HZ = (70.0, 400.0)
PITCH_SECONDS = 0.05
"""Of sound that a pitch is read of: three periods of the deepest voice."""
MIN_CORRELATION = 0.5
"""Correlation of a voice with itself one period later, at least."""
MIN_SEMITONES, FULL_SEMITONES = 1.5, 5.0
"""Above the usual pitch: where stress begins, and where it is 1."""
MAX_SEMITONES = 9.0
"""A jump beyond this is rather an octave taken for another."""
MIN_GAP_SECONDS = 0.7
"""Of two stresses nearer than this the first one counts."""


def find_stresses(audio: Audio) -> Array:
    """(stresses, 2): the second of each stress and its strength in 0…1.

    The beginning does not depend on what is said later than a syllable after it.
    """
    frames = int(audio.seconds * RATE_HZ) + 1
    width = round(SYLLABLE_SECONDS * RATE_HZ)
    loudness = audio.loudness(frames, RATE_HZ)
    syllables = np.convolve(loudness, np.ones(width) / width)[width // 2 :][:frames]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(syllables, width), 2 * width + 1)
    peaks = np.flatnonzero((syllables == around.max(1)) & (syllables > SILENCE))
    stresses: list[tuple[float, float]] = []
    samples = np.asarray(audio.samples, np.float64).mean(0)
    usual = usual_pitch = 0.0
    for count, peak in enumerate(peaks.tolist()):
        second = peak / RATE_HZ
        strength = (syllables[peak] / max(usual, SILENCE) - MIN_RATIO) / (FULL_RATIO - MIN_RATIO)
        pitch = _measure_pitch(samples, audio.rate_hz, second)
        semitones = 12 * np.log2(pitch / usual_pitch) if pitch and usual_pitch else 0.0
        if semitones <= MAX_SEMITONES:
            strength = max(strength, (semitones - MIN_SEMITONES) / (FULL_SEMITONES - MIN_SEMITONES))
        is_apart = not stresses or second - stresses[-1][0] >= MIN_GAP_SECONDS
        if count > 1 and strength > 0 and is_apart:
            stresses.append((second, min(float(strength), 1.0)))
        usual += (syllables[peak] - usual) / min(count + 1, USUAL_SYLLABLES)
        if pitch and abs(semitones) <= MAX_SEMITONES:
            usual_pitch += (pitch - usual_pitch) / (USUAL_SYLLABLES if usual_pitch else 1)
    return np.array(stresses, np.float64).reshape(-1, 2)


def _measure_pitch(samples: Array, rate_hz: int, second: float) -> float:
    """The pitch in hertz of samples (n,) around a second, 0 where no voice is heard."""
    width = round(PITCH_SECONDS * rate_hz)
    first = max(round(second * rate_hz) - width // 2, 0)
    window = samples[first : first + width]
    shortest, longest = (round(rate_hz / hz) for hz in reversed(PITCH_HZ))
    if len(window) < width or shortest < 2:
        return 0.0
    window = (window - window.mean()) * np.hanning(width)
    # The power spectrum is the correlation's; the bell's own takes off what it costs long periods.
    correlation, bell = (
        np.fft.irfft(np.abs(np.fft.rfft(x, 2 * width)) ** 2)[: longest + 1]
        for x in (window, np.hanning(width))
    )
    shares = correlation / max(correlation[0], 1e-12) * bell[0] / bell
    lag = shortest + int(np.argmax(shares[shortest:]))
    # Of several periods the shortest that is nearly as good: two periods match as well as one.
    good = np.flatnonzero(shares[shortest:] >= 0.9 * shares[lag])
    lag = shortest + int(good[0])
    while lag < longest and shares[lag + 1] > shares[lag]:
        lag += 1
    return rate_hz / lag if shares[lag] >= MIN_CORRELATION else 0.0
