"""Spans of a written text, which the grammars of gates, prompts, edits and regions are read by.

Each span knows where it stands, so that an error names the character to correct.
"""

import re
from typing import NamedTuple

from ..errors import InputError, quote
from ..text import check_text, parse_number


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
        parts, start = [], self.start
        for gap in re.compile(separator).finditer(self.source, self.start, self.end):
            parts.append(self._slice(start, gap.start()))
            start = gap.end()
        parts.append(self._slice(start, self.end))
        return [part for part in parts if part.start < part.end]

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

    def error(self, expected: str) -> InputError:
        """The error to raise for this span: what stands here instead of what was expected."""
        return InputError(
            f"{self.kind} {quote(self.source)}: expected {expected} at character "
            f"{self.start + 1}, got {quote(self.text)}. Correct it there."
        )

    def _slice(self, start: int, end: int) -> "Span":
        """From one place of the source to another, without the spaces at its ends."""
        source = self.source
        while start < end and source[start].isspace():
            start += 1
        while start < end and source[end - 1].isspace():
            end -= 1
        return Span(self.kind, source, start, end)
