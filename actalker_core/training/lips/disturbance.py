"""What comes between a mouth and a file: rooms, microphones, telephones, codecs, noise, music."""

import io
from collections.abc import Sequence

import av
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...control.motion.lips.features import RATE_HZ

Array = NDArray[np.float32]
Rng = np.random.Generator

TELEPHONE_HZ = (300.0, 3400.0)
CODECS = (("mp3", "libmp3lame", 32_000), ("ogg", "libopus", 16_000), ("ogg", "libopus", 24_000))
"""Container, codec and bits per second."""
CODEC_SHARE = 0.05
"""Of the disturbed takes; encoding takes longer than all else."""
CODEC_RATE_HZ = {"libmp3lame": 16_000, "libopus": 48_000}


def colour(samples: Array, rng: Rng, room: bool, band_limit: bool) -> Array:
    """Samples (t,) through a microphone, and through a room or a narrow band where asked.

    All are filters that do not change over time: one product of spectra does them all.
    """
    length = len(samples)
    size = scipy.fft.next_fast_len(length + RATE_HZ, real=True)
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ).astype(np.float32)
    octaves = np.log2(np.maximum(hz, 30) / 1000)
    knots = np.linspace(-5, 3, 7)
    gain_db = np.interp(octaves, knots, rng.normal(0, 2.5, 7)) + rng.uniform(-2, 2) * octaves
    gain = 10 ** (gain_db / 20)
    if band_limit:
        low_hz, high_hz = TELEPHONE_HZ
        if rng.random() < 0.5:
            low_hz, high_hz = rng.uniform(30, 250), np.exp(rng.uniform(np.log(2500), np.log(7000)))
        gain *= 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1)) ** 8)
        gain *= 1 / np.sqrt(1 + (hz / high_hz) ** 16)
    spectrum = scipy.fft.rfft(samples, size) * gain.astype(np.float32)
    if room:
        spectrum *= scipy.fft.rfft(make_room(rng), size)
    return np.asarray(scipy.fft.irfft(spectrum, size)[:length], np.float32)


def make_room(rng: Rng) -> Array:
    """An impulse response (t,): the direct sound, some early echoes, a tail that dies away."""
    reverberation_seconds = np.exp(rng.uniform(np.log(0.12), np.log(0.8)))
    length = int(min(reverberation_seconds, 0.9) * RATE_HZ)
    decay = np.exp(-6.9 * np.arange(length) / (reverberation_seconds * RATE_HZ))
    tail = rng.normal(size=length) * decay
    tail[: int(0.002 * RATE_HZ)] = 0
    for place in rng.integers(30, 600, 6):
        tail[min(place, length - 1)] += rng.normal() * 6
    tail *= 10 ** (-rng.uniform(-3, 15) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return np.asarray(tail, np.float32)


def encode(samples: Array, rng: Rng) -> Array:
    """Samples (t,) through a lossy codec and back, in step with what went in."""
    container_name, codec, bit_rate = CODECS[int(rng.integers(len(CODECS)))]
    buffer = io.BytesIO()
    peak = max(float(np.abs(samples).max()), 1e-6)
    pulses = (samples / peak * 0.9 * 32767).astype(np.int16)[None]
    with av.open(buffer, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=CODEC_RATE_HZ[codec], layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(pulses, format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(stream.format, "mono", stream.rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        resampler = av.AudioResampler("flt", "mono", RATE_HZ)
        parts = [
            f.to_ndarray()[0] for raw in container.decode(audio=0) for f in resampler.resample(raw)
        ]
    result = np.concatenate([*parts, np.zeros(len(samples), np.float32)])
    return np.asarray(_align(result, samples) * peak / 0.9, np.float32)


def _align(late: Array, samples: Array) -> Array:
    """Cut off what a codec has put before the sound: where the two agree most."""
    size = scipy.fft.next_fast_len(2 * len(samples), real=True)
    spectrum = scipy.fft.rfft(late[: len(samples)], size)
    spectrum *= np.conj(scipy.fft.rfft(samples, size))
    delay = int(scipy.fft.irfft(spectrum, size)[: RATE_HZ // 5].argmax())
    return late[delay : delay + len(samples)]


def add_sound(samples: Array, sound: Array, ratio_db: float) -> Array:
    """Samples (t,) and another sound (t,), so many decibels quieter than where they are loud."""
    loud = np.abs(samples) > 0.05 * np.abs(samples).max()
    power = float((samples[loud] ** 2).mean()) if loud.any() else 1e-4
    sound_power = float((sound**2).mean()) + 1e-12
    gain = np.sqrt(power / sound_power) * 10 ** (-ratio_db / 20)
    return np.asarray(samples + sound * np.float32(gain))


def disturb(samples: Array, rng: Rng, noises: Sequence[Array], music: Sequence[Array]) -> Array:
    """Samples (t,) as an everyday recording has them: some of all the above, at random."""
    room, band_limit = rng.random() < 0.35, rng.random() < 0.25
    result = colour(samples, rng, room, band_limit)
    draw = rng.random()
    if draw < 0.45:
        result = add_sound(result, draw_sound(noises, len(result), rng), rng.uniform(3, 35))
    elif draw < 0.65:
        result = add_sound(result, draw_sound(music, len(result), rng), rng.uniform(6, 30))
    if rng.random() < CODEC_SHARE:
        result = encode(result, rng)
    return result


def draw_sound(sounds: Sequence[Array], length: int, rng: Rng) -> Array:
    """A part (length,) of one of some sounds, which begins anew where it ends."""
    sound = sounds[int(rng.integers(len(sounds)))]
    return np.resize(np.roll(sound, -int(rng.integers(len(sound)))), length)
