"""Speech whose every sound has its mouth shape, from a small formant synthesiser.

A voice is a row of harmonics; the resonances of the mouth, the formants, say how loud each of them
is. Hiss is noise in a band. The shape of the mouth follows the same sounds, a little smoother.

Source: Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980), for what a
formant is; typical formants of vowels after Peterson and Barney, JASA 24 (1952).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE_HZ = 16_000
TRACK_HZ = 100
"""Rate of formants, loudness and mouth shapes."""
SAMPLES_PER_TRACK = RATE_HZ // TRACK_HZ
SOUND_SECONDS, MOUTH_SECONDS = 0.012, 0.03
"""How quickly sounds and mouth shapes pass into each other (spread of a Gaussian)."""
BANDWIDTH_HZ = (80.0, 110.0, 170.0)
HIGHEST_HZ = 5_000.0


@dataclass(frozen=True)
class Sound:
    """One sound of speech and the mouth that makes it.

    Attributes:
        formants: in Hz. voiced, hiss: loudness of the two sources, 0…1.
        band: lower and upper end of the hiss in Hz.
        mouth: open 0…1, wide −1…1, round 0…1.
    """

    formants: tuple[float, float, float]
    mouth: tuple[float, float, float]
    voiced: float = 1.0
    hiss: float = 0.0
    band: tuple[float, float] = (3000.0, 7000.0)


VOWELS = {
    "a": Sound((750, 1200, 2500), (1.0, 0.0, 0.0)),
    "ae": Sound((660, 1720, 2410), (0.75, 0.6, 0.0)),
    "e": Sound((530, 1840, 2480), (0.5, 0.7, 0.0)),
    "i": Sound((280, 2250, 2950), (0.22, 1.0, 0.0)),
    "o": Sound((500, 880, 2450), (0.55, -0.3, 0.7)),
    "u": Sound((310, 870, 2240), (0.25, -0.6, 1.0)),
    "er": Sound((490, 1350, 1690), (0.4, -0.1, 0.25)),
}
CONSONANTS = {
    "m": Sound((250, 1000, 2200), (0.0, 0.0, 0.0), voiced=0.45),
    "b": Sound((220, 900, 2200), (0.0, 0.0, 0.0), voiced=0.15),
    "n": Sound((280, 1700, 2600), (0.2, 0.2, 0.0), voiced=0.5),
    "l": Sound((360, 1300, 2900), (0.3, 0.1, 0.0), voiced=0.7),
    "s": Sound((320, 1700, 2600), (0.1, 0.6, 0.0), 0.0, 0.5, (4500.0, 7600.0)),
    "sh": Sound((320, 1600, 2500), (0.2, -0.4, 0.7), 0.0, 0.5, (2000.0, 4200.0)),
    "f": Sound((300, 1200, 2300), (0.06, 0.1, 0.0), 0.0, 0.25, (1500.0, 7600.0)),
    "w": Sound((300, 650, 2200), (0.15, -0.6, 1.0), voiced=0.6),
}
SOUNDS = VOWELS | CONSONANTS
SILENCE = Sound((500, 1500, 2500), (0.0, 0.0, 0.0), voiced=0.0)


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes:
        pitch_hz: middle of the melody, `lively` how far it moves, in octaves.
        size: factor on all formants; small people have higher ones.
        tilt: how fast the harmonics fall, in dB per octave.
        breath: loudness of noise beside the voice.
        pace: factor on the length of all sounds. loudness: of all.
    """

    pitch_hz: float
    lively: float
    size: float
    tilt: float
    breath: float
    pace: float
    loudness: float


@dataclass(frozen=True)
class Speech:
    """What is said.

    Attributes:
        samples: (t,) float32 in −1…1 at `RATE_HZ`.
        mouth: (s, 3) open, wide and round at `TRACK_HZ`.
    """

    samples: NDArray[np.float32]
    mouth: Array

    def mouth_at(self, seconds: Array) -> Array:
        """(n, 3) shapes at times within the speech."""
        at, times = np.arange(len(self.mouth)) / TRACK_HZ, np.asarray(seconds)
        return np.stack([np.interp(times, at, column) for column in self.mouth.T], axis=1)


def random_voice(rng: np.random.Generator) -> Voice:
    """Anybody."""
    pitch_hz = float(np.exp(rng.uniform(np.log(85), np.log(260))))
    return Voice(
        pitch_hz=pitch_hz,
        lively=float(rng.uniform(0.1, 0.4)),
        size=float(np.clip(1 + 0.13 * np.log2(pitch_hz / 140) + rng.normal(0, 0.03), 0.85, 1.2)),
        tilt=float(rng.uniform(-9, -5)),
        breath=float(rng.uniform(0, 0.04)),
        pace=float(rng.uniform(0.85, 1.3)),
        loudness=float(rng.uniform(0.5, 1)),
    )


def random_speech(rng: np.random.Generator, seconds: float, voice: Voice | None = None) -> Speech:
    """Babble: phrases of syllables with pauses between them."""
    voice = voice or random_voice(rng)
    script: list[tuple[Sound, float]] = [(SILENCE, rng.uniform(0.05, 0.3))]
    while sum(length for _, length in script) < seconds:
        for _ in range(rng.integers(2, 8)):
            script += _syllable(rng, voice)
        script.append((SILENCE, rng.uniform(0.15, 0.6)))
    return speak(script, seconds, voice, rng)


def _syllable(rng: np.random.Generator, voice: Voice) -> list[tuple[Sound, float]]:
    names = list(CONSONANTS)
    sounds = [(SOUNDS[names[rng.integers(len(names))]], rng.uniform(0.06, 0.12))]
    vowels = list(VOWELS)
    sounds.append((SOUNDS[vowels[rng.integers(len(vowels))]], rng.uniform(0.1, 0.24)))
    if rng.random() < 0.25:
        sounds.append((SOUNDS[names[rng.integers(len(names))]], rng.uniform(0.06, 0.1)))
    return [(sound, length * voice.pace) for sound, length in sounds]


def speak(
    script: list[tuple[Sound, float]], seconds: float, voice: Voice, rng: np.random.Generator
) -> Speech:
    """Say sounds, each with its length in seconds; what goes beyond `seconds` is cut off."""
    ticks = round(seconds * TRACK_HZ)
    ends = np.cumsum([length for _, length in script])
    which = np.minimum(np.searchsorted(ends, np.arange(ticks) / TRACK_HZ, "right"), len(script) - 1)
    sounds = [script[i][0] for i in which]
    formants = voice.size * _smooth([s.formants for s in sounds], SOUND_SECONDS)
    loudness = _smooth([[s.voiced, s.hiss] for s in sounds], SOUND_SECONDS)
    samples = _voiced(formants, loudness[:, 0], voice, rng) + _hiss(sounds, loudness[:, 1], rng)
    quiet = rng.normal(0, 10 ** rng.uniform(-4.5, -3), len(samples))
    heard = np.clip(1.2 * voice.loudness * samples + quiet, -1, 1)
    return Speech(heard.astype(np.float32), _smooth([s.mouth for s in sounds], MOUTH_SECONDS))


def _smooth(rows: list[tuple[float, ...]] | list[list[float]], seconds: float) -> Array:
    track = np.array(rows, float)
    reach = int(np.ceil(3 * seconds * TRACK_HZ))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * TRACK_HZ)) ** 2)
    padded = np.pad(track, ((reach, reach), (0, 0)), "edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)


def _voiced(formants: Array, loudness: Array, voice: Voice, rng: np.random.Generator) -> Array:
    """Harmonics below `HIGHEST_HZ`, as loud as the formants let them be."""
    ticks = len(loudness)
    melody = voice.lively * _melody(rng, ticks)
    pitch_hz = voice.pitch_hz * 2**melody
    count = int(HIGHEST_HZ / pitch_hz.min())
    harmonic_hz = pitch_hz[:, None] * np.arange(1, count + 1)
    gain = _resonance(harmonic_hz, formants) * 10 ** (
        voice.tilt / 20 * np.log2(np.arange(1, count + 1))
    )
    gain *= (harmonic_hz < HIGHEST_HZ) * loudness[:, None]
    phase = 2 * np.pi * np.cumsum(_samples(pitch_hz)) / RATE_HZ
    wave = np.zeros(ticks * SAMPLES_PER_TRACK)
    for k in range(count):
        wave += _samples(gain[:, k]) * np.sin((k + 1) * phase)
    breath = voice.breath * rng.normal(size=len(wave)) * _samples(loudness)
    return np.asarray(0.25 * wave + breath)


def _melody(rng: np.random.Generator, ticks: int) -> Array:
    t = np.arange(ticks) / TRACK_HZ
    rates, phases = rng.uniform(0.2, 2.5, 3), rng.uniform(0, 2 * np.pi, 3)
    return np.asarray(np.sin(2 * np.pi * np.outer(t, rates) + phases).mean(1))


def _resonance(hz: Array, formants: Array) -> Array:
    """(ticks, harmonics) how loud each frequency is."""
    peaks = [
        width**2 / ((hz - formants[:, i : i + 1]) ** 2 + width**2)
        for i, width in enumerate(BANDWIDTH_HZ)
    ]
    return np.asarray(np.sqrt(sum(peaks)) + 0.02)


def _samples(track: Array) -> Array:
    """A track at the rate of samples."""
    at = np.arange(len(track) * SAMPLES_PER_TRACK) / SAMPLES_PER_TRACK
    return np.interp(at, np.arange(len(track)), track)


def _hiss(sounds: list[Sound], loudness: Array, rng: np.random.Generator) -> Array:
    wave = np.zeros(len(sounds) * SAMPLES_PER_TRACK)
    for band in {s.band for s in sounds if s.hiss}:
        there = _smooth([[float(s.band == band)] for s in sounds], SOUND_SECONDS)[:, 0]
        start = int(rng.integers(RATE_HZ))
        noise = np.resize(np.roll(_noise_band(*band), start), len(wave))
        wave += noise * _samples(there * loudness)
    return wave


@cache
def _noise_band(low_hz: float, high_hz: float) -> Array:
    """A few seconds of noise between two frequencies, of spread 0.2; they repeat unheard."""
    length = 7 * RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=length))
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum * ((hz > low_hz) & (hz < high_hz)), length)
    return np.asarray(0.2 * noise / noise.std())
