"""Reading what a person writes: pieces of a text that know where they stand in it."""

import math
import re
from typing import NamedTuple

from .errors import InputError, quoted

LONGEST_TEXT = 250_000
"""Characters; some 20,000 keys of a gate. A longer text is a file in the wrong place."""

NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
"""NUL, and halves of surrogate pairs, which UTF-8 does not have."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")


def check_text(kind: str, value: object) -> str:
    """What should be a text, as ComfyUI's links and its HTTP API bring anything.

    Args:
        kind: what the text is, for errors: `Gate`, `Prompt`.

    Raises:
        InputError: it is none, is too long, or cannot be written as UTF-8.
    """
    if not isinstance(value, str):
        raise InputError(
            f"{kind}: expected a text, got {quoted(value)} ({type(value).__name__}). Write or "
            "connect a text."
        )
    if len(value) > LONGEST_TEXT:
        raise InputError(
            f"{kind} {quoted(value)}: expected at most {LONGEST_TEXT:,} characters, got "
            f"{len(value):,}. Shorten it."
        )
    wrong = NO_CHARACTER.search(value)
    if wrong:
        raise InputError(
            f"{kind} {quoted(value)}: expected characters that can be written, got "
            f"{quoted(wrong[0])} at character {wrong.start() + 1}. Write it anew."
        )
    return value


def parse_number(text: str) -> float | None:
    """A finite number in ASCII digits, such as `2`, `.5` or `1e-3`; None for all else.

    Python itself also reads `1_0`, digits of other scripts, `nan` and `inf`.
    """
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def parse_whole_number(text: str) -> int | None:
    """A whole number in at most 20 ASCII digits; None for all else."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None


class Piece(NamedTuple):
    """A part of a written text, without spaces around it.

    It copies nothing of the text until it is asked for its own part, so that a text of many parts
    is read in a time in proportion to its length.

    Attributes:
        kind: what the text is, for errors: `Gate`, `Prompt`.
        whole: all of it.
        start, end: where the part stands.
    """

    kind: str
    whole: str
    start: int
    end: int

    @classmethod
    def of(cls, kind: str, whole: str) -> "Piece":
        """All of a text; raises as `check_text` does."""
        return cls(kind, check_text(kind, whole), 0, len(whole))._part(0, len(whole))

    @property
    def text(self) -> str:
        """The part itself."""
        return self.whole[self.start : self.end]

    def split(self, separator: str) -> list["Piece"]:
        """The parts between separators (a regular expression); empty ones are left out."""
        parts, start = [], self.start
        for gap in re.compile(separator).finditer(self.whole, self.start, self.end):
            parts.append(self._part(start, gap.start()))
            start = gap.end()
        parts.append(self._part(start, self.end))
        return [part for part in parts if part.start < part.end]

    def divided(self, separator: str, expected: str) -> tuple["Piece", "Piece"]:
        """What stands before and after the first separator.

        Raises:
            InputError: there is none.
        """
        at = self.whole.find(separator, self.start, self.end)
        if at < 0:
            raise self.error(expected)
        return self._part(self.start, at), self._part(at + len(separator), self.end)

    def after(self, word: str) -> "Piece | None":
        """What follows a word at the beginning; None if another word stands there."""
        match = re.compile(rf"{word}\b").match(self.whole, self.start, self.end)
        return self._part(match.end(), self.end) if match else None

    def number(self) -> float:
        """The part as a finite number."""
        value = parse_number(self.text)
        if value is None:
            raise self.error("a number")
        return value

    def seconds(self, fps: float | None) -> float:
        """A time of 0 or more: `2.5`, `2.5s`, or `40f` where frames have a rate."""
        unit = self.text[-1:]
        in_frames = unit == "f" and fps is not None
        has_unit = unit == "s" or in_frames
        value = (self._part(self.start, self.end - 1) if has_unit else self).number()
        if value < 0:
            raise self.error("a time of 0 or more")
        return value / fps if in_frames and fps else value

    def error(self, expected: str) -> InputError:
        """Says what is wrong here, to be raised."""
        return InputError(
            f"{self.kind} {quoted(self.whole)}: expected {expected} at character {self.start + 1}, "
            f"got {quoted(self.text)}. Correct it there."
        )

    def _part(self, start: int, end: int) -> "Piece":
        """From one place of the whole text to another, without the spaces at its ends."""
        whole = self.whole
        while start < end and whole[start].isspace():
            start += 1
        while start < end and whole[end - 1].isspace():
            end -= 1
        return Piece(self.kind, whole, start, end)
