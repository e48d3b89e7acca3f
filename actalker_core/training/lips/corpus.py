"""Speech whose lips are known, on disk: a file for each voice, made once."""

import logging
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...control.motion.lips.features import HOP, RATE_HZ
from ...errors import InputError
from ...media.audio import resample
from .articulation import Phone, move_lips
from .babble import babble
from .espeak import OWN_VARIANT, Espeak, link_data
from .festival import FESTIVAL_VOICES, speak_festival, speak_flite
from .recordings import speak_librivox
from .texts import collect_sentences
from .variants import draw_variant
from .voices import CorpusVoice, list_voices

log = logging.getLogger("actalker_core")

Saying = tuple[NDArray[np.float32], int, list[Phone]]
BATCH = 20
"""Sentences that are said at one pace."""
MIN_STRETCH, MAX_STRETCH = 0.75, 1.35
MIN_SECONDS = 0.5
FULL_SCALE = 32767


@dataclass(frozen=True)
class VoiceSpeech:
    """What one voice says.

    Attributes:
        samples: (rows · HOP,) int16 at `RATE_HZ`. columns: (rows, 6) of a `MouthTrack`.
        starts: (sentences + 1,) rows at which sentences begin, and the end.
    """

    voice: CorpusVoice
    samples: NDArray[np.int16]
    columns: NDArray[np.float32]
    starts: NDArray[np.int64]


def make_corpus(folder: Path, minutes: float) -> bool:
    """Let every voice speak that has no file yet; whether all have one in the end."""
    deadline = time.monotonic() + 60 * minutes
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")
    # What the first call imports takes longer than a voice does: no process does it again.
    resample(np.zeros(HOP, np.float32), 2 * RATE_HZ, RATE_HZ)
    for voice in list_voices():
        path = folder / f"{voice.name}.npz"
        if path.is_file():
            continue
        if time.monotonic() > deadline:
            return False
        # Each in a process of its own: espeak-ng keeps what a voice has changed. What is read here
        # the process finds read.
        collect_sentences(voice.texts)
        worker = context.Process(target=_write_voice, args=(voice, path))
        worker.start()
        worker.join()
        if not path.is_file():
            log.warning("%s: has said nothing; it is left out.", voice.name)
    return True


def _write_voice(voice: CorpusVoice, path: Path) -> None:
    rng = np.random.default_rng(voice.seed)
    pieces, tracks, rows = [], [], [0]
    for samples, rate_hz, phones in _say(voice, rng):
        sound = resample(samples, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else samples
        count = len(sound) // HOP
        if count * HOP < MIN_SECONDS * RATE_HZ:
            continue
        pieces.append(sound[: count * HOP])
        tracks.append(move_lips(phones, count).columns)
        rows.append(rows[-1] + count)
        if rows[-1] * HOP >= voice.seconds * RATE_HZ:
            break
    if not pieces:
        return
    pulses = (np.concatenate(pieces).clip(-1, 1) * FULL_SCALE).astype(np.int16)
    part = path.with_suffix(".part.npz")
    np.savez(part, samples=pulses, columns=np.concatenate(tracks).astype(np.float16), starts=rows)
    part.replace(path)


def _say(voice: CorpusVoice, rng: np.random.Generator) -> Iterator[Saying]:
    if voice.synthesiser == "babble":
        yield from babble(rng)
        return
    if voice.synthesiser == "recording":
        yield from speak_librivox()
        return
    sentences = list(collect_sentences(voice.texts))
    rng.shuffle(sentences)
    if voice.synthesiser == "espeak":
        yield from _say_by_espeak(voice, sentences, rng)
        return
    for first in range(0, len(sentences), BATCH):
        stretch = float(np.exp(rng.uniform(np.log(MIN_STRETCH), np.log(MAX_STRETCH))))
        batch = sentences[first : first + BATCH]
        if voice.synthesiser == "flite":
            yield from speak_flite(voice.voice, batch, stretch)
        else:
            yield from speak_festival(FESTIVAL_VOICES[voice.voice], batch, stretch)


def _say_by_espeak(
    voice: CorpusVoice, sentences: Sequence[str], rng: np.random.Generator
) -> Iterator[Saying]:
    rate, pitch, pitch_range = rng.integers((110, 20, 25), (240, 85, 85)).tolist()
    with TemporaryDirectory() as name:
        data = None
        if voice.voice.endswith(f"+{OWN_VARIANT}"):
            data = Path(name)
            link_data(data, draw_variant(rng))
        espeak = Espeak(voice.voice, rate, pitch, pitch_range, data)
        for sentence in sentences:
            samples, phones = espeak.speak(sentence)
            yield samples, espeak.rate_hz, phones


def read_corpus(folder: Path, parts: Sequence[str]) -> list[VoiceSpeech]:
    """The voices of some parts that have a file.

    Raises:
        InputError: there is none.
    """
    speeches = []
    for voice in list_voices():
        path = folder / f"{voice.name}.npz"
        if voice.part in parts and path.is_file():
            with np.load(path) as file:
                columns = file["columns"].astype(np.float32)
                speeches.append(VoiceSpeech(voice, file["samples"], columns, file["starts"]))
    if not speeches:
        raise InputError(
            f"{folder}: expected speech of {' or '.join(parts)}, got none. Make it first, by "
            "`python -m actalker_core.training lips corpus`."
        )
    return speeches
