"""Checks of texts that people write, and numbers read from them."""

import math
import re

from .errors import InputError, quote
from .limits import MAX_TEXT_LENGTH

UNWRITABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, and halves of surrogate pairs, which UTF-8 does not have."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")


def check_text(kind: str, value: object) -> str:
    """Return a value if it is a usable text; ComfyUI's links and its HTTP API bring anything.

    Args:
        kind: what the text is, for errors: `Gate`, `Prompt`.

    Raises:
        InputError: it is no text, is too long, or cannot be written as UTF-8.
    """
    if not isinstance(value, str):
        raise InputError(
            f"{kind}: expected a text, got {quote(value)} ({type(value).__name__}). Write or "
            "connect a text."
        )
    if len(value) > MAX_TEXT_LENGTH:
        raise InputError(
            f"{kind} {quote(value)}: expected at most {MAX_TEXT_LENGTH:,} characters, got "
            f"{len(value):,}. Shorten it."
        )
    unwritable = UNWRITABLE.search(value)
    if unwritable:
        raise InputError(
            f"{kind} {quote(value)}: expected characters that can be written, got "
            f"{quote(unwritable[0])} at character {unwritable.start() + 1}. Write it anew."
        )
    return value


def parse_number(text: str) -> float | None:
    """A finite number in ASCII digits, such as `2`, `.5` or `1e-3`; None for all else.

    Python's `float` also reads `1_0`, digits of other scripts, `nan` and `inf`.
    """
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def parse_whole_number(text: str) -> int | None:
    """A whole number in at most 20 ASCII digits; None for all else."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None
