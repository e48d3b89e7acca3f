"""What the network learns from: takes of some seconds, each drawn anew from the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from ...control.motion.lips.features import (
    FEATURES,
    HOP,
    RATE_HZ,
    WINDOW,
    Normalisation,
    measure_log_mels,
)
from .corpus import VoiceSpeech
from .disturbance import add_sound, disturb, draw_sound
from .noises import make_music, make_noise

Array = NDArray[np.float32]
Rng = np.random.Generator

TAKE_ROWS = 600
SOUNDS, SOUND_SECONDS = 48, 15.0
"""Pieces of music, and of noise, that takes draw from."""
HUMAN_SHARE = 0.55
"""Of the takes that voices cut out of recordings speak: they are few, and they are what counts."""
EMPTY_SHARE = 0.18
"""Of the takes that nobody speaks in: noise and music alone, over a mouth that is shut."""
CLEAN_SHARE = 0.35
WARP_SHARE, MAX_WARP = 0.6, 0.17
"""Takes that are played slower or faster, and by how much (logarithm): a longer or shorter throat,
a lower or higher voice. It makes many speakers out of one."""
MIN_LEVEL_DB, MAX_LEVEL_DB, MIN_NOISE_LEVEL_DB = -48.0, -12.0, -90.0
MAX_PAUSE_ROWS = 120
PULSE_CODE = np.float32(1 / 32768)


@dataclass(frozen=True)
class Take:
    """Features (rows, 80) and the mouth's columns (rows, 6); whether a person's voice says it."""

    features: Array
    columns: Array
    is_human: bool


class TakeMaker:
    """Draws takes from the speech of many voices.

    Args:
        speeches: the voices. seed: of music and noise, which are made once.
    """

    def __init__(self, speeches: Sequence[VoiceSpeech], seed: int = 0) -> None:
        self._human = [speech for speech in speeches if speech.voice.is_human]
        self._synthetic = [speech for speech in speeches if not speech.voice.is_human]
        rng = np.random.default_rng(seed)
        self.music = [make_music(rng, SOUND_SECONDS) for _ in range(SOUNDS)]
        length = round(SOUND_SECONDS * RATE_HZ)
        self.noises = [make_noise(rng, length) for _ in range(SOUNDS)]

    def make_take(self, rng: Rng) -> Take:
        """A take of `TAKE_ROWS` rows."""
        level_db = rng.uniform(MIN_LEVEL_DB, MAX_LEVEL_DB)
        is_human = False
        if rng.random() < EMPTY_SHARE:
            samples = self._make_empty(rng)
            level_db = rng.uniform(MIN_NOISE_LEVEL_DB, MAX_LEVEL_DB)
            columns = np.zeros((TAKE_ROWS, 6), np.float32)
            columns[:, 5] = 1
        else:
            is_human = bool(self._human) and rng.random() < HUMAN_SHARE
            samples, columns = self._speak(rng, is_human)
            if rng.random() > CLEAN_SHARE:
                samples = disturb(samples, rng, self.noises, self.music)
        samples = set_level(samples, level_db)
        return Take(make_features(samples), columns, is_human)

    def _make_empty(self, rng: Rng) -> Array:
        """Noise, music or both: (t,)."""
        length = TAKE_ROWS * HOP
        noise = draw_sound(self.noises, length, rng)
        draw = rng.random()
        if draw < 0.35:
            return np.asarray(noise)
        music = draw_sound(self.music, length, rng)
        if rng.random() < 0.5:  # it begins somewhere, after silence or in the midst of noise
            music[: int(rng.integers(length // 2))] = 0
        return add_sound(music, noise, rng.uniform(5, 50))

    def _speak(self, rng: Rng, is_human: bool) -> tuple[Array, Array]:
        """Samples (t,) and columns (rows, 6) of one voice with pauses."""
        voices = self._human if is_human or not self._synthetic else self._synthetic
        speech = voices[int(rng.integers(len(voices)))]
        factor = np.exp(rng.uniform(-MAX_WARP, MAX_WARP)) if rng.random() < WARP_SHARE else 1.0
        rows = int(np.ceil(TAKE_ROWS * factor)) + 2
        sound, track = self._join_sentences(speech, rows, rng)
        if factor != 1.0:
            sound = soxr.resample(sound, RATE_HZ * factor, RATE_HZ, "MQ")
            places = np.minimum((np.arange(TAKE_ROWS) + 0.5) * factor - 0.5, len(track) - 1)
            rows_of_track = np.arange(len(track))
            columns = [np.interp(places, rows_of_track, column) for column in track.T]
            track = np.stack(columns, axis=1).astype(np.float32)
        sound = np.pad(sound, (0, max(0, TAKE_ROWS * HOP - len(sound))))
        return sound[: TAKE_ROWS * HOP], track[:TAKE_ROWS]

    def _join_sentences(self, speech: VoiceSpeech, rows: int, rng: Rng) -> tuple[Array, Array]:
        sounds: list[Array] = []
        tracks: list[Array] = []
        count = 0
        while count < rows:
            i = int(rng.integers(len(speech.starts) - 1))
            first, last = (int(start) for start in speech.starts[i : i + 2])
            if not sounds and rng.random() < 0.3:  # a file may begin in the midst of a word
                first = int(rng.integers(first, last))
            pause = int(rng.integers(MAX_PAUSE_ROWS)) if rng.random() < 0.7 else 0
            pulses = speech.samples[first * HOP : last * HOP].astype(np.float32) * PULSE_CODE
            sounds += [pulses, np.zeros(pause * HOP, np.float32)]
            tracks += [speech.columns[first:last], np.tile(REST, (pause, 1))]
            count += last - first + pause
        return np.concatenate(sounds)[: rows * HOP], np.concatenate(tracks)[:rows]


REST = np.array([[0, 0, 0, 0, 0, 1]], np.float32)
"""The columns of a mouth that is shut in silence."""


def set_level(samples: Array, level_db: float) -> Array:
    """Samples (t,) whose loud parts are so many decibels below full scale; louder ones are cut."""
    loud = np.abs(samples) > 0.05 * np.abs(samples).max()
    deviation = float(np.sqrt((samples[loud] ** 2).mean())) if loud.any() else 1.0
    return np.asarray((samples * 10 ** (level_db / 20) / deviation).clip(-1, 1), np.float32)


def make_features(samples: Array) -> Array:
    """Features (rows, FEATURES) of samples (rows · HOP,), as a reader makes them."""
    pad = (WINDOW - HOP) // 2
    features = Normalisation().normalise(measure_log_mels(np.pad(samples, pad)))
    assert features.shape[1] == FEATURES
    return features
