"""Reading what a person writes: pieces of a text that know where they stand in it."""

import math
import re
from dataclasses import dataclass, replace

from .errors import InputError


@dataclass(frozen=True)
class Piece:
    """A part of a written text, without spaces around it.

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
        """All of a text."""
        return cls(kind, whole, 0, len(whole))._stripped()

    @property
    def text(self) -> str:
        """The part itself."""
        return self.whole[self.start : self.end]

    def split(self, separator: str) -> list["Piece"]:
        """The parts between separators (a regular expression); empty ones are left out."""
        gaps = [match.span() for match in re.finditer(separator, self.text)]
        starts = [0, *(end for _, end in gaps)]
        ends = [*(start for start, _ in gaps), len(self.text)]
        parts = [self._part(a, b) for a, b in zip(starts, ends, strict=True)]
        return [part for part in parts if part.text]

    def divided(self, separator: str, expected: str) -> tuple["Piece", "Piece"]:
        """What stands before and after the first separator.

        Raises:
            InputError: there is none.
        """
        at = self.text.find(separator)
        if at < 0:
            raise self.error(expected)
        return self._part(0, at), self._part(at + len(separator), len(self.text))

    def after(self, word: str) -> "Piece | None":
        """What follows a word at the beginning; None if another word stands there."""
        match = re.match(rf"{word}\b", self.text)
        return self._part(match.end(), len(self.text)) if match else None

    def number(self) -> float:
        """The part as a finite number."""
        try:
            value = float(self.text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error("a number")
        return value

    def seconds(self, fps: float | None) -> float:
        """A time of 0 or more: `2.5`, `2.5s`, or `40f` where frames have a rate."""
        unit = self.text[-1:]
        in_frames = unit == "f" and fps is not None
        value = (self._part(0, len(self.text) - 1) if unit == "s" or in_frames else self).number()
        if value < 0:
            raise self.error("a time of 0 or more")
        return value / fps if in_frames and fps else value

    def error(self, expected: str) -> InputError:
        """Says what is wrong here, to be raised."""
        return InputError(
            f"{self.kind} '{self.whole}': expected {expected} at character {self.start + 1}, got "
            f"'{self.text}'. Correct it there."
        )

    def _part(self, start: int, end: int) -> "Piece":
        return replace(self, start=self.start + start, end=self.start + end)._stripped()

    def _stripped(self) -> "Piece":
        text = self.text
        before, after = len(text) - len(text.lstrip()), len(text) - len(text.rstrip())
        return replace(
            self, start=self.start + before, end=max(self.end - after, self.start + before)
        )
