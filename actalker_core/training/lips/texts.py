"""Sentences to say, out of what Debian has in many languages: manual pages and fortunes."""

import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

MANUALS = Path("/usr/share/man")
FORTUNES = Path("/usr/share/games/fortunes")
FORTUNE_FOLDERS = {
    "cs": "cs",
    "de": "de",
    "es": "es",
    "it": "it",
    "pl": "pl",
    "ru": "ru",
    "bg": "bg",
}
ENGLISH_FORTUNES = ("literature", "people", "wisdom", "love", "work", "science", "kids", "fortunes")
MAX_PAGES = 250
MIN_LENGTH, MAX_LENGTH = 25, 110
MIN_LETTERS = 0.9
"""Share of a sentence that is letters and spaces: the rest of a manual is commands and signs."""

_MACRO = re.compile(r"\\f.|\\[&|^/,]|\\\(..|\\\[[^]]*\]|\\\*.|\\-|\\e|\\s[+-]?\d")
_END = re.compile(r"(?<=[.!?:;,])\s+|\s*%\s*")


@cache
def collect_sentences(language: str) -> tuple[str, ...]:
    """Sentences of a language of the manuals' folders, `en` for the fortunes; maybe none.

    What the machine's packages hold decides; each once, in an order that is always the same.
    """
    sentences = {sentence for text in _read_texts(language) for sentence in _split(text)}
    result = sorted(sentences)
    np.random.default_rng(0).shuffle(result)
    return tuple(result)


def _read_texts(language: str) -> Iterator[str]:
    folder = FORTUNES / FORTUNE_FOLDERS.get(language, "-")
    names = [FORTUNES / name for name in ENGLISH_FORTUNES] if language == "en" else []
    files = [*names, *(sorted(folder.iterdir()) if folder.is_dir() else [])]
    for path in files:
        if path.is_file() and path.suffix not in (".dat", ".u8"):
            yield re.sub(r"\s+", " ", path.read_text("utf-8", "ignore"))
    for path in sorted((MANUALS / language).glob("man*/*.gz"))[:MAX_PAGES]:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8", "ignore").split("\n")
        words = (_MACRO.sub("", line) for line in lines if line[:1] not in (".", "'", ""))
        yield " ".join(words)


def _split(text: str) -> Iterator[str]:
    for piece in _END.split(text):
        sentence = piece.strip(" -%\"'*()")
        letters = sum(sign.isalpha() or sign == " " for sign in sentence)
        if MIN_LENGTH <= len(sentence) <= MAX_LENGTH and letters > MIN_LETTERS * len(sentence):
            yield sentence
