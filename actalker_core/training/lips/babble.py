"""Babble of the pack's own synthesiser with its phones."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...synthetic.speech import (
    CONSONANTS,
    RATE_HZ,
    SILENCE,
    VOWELS,
    Script,
    random_voice,
    synthesize_speech,
)
from .articulation import Phone

LETTERS = {"ae": "æ", "er": "ɝ", "sh": "ʃ"}
"""Of the IPA, where a phoneme of the synthesiser is called otherwise."""


def babble(rng: np.random.Generator) -> Iterator[tuple[NDArray[np.float32], int, list[Phone]]]:
    """Samples (t,), their rate and phones, of phrases of one voice without end."""
    voice = random_voice(rng)
    while True:
        names = [""]
        for _ in range(int(rng.integers(3, 10))):
            names += [str(rng.choice(list(CONSONANTS))), str(rng.choice(list(VOWELS)))]
        script: Script = []
        phones, start = [], 0.0
        for name in [*names, ""]:
            seconds = voice.pace * float(rng.uniform(0.06, 0.14 if name in CONSONANTS else 0.24))
            script.append(((CONSONANTS | VOWELS).get(name, SILENCE), seconds))
            phones.append(Phone(LETTERS.get(name, name), start, start + seconds))
            start += seconds
        yield synthesize_speech(script, start, voice, rng).samples, RATE_HZ, phones
