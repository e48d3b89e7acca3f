"""Speech whose every phoneme has its mouth shape, from a small formant synthesiser.

The glottis is a source of harmonics; the resonances of the mouth, the formants, weigh each of them.
Frication is noise in a band. The shape of the mouth follows the same phonemes, more smoothly.

Source: Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980), for what a
formant is; typical formants of vowels after Peterson and Barney, JASA 24 (1952).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE_HZ = 16_000
TRACK_HZ = 100
"""Rate of the tracks of formants, amplitudes and mouth shapes."""
SAMPLES_PER_TICK = RATE_HZ // TRACK_HZ
PHONEME_SECONDS, MOUTH_SECONDS = 0.012, 0.03
"""How smoothly phonemes and mouth shapes follow each other (standard deviation of a Gaussian)."""
BANDWIDTHS_HZ = (80.0, 110.0, 170.0)
"""Of the three formants: the higher, the wider."""
MAX_HARMONIC_HZ = 5_000.0


@dataclass(frozen=True)
class Phoneme:
    """One phoneme, and the mouth that makes it.

    Attributes:
        formants_hz: the three resonances. mouth: open 0…1, wide −1…1, round 0…1.
        voicing, frication: amplitudes of the two sources, 0…1.
        band_hz: lower and upper end of the frication.
    """

    formants_hz: tuple[float, float, float]
    mouth: tuple[float, float, float]
    voicing: float = 1.0
    frication: float = 0.0
    band_hz: tuple[float, float] = (3000.0, 7000.0)


VOWELS = {
    "a": Phoneme((750, 1200, 2500), (1.0, 0.0, 0.0)),
    "ae": Phoneme((660, 1720, 2410), (0.75, 0.6, 0.0)),
    "e": Phoneme((530, 1840, 2480), (0.5, 0.7, 0.0)),
    "i": Phoneme((280, 2250, 2950), (0.22, 1.0, 0.0)),
    "o": Phoneme((500, 880, 2450), (0.55, -0.3, 0.7)),
    "u": Phoneme((310, 870, 2240), (0.25, -0.6, 1.0)),
    "er": Phoneme((490, 1350, 1690), (0.4, -0.1, 0.25)),
}
CONSONANTS = {
    "m": Phoneme((250, 1000, 2200), (0.0, 0.0, 0.0), voicing=0.45),
    "b": Phoneme((220, 900, 2200), (0.0, 0.0, 0.0), voicing=0.15),
    "n": Phoneme((280, 1700, 2600), (0.2, 0.2, 0.0), voicing=0.5),
    "l": Phoneme((360, 1300, 2900), (0.3, 0.1, 0.0), voicing=0.7),
    "s": Phoneme((320, 1700, 2600), (0.1, 0.6, 0.0), 0.0, 0.5, (4500.0, 7600.0)),
    "sh": Phoneme((320, 1600, 2500), (0.2, -0.4, 0.7), 0.0, 0.5, (2000.0, 4200.0)),
    "f": Phoneme((300, 1200, 2300), (0.06, 0.1, 0.0), 0.0, 0.25, (1500.0, 7600.0)),
    "w": Phoneme((300, 650, 2200), (0.15, -0.6, 1.0), voicing=0.6),
}
PHONEMES = VOWELS | CONSONANTS
SILENCE = Phoneme((500, 1500, 2500), (0.0, 0.0, 0.0), voicing=0.0)


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Attributes:
        pitch_hz: the middle of the melody. pitch_range: of the melody, in octaves to either side.
        formant_scale: factor on all formants; a short vocal tract has higher ones.
        tilt_db: change of the harmonics' amplitude per octave.
        aspiration: amplitude of the noise beside the voice.
        pace: factor on the length of all phonemes. loudness: factor on all samples.
    """

    pitch_hz: float
    pitch_range: float
    formant_scale: float
    tilt_db: float
    aspiration: float
    pace: float
    loudness: float


@dataclass(frozen=True)
class Speech:
    """Samples and the mouth that says them.

    Attributes:
        samples: (t,) float32 in −1…1 at `RATE_HZ`.
        mouth: (ticks, 3) open, wide and round at `TRACK_HZ`.
    """

    samples: NDArray[np.float32]
    mouth: Array

    def interpolate_mouth(self, seconds: Array) -> Array:
        """Mouth shapes (f, 3) at times (f,) within the speech."""
        ticks = np.arange(len(self.mouth)) / TRACK_HZ
        columns = [np.interp(np.asarray(seconds), ticks, column) for column in self.mouth.T]
        return np.stack(columns, axis=1)


Script = list[tuple[Phoneme, float]]
"""Phonemes, each with its length in seconds."""


def random_voice(rng: np.random.Generator) -> Voice:
    """A voice of its whole range; high ones have high formants, as small people have."""
    pitch_hz = float(np.exp(rng.uniform(np.log(85), np.log(260))))
    pitch_range = float(rng.uniform(0.1, 0.4))
    formant_scale = 1 + 0.13 * np.log2(pitch_hz / 140) + rng.normal(0, 0.03)
    return Voice(
        pitch_hz=pitch_hz,
        pitch_range=pitch_range,
        formant_scale=float(np.clip(formant_scale, 0.85, 1.2)),
        tilt_db=float(rng.uniform(-9, -5)),
        aspiration=float(rng.uniform(0, 0.04)),
        pace=float(rng.uniform(0.85, 1.3)),
        loudness=float(rng.uniform(0.5, 1)),
    )


def random_speech(rng: np.random.Generator, seconds: float, voice: Voice | None = None) -> Speech:
    """Babble: phrases of random syllables with pauses between them."""
    voice = voice or random_voice(rng)
    script: Script = [(SILENCE, rng.uniform(0.05, 0.3))]
    while sum(length for _, length in script) < seconds:
        for _ in range(rng.integers(2, 8)):
            script += _random_syllable(rng, voice)
        script.append((SILENCE, rng.uniform(0.15, 0.6)))
    return synthesize_speech(script, seconds, voice, rng)


def _random_syllable(rng: np.random.Generator, voice: Voice) -> Script:
    consonants, vowels = list(CONSONANTS.values()), list(VOWELS.values())
    script = [(consonants[rng.integers(len(consonants))], rng.uniform(0.06, 0.12))]
    script.append((vowels[rng.integers(len(vowels))], rng.uniform(0.1, 0.24)))
    if rng.random() < 0.25:
        script.append((consonants[rng.integers(len(consonants))], rng.uniform(0.06, 0.1)))
    return [(phoneme, length * voice.pace) for phoneme, length in script]


def synthesize_speech(
    script: Script, seconds: float, voice: Voice, rng: np.random.Generator
) -> Speech:
    """Speech of a script; what goes beyond `seconds` is cut off."""
    ticks = round(seconds * TRACK_HZ)
    ends = np.cumsum([length for _, length in script])
    index = np.searchsorted(ends, np.arange(ticks) / TRACK_HZ, "right")
    phonemes = [script[i][0] for i in np.minimum(index, len(script) - 1)]
    # Smoothed, formants glide from phoneme to phoneme as a tongue does; jumps would click.
    formants_hz = voice.formant_scale * _smooth([p.formants_hz for p in phonemes], PHONEME_SECONDS)
    sources = _smooth([(p.voicing, p.frication) for p in phonemes], PHONEME_SECONDS)
    samples = _synthesize_voicing(formants_hz, sources[:, 0], voice, rng)
    samples += _synthesize_frication(phonemes, sources[:, 1], rng)
    noise = rng.normal(0, 10 ** rng.uniform(-4.5, -3), len(samples))
    samples = np.clip(1.2 * voice.loudness * samples + noise, -1, 1)
    mouth = _smooth([p.mouth for p in phonemes], MOUTH_SECONDS)
    return Speech(samples.astype(np.float32), mouth)


def _smooth(rows: Sequence[tuple[float, ...]], seconds: float) -> Array:
    """Rows (ticks, n) convolved with a Gaussian along time."""
    track = np.array(rows, float)
    reach = int(np.ceil(3 * seconds * TRACK_HZ))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * TRACK_HZ)) ** 2)
    padded_track = np.pad(track, ((reach, reach), (0, 0)), "edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded_track.T]
    return np.stack(columns, axis=1)


def _synthesize_voicing(
    formants_hz: Array, voicing: Array, voice: Voice, rng: np.random.Generator
) -> Array:
    """Samples of the glottal source, filtered by formants (ticks, 3).

    A glottis that opens and shuts is periodic, so that its spectrum is a row of harmonics. They are
    summed as sines, each with the gain of the formants at its frequency: no filter has to run whose
    coefficients change with every tick, and nothing above the limit can alias.
    """
    ticks = len(voicing)
    pitch_hz = voice.pitch_hz * 2 ** (voice.pitch_range * _random_melody(rng, ticks))
    count = int(MAX_HARMONIC_HZ / pitch_hz.min())
    order = np.arange(1, count + 1)
    harmonic_hz = pitch_hz[:, None] * order
    # Pulses of air are round rather than sharp: the spectrum falls by so much per octave.
    tilt = 10 ** (voice.tilt_db / 20 * np.log2(order))
    gain = _formant_gain(harmonic_hz, formants_hz) * tilt
    gain *= (harmonic_hz < MAX_HARMONIC_HZ) * voicing[:, None]
    # The phase is the integral of the frequency; all harmonics share it, as one glottis makes them.
    phase = 2 * np.pi * np.cumsum(_upsample(pitch_hz)) / RATE_HZ
    wave = np.zeros(ticks * SAMPLES_PER_TICK)
    for k in range(count):
        wave += _upsample(gain[:, k]) * np.sin((k + 1) * phase)
    aspiration = voice.aspiration * rng.normal(size=len(wave)) * _upsample(voicing)
    return np.asarray(0.25 * wave + aspiration)


def _random_melody(rng: np.random.Generator, ticks: int) -> Array:
    """(ticks,) within −1…1."""
    t = np.arange(ticks) / TRACK_HZ
    rates, phases = rng.uniform(0.2, 2.5, 3), rng.uniform(0, 2 * np.pi, 3)
    return np.asarray(np.sin(2 * np.pi * np.outer(t, rates) + phases).mean(1))


def _formant_gain(hz: Array, formants_hz: Array) -> Array:
    """Gain (ticks, harmonics) at frequencies: a peak at each formant, as wide as its bandwidth.

    A resonance of half width w at f answers with power w² / ((hz − f)² + w²); powers add.
    """
    peaks = [
        width**2 / ((hz - formants_hz[:, i : i + 1]) ** 2 + width**2)
        for i, width in enumerate(BANDWIDTHS_HZ)
    ]
    return np.asarray(np.sqrt(sum(peaks)) + 0.02)


def _upsample(track: Array) -> Array:
    """A track (ticks,) at the rate of samples (t,)."""
    position = np.arange(len(track) * SAMPLES_PER_TICK) / SAMPLES_PER_TICK
    return np.interp(position, np.arange(len(track)), track)


def _synthesize_frication(
    phonemes: list[Phoneme], frication: Array, rng: np.random.Generator
) -> Array:
    """Samples of noise, each phoneme's in its band: air that hisses through a narrow gap."""
    wave = np.zeros(len(phonemes) * SAMPLES_PER_TICK)
    for band_hz in {p.band_hz for p in phonemes if p.frication}:
        presence = _smooth([(float(p.band_hz == band_hz),) for p in phonemes], PHONEME_SECONDS)
        start = int(rng.integers(RATE_HZ))
        noise = np.resize(np.roll(_band_noise(*band_hz), start), len(wave))
        wave += noise * _upsample(presence[:, 0] * frication)
    return wave


@cache
def _band_noise(min_hz: float, max_hz: float) -> Array:
    """Seven seconds of noise (t,) between two frequencies, of standard deviation 0.2.

    They repeat unnoticed, and filtering noise anew would take longer than all else.
    """
    length = 7 * RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=length))
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum * ((hz > min_hz) & (hz < max_hz)), length)
    return np.asarray(0.2 * noise / noise.std())
