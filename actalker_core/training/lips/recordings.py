"""A person who really spoke: sentences of a LibriVox reader that PocketSphinx is tested with.

Debian's `pocketsphinx-testdata` has them with their words. Phones are found by aligning the words
with the sound, to 10 ms, by PocketSphinx, whose table says how English words sound.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...errors import InputError
from .articulation import RELEASE, Phone
from .festival import BREATHY_STOP_SHARES
from .phonesets import ENGLISH, to_ipa

Array = NDArray[np.float32]

FOLDER = Path("/usr/share/pocketsphinx/test/data/librivox")
FRAME_SECONDS = 0.01
FULL_SCALE = 32767
_LINE = re.compile(r"<s> (.*) </s> \((.*)\)")


def speak_librivox() -> Iterator[tuple[Array, int, list[Phone]]]:
    """Samples (t,), their rate and phones, of each sentence; none without the package.

    Raises:
        InputError: PocketSphinx is not installed.
    """
    page = FOLDER / "transcription"
    lines = page.read_text("utf-8").splitlines() if page.is_file() else []
    for line in lines:
        match = _LINE.match(line)
        if match:
            samples, rate_hz = soundfile.read(FOLDER / f"{match[2]}.wav", dtype="float32")
            yield samples, rate_hz, align_phones(samples, match[1])


def align_phones(samples: Array, words: str) -> list[Phone]:
    """Phones of English words in samples (t,) at 16 kHz, in order.

    Raises:
        InputError: PocketSphinx is not installed, or does not know the words.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise InputError(
            "PocketSphinx is not installed, which aligns recordings: `pip install pocketsphinx` "
            "into an environment of its own."
        ) from error
    decoder = Decoder(lm=None, loglevel="FATAL")
    pulses = (samples * FULL_SCALE).astype(np.int16).tobytes()
    try:
        decoder.set_align_text(words)
        _decode(decoder, pulses)
        decoder.set_alignment()
        _decode(decoder, pulses)
        entries = [entry for word in decoder.get_alignment() for entry in word]
    except (RuntimeError, TypeError) as error:
        raise InputError(f"PocketSphinx: expected words that it knows, got '{words}'.") from error
    phones = []
    for entry in entries:
        name = entry.name.lower()
        start, end = entry.start * FRAME_SECONDS, (entry.start + entry.duration) * FRAME_SECONDS
        ipa = "" if name == "sil" or name.startswith("+") else to_ipa(name, ENGLISH)
        share = BREATHY_STOP_SHARES.get(name)
        if share is None:
            phones.append(Phone(ipa, start, end))
        else:
            middle = start + share * (end - start)
            phones += [Phone(ipa, start, middle), Phone(RELEASE, middle, end)]
    return phones


def _decode(decoder: object, pulses: bytes) -> None:
    decoder.start_utt()  # type: ignore[attr-defined]
    decoder.process_raw(pulses, full_utt=True)  # type: ignore[attr-defined]
    decoder.end_utt()  # type: ignore[attr-defined]
