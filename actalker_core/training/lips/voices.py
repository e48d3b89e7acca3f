"""Who speaks in the corpus: voices to learn from, and languages and voices held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .espeak import OWN_VARIANT

TRAINING, VALIDATION = "training", "validation"
LANGUAGES_HELD_OUT, HUMAN_HELD_OUT = "languages", "human"
"""Parts of the corpus: what is learnt from; other languages, variants of espeak-ng and a man, by
whom thresholds and steps are chosen; and what is measured at the end alone: unseen languages by
unseen variants, and an unseen woman."""

LANGUAGES = {
    "en-us": "en", "en": "en", "en-gb-scotland": "en", "en-us-nyc": "en", "es": "es",
    "es-419": "es", "fr": "fr", "fr-be": "fr", "de": "de", "it": "it", "pl": "pl", "cs": "cs",
    "ru": "ru", "hu": "hu", "fi": "fi", "nl": "nl", "da": "da", "nb": "nb",
    "bg": "bg", "sr": "sr", "vi": "vi", "pt": "pt_BR", "sk": "cs", "ca": "es", "la": "it",
    "eo": "it", "sw": "id", "af": "nl", "lt": "pl",
}  # fmt: skip
"""Languages of espeak-ng to learn from, and whose sentences they say; some have none and say those
of a language that is spelt alike."""
UNSEEN_LANGUAGES = {"tr": "tr", "sv": "sv", "ro": "ro", "pt-br": "pt_BR", "id": "id"}
_VARIANT_NAMES = """
Alex Andrea Andy Annie Denis Diogo Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike
Nguyen RicishayMax Storm adam anika announcer antonio aunty belinda benjamin boris caleb
david ed edward f1 f2 f3 f5 grandma grandpa iven iven3 john klatt klatt2 klatt3 klatt6 m1
m2 m3 m4 m5 m6 m8 marcelo max michel miguel norbert pablo paul pedro quincy rob robert
sandro shelby steph2 travis victor whisper zac
"""
VALIDATION_LANGUAGES = {"uk": "uk", "et": "fi", "sq": "it"}
VALIDATION_VARIANTS = ("f5", "m8", "Mike", "klatt6", "grandma", "iven3", OWN_VARIANT, OWN_VARIANT)
VARIANTS = tuple(name for name in _VARIANT_NAMES.split() if name not in VALIDATION_VARIANTS)
UNSEEN_VARIANTS = ("f4", "m7", "Gene", "linda", "klatt4", "Alicia", "steph", "edward2")
VARIANTS_OF_A_LANGUAGE, DRAWN_OF_A_LANGUAGE = 6, 10
BABBLE_VOICES = 24
FLITE_SENTENCES = {"kal": "en", "kal16": "en", "awb": "en", "rms": "en"}
FESTIVAL_SENTENCES = {
    "ked": "en", "lp": "it", "pc": "it", "dita": "cs", "krb": "cs", "machac": "cs",
    "lj": "fi", "mv": "fi", "nsh": "ru", "ona": "es",
}  # fmt: skip
"""Voices of people, and the language of what they say."""
VALIDATION_SENTENCES = {"ph": "cs"}


@dataclass(frozen=True)
class CorpusVoice:
    """One voice of the corpus.

    Attributes:
        part: `TRAINING` or what it is held out for.
        synthesiser: `espeak`, `flite`, `festival`, the pack's own `babble`, or none: `recording`.
        voice: what that calls it.
        texts: the language of its sentences. seconds: how long it speaks.
        seed: of its sentences, rate and pitch.
    """

    part: str
    synthesiser: str
    voice: str
    texts: str
    seconds: float
    seed: int

    @property
    def is_human(self) -> bool:
        """Whether it is a person's, or cut out of recordings of one."""
        return self.synthesiser in ("flite", "festival", "recording")

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.part}-{self.synthesiser}-{self.voice}-{self.seed}"


def list_voices() -> Iterator[CorpusVoice]:
    """All voices of the corpus; the same ones each time."""
    for seed, (voice, texts) in enumerate(FLITE_SENTENCES.items()):
        yield CorpusVoice(TRAINING, "flite", voice, texts, 1500, seed)
    for seed, (voice, texts) in enumerate(FESTIVAL_SENTENCES.items()):
        yield CorpusVoice(TRAINING, "festival", voice, texts, 1500, seed)
    for seed in range(BABBLE_VOICES):
        yield CorpusVoice(TRAINING, "babble", "any", "en", 25, seed)
    for seed, (voice, texts) in enumerate(VALIDATION_SENTENCES.items()):
        yield CorpusVoice(VALIDATION, "festival", voice, texts, 300, seed)
    yield CorpusVoice(HUMAN_HELD_OUT, "flite", "slt", "en", 600, 100)
    yield CorpusVoice(HUMAN_HELD_OUT, "festival", "slt_hts", "en", 300, 101)
    yield CorpusVoice(HUMAN_HELD_OUT, "recording", "librivox", "en", 60, 102)
    yield from _list_espeak()


def _list_espeak() -> Iterator[CorpusVoice]:
    rng = np.random.default_rng(1)
    for part, languages, variants in (
        (LANGUAGES_HELD_OUT, UNSEEN_LANGUAGES, UNSEEN_VARIANTS),
        (VALIDATION, VALIDATION_LANGUAGES, VALIDATION_VARIANTS),
    ):
        for language, texts in languages.items():
            for variant in variants:
                seed = int(rng.integers(1 << 30))
                yield CorpusVoice(part, "espeak", f"{language}+{variant}", texts, 40, seed)
    for round_ in range(VARIANTS_OF_A_LANGUAGE + DRAWN_OF_A_LANGUAGE):
        for language, texts in LANGUAGES.items():
            variant = VARIANTS[int(rng.integers(len(VARIANTS)))]
            if round_ >= VARIANTS_OF_A_LANGUAGE:
                variant = OWN_VARIANT
            seed = int(rng.integers(1 << 30)) + round_
            yield CorpusVoice(TRAINING, "espeak", f"{language}+{variant}", texts, 40, seed)
