"""Where speech is stressed: syllables that are louder than what was said around them."""

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
    usual = 0.0
    for count, peak in enumerate(peaks.tolist()):
        strength = (syllables[peak] / max(usual, SILENCE) - MIN_RATIO) / (FULL_RATIO - MIN_RATIO)
        second = peak / RATE_HZ
        is_apart = not stresses or second - stresses[-1][0] >= MIN_GAP_SECONDS
        if count > 1 and strength > 0 and is_apart:
            stresses.append((second, min(float(strength), 1.0)))
        usual += (syllables[peak] - usual) / min(count + 1, USUAL_SYLLABLES)
    return np.array(stresses, np.float64).reshape(-1, 2)
