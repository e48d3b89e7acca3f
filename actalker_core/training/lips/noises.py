"""Sounds without speech: noise of many colours, and music that is composed by dice."""

import shutil
import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...control.motion.lips.features import RATE_HZ

Array = NDArray[np.float32]
Rng = np.random.Generator

SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    Path("/usr/share/sounds/sf2/default-GM.sf2"),
)
VOICES = (52, 53, 54, 85, 91)
"""Instruments that sing, and are no music without a mouth."""
SCALE = (0, 2, 4, 5, 7, 9, 11)
TICKS = 480
"""Of a MIDI file's quarter note."""
DRUM_CHANNEL = 9
DRUMS = (36, 38, 42, 46, 49, 45)
HUM_HZ = (50.0, 60.0)


def make_noise(rng: Rng, length: int) -> Array:
    """Noise (length,) of deviation 1: of any colour, steady or swelling, with hum or without."""
    spectrum = np.fft.rfft(rng.normal(size=length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / RATE_HZ), 20)
    gain = (hz / 1000) ** rng.uniform(-1.2, 0.3)
    if rng.random() < 0.4:  # a fan, a car: noise around some frequency
        centre_hz, octaves = np.exp(rng.uniform(np.log(100), np.log(4000))), rng.uniform(0.3, 1.5)
        gain *= 0.1 + np.exp(-0.5 * (np.log2(hz / centre_hz) / octaves) ** 2)
    noise = np.fft.irfft(spectrum * gain, length)
    noise /= noise.std()
    seconds = np.arange(length) / RATE_HZ
    if rng.random() < 0.3:
        swell = np.sin(2 * np.pi * rng.uniform(0.05, 3) * seconds + rng.uniform(0, 6))
        noise *= np.exp(rng.uniform(0.1, 0.9) * swell)
    if rng.random() < 0.3:
        base_hz = HUM_HZ[rng.integers(2)] * rng.choice([1, 2, 1.7, 3.1])
        for order in range(1, int(rng.integers(2, 12))):
            phase, level = rng.uniform(0, 6), rng.uniform(0, 2) / order
            noise += level * np.sin(2 * np.pi * base_hz * order * seconds + phase)
    if rng.random() < 0.15:  # knocks and clicks
        for place in rng.integers(0, length, rng.integers(1, 12)):
            end = min(int(place) + 1600, length)
            decay = np.exp(-np.arange(end - place) / rng.uniform(20, 400))
            noise[place:end] += rng.uniform(3, 15) * decay * rng.normal(size=end - place)
    return np.asarray(noise / noise.std(), np.float32)


def make_music(rng: Rng, seconds: float) -> Array:
    """Music (t,) of deviation 1: by fluidsynth where a sound font is there, else out of sines."""
    soundfont = next((path for path in SOUNDFONTS if path.is_file()), None)
    if soundfont is None or shutil.which("fluidsynth") is None:
        return synthesize_music(rng, seconds)
    with TemporaryDirectory() as name:
        score, wave = Path(name) / "score.mid", Path(name) / "music.wav"
        score.write_bytes(_compose(rng, seconds))
        command = ["fluidsynth", "-ni", "-q", "-r", str(RATE_HZ), "-F", str(wave)]
        subprocess.run([*command, str(soundfont), str(score)], check=True, capture_output=True)
        samples, _ = soundfile.read(wave, dtype="float32")
    music = samples.mean(1)[: round(seconds * RATE_HZ)]
    return np.asarray(music / max(music.std(), 1e-6), np.float32)


def _compose(rng: Rng, seconds: float) -> bytes:
    """A MIDI file: chords, a bass, a melody and drums, by dice, on any instruments."""
    beat_us = int(rng.uniform(350_000, 900_000))
    beats = int(seconds * 1e6 / beat_us) + 2
    root = int(rng.integers(45, 57))
    events: list[tuple[int, bytes]] = [(0, b"\xff\x51\x03" + beat_us.to_bytes(3, "big"))]
    for channel in range(3):
        instrument = int(rng.choice([i for i in range(112) if i not in VOICES]))
        events.append((0, bytes([0xC0 | channel, instrument])))
    has_part = rng.random(4) < (0.8, 0.7, 0.7, 0.7)
    has_part[int(rng.integers(4))] = True
    degree = 0
    for beat in range(beats):
        if beat % 4 == 0:
            degree = int(rng.integers(7))
        start = beat * TICKS
        if has_part[0] and beat % 2 == 0:
            for third in (0, 2, 4):
                _add_note(events, 0, root + _pitch(degree + third), start, 2 * TICKS, 80)
        if has_part[1]:
            _add_note(events, 1, root - 12 + _pitch(degree), start, TICKS, 90)
        if has_part[2] and rng.random() < 0.8:
            for half in range(int(rng.integers(1, 4))):
                pitch = root + 12 + _pitch(int(rng.integers(0, 9)))
                _add_note(events, 2, pitch, start + half * TICKS // 3, TICKS // 2, 95)
        if has_part[3]:
            _add_note(events, DRUM_CHANNEL, DRUMS[beat % 2], start, 100, 110)
            for half in (0, TICKS // 2):
                _add_note(events, DRUM_CHANNEL, 42, start + half, 60, int(rng.integers(40, 90)))
            if rng.random() < 0.2:
                drum = DRUMS[int(rng.integers(len(DRUMS)))]
                _add_note(events, DRUM_CHANNEL, drum, start + TICKS // 2, 100, 100)
    events.sort(key=lambda event: event[0])
    track, last_tick = b"", 0
    for tick, message in events:
        track += _variable_length(tick - last_tick) + message
        last_tick = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def _add_note(
    events: list[tuple[int, bytes]], channel: int, pitch: int, start: int, ticks: int, force: int
) -> None:
    key = min(max(pitch, 0), 127)
    events.append((start, bytes([0x90 | channel, key, force])))
    events.append((start + ticks, bytes([0x80 | channel, key, 0])))


def _pitch(degree: int) -> int:
    """Half tones of a degree of the scale."""
    return 12 * (degree // 7) + SCALE[degree % 7]


def _variable_length(number: int) -> bytes:
    """A number as MIDI files write it: seven bits a byte, the first ones first."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(0x80 | (number & 0x7F))
    return bytes(reversed(parts))


def synthesize_music(rng: Rng, seconds: float) -> Array:
    """Music (t,) of deviation 1 out of sines that ring out, and drums out of noise."""
    length = round(seconds * RATE_HZ)
    music = np.zeros(length + 4 * RATE_HZ)
    beat = rng.uniform(0.3, 0.8)
    base_hz = 440 * 2 ** (rng.integers(-24, -8) / 12)
    brightness, decay = rng.uniform(0.6, 2.2), rng.uniform(0.5, 4)
    has_drums = rng.random() < 0.7
    degree = 0
    for i in range(int(seconds / beat) + 1):
        place = int(i * beat * RATE_HZ)
        degree = int(rng.integers(7)) if i % 4 == 0 else degree
        pitches = [degree, degree + 2, degree + 4] if i % 2 == 0 else []
        pitches += [int(rng.integers(7, 16))] * (rng.random() < 0.8)
        for pitch in pitches:
            hz = base_hz * 2 ** (_pitch(pitch) / 12)
            t = np.arange(int(2.5 * RATE_HZ)) / RATE_HZ
            orders = np.arange(1, min(14, int(7500 / hz)) + 1)
            tones = [k**-brightness * np.sin(2 * np.pi * hz * k * t) for k in orders]
            ring = np.exp(-decay * t) * np.minimum(t / rng.uniform(0.003, 0.08), 1)
            music[place : place + len(t)] += np.sum(tones, axis=0) * ring * rng.uniform(0.4, 1)
        if has_drums and place + 4000 < len(music):
            t = np.arange(4000) / RATE_HZ
            hit = np.sin(2 * np.pi * (60 * t + 2 * np.exp(-40 * t))) * np.exp(-18 * t)
            snare = rng.normal(size=4000) * np.exp(-25 * t)
            music[place : place + 4000] += 2 * hit if i % 2 == 0 else 0.7 * snare
    music = music[:length]
    return np.asarray(music / max(music.std(), 1e-6), np.float32)
