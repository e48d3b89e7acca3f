"""Spans of a written text, which the grammars of gates, prompts, edits and regions are read by.

Each span knows where it stands, so that an error names the character to correct.
"""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from ..errors import InputError, quote
from ..text import check_text, parse_number

MAX_WORD_LENGTH = 40
"""No word of a grammar is longer; a longer one is not looked for."""

LIKENESS = 0.74
"""Words that have so much in common may be meant for each other: lisp and lips."""


class Span(NamedTuple):
    """A part of a written text, without spaces around it.

    It copies nothing until its own text is read, so that reading a text of many parts takes a time
    in proportion to its length.

    Attributes:
        kind: what the text is, for errors: `Gate`, `Prompt`.
        source: the text that the span is a part of.
        start, end: first character and the one after the last, counted from 0.
    """

    kind: str
    source: str
    start: int
    end: int

    @classmethod
    def from_text(cls, kind: str, source: str) -> "Span":
        """The span of a complete text.

        Raises:
            InputError: see `check_text`.
        """
        return cls(kind, check_text(kind, source), 0, len(source))._slice(0, len(source))

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.source[self.start : self.end]

    def split(self, separator: str) -> list["Span"]:
        """The parts between separators (a regular expression); empty ones are left out."""
        return [part for part in self._split(separator) if part.start < part.end]

    def split_strictly(self, separator: str, expected: str) -> list["Span"]:
        """The parts between separators (a regular expression), none of which may be empty.

        Raises:
            InputError: one is, and where it is missing.
        """
        parts = self._split(separator)
        for part in parts:
            if part.start == part.end:
                raise part.error(expected)
        return parts

    def _split(self, separator: str) -> list["Span"]:
        """The parts between separators, empty ones too."""
        parts, start = [], self.start
        for gap in re.compile(separator).finditer(self.source, self.start, self.end):
            parts.append(self._slice(start, gap.start()))
            start = gap.end()
        return [*parts, self._slice(start, self.end)]

    def partition(self, separator: str, expected: str) -> tuple["Span", "Span"]:
        """The parts before and after the first separator.

        Raises:
            InputError: there is no separator.
        """
        index = self.source.find(separator, self.start, self.end)
        if index < 0:
            raise self.error(expected)
        return self._slice(self.start, index), self._slice(index + len(separator), self.end)

    def remove_prefix(self, word: str) -> "Span | None":
        """The part after a word at the beginning; None if another word stands there."""
        match = re.compile(rf"{word}\b").match(self.source, self.start, self.end)
        return self._slice(match.end(), self.end) if match else None

    def parse_number(self) -> float:
        """The span as a finite number.

        Raises:
            InputError: it is none.
        """
        value = parse_number(self.text)
        if value is None:
            raise self.error("a number")
        return value

    def parse_numbers(self, separator: str, names: Sequence[str]) -> tuple[float, ...]:
        """One finite number for each name, with separators (plain text) between them.

        Raises:
            InputError: one is none, is missing or is too much, and where.
        """
        parts = self._split(re.escape(separator))
        values = []
        for i, name in enumerate(names):
            part = parts[i] if i < len(parts) else self._slice(self.end, self.end)
            if part.start == part.end:
                raise part.error(f"a number ({name})")
            values.append(part.parse_number())
        if len(parts) > len(names):
            surplus = Span(self.kind, self.source, parts[len(names) - 1].end, self.end)
            raise surplus.error(f"no more than {separator.join(names)}")
        return tuple(values)

    def check_word(self, words: Collection[str], expected: str = "") -> str:
        """The text of the span, if it is one of some words.

        Args:
            expected: the words, for the error, where they are too many to be listed.

        Raises:
            InputError: it is another; names those that look like it.
        """
        if self.text not in words:
            raise self.error(expected or " or ".join(words), find_similar(self.text, words))
        return self.text

    def parse_seconds(self, fps: float | None) -> float:
        """A time of 0 or more in seconds: `2.5`, `2.5s`, or `40f` where frames have a rate.

        Raises:
            InputError: it is none.
        """
        unit = self.text[-1:]
        in_frames = unit == "f" and fps is not None
        has_unit = unit == "s" or in_frames
        number = self._slice(self.start, self.end - 1) if has_unit else self
        value = number.parse_number()
        if value < 0:
            raise self.error("a time of 0 or more")
        return value / fps if in_frames and fps else value

    def error(self, expected: str, similar: Collection[str] = ()) -> InputError:
        """The error to raise for this span: what stands here instead of what was expected.

        Args:
            similar: words that may be meant.
        """
        advice = f"Write {' or '.join(similar)} there." if similar else "Correct it there."
        return InputError(
            f"{self.kind} {quote(self.source)}: expected {expected} at character "
            f"{self.start + 1}, got {self._describe()}. {advice}"
        )

    def _describe(self) -> str:
        """What stands here, for an error; of an empty span what follows it."""
        next_word = re.compile(r"\w+|\S").match(self.source, self.start)
        text = self.text or (next_word[0] if next_word else "")
        return quote(text) if text else "nothing"

    def _slice(self, start: int, end: int) -> "Span":
        """From one place of the source to another, without the spaces at its ends."""
        source = self.source
        while start < end and source[start].isspace():
            start += 1
        while start < end and source[end - 1].isspace():
            end -= 1
        return Span(self.kind, source, start, end)


def find_similar(text: str, words: Collection[str]) -> list[str]:
    """Those of some words that a text may stand for, at most two: of other case, or misspelled."""
    by_small_letters = {word.lower(): word for word in words}
    matches = get_close_matches(text[:MAX_WORD_LENGTH].lower(), by_small_letters, 2, LIKENESS)
    return [by_small_letters[word] for word in matches]
