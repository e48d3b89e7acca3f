"""What a word on the command line may be."""

import argparse
import errno
import math
import os
from collections.abc import Callable
from pathlib import Path

from ..control import boxes
from ..control.motion.signal import GROUPS
from ..errors import InputError, quote
from ..faces import Box
from ..faces.face import ORDERS
from ..limits import AMOUNT, ASPECT, GUIDANCE, Limits
from ..models.actalker.guidance import Scale
from ..text import parse_number, parse_whole_number

WHOLE_IMAGE: Box = (0.0, 0.0, math.inf, math.inf)
"""Stands for the whole image until its size is known."""


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1` in pixels, or `whole`."""
    if text == "whole":
        return WHOLE_IMAGE
    try:
        return boxes.parse_box(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{error} Or write whole.") from error


def parse_scale(text: str) -> Scale:
    """A number, or `start:end`."""
    first, _, last = text.partition(":")
    start, end = parse_number(first), parse_number(last or first)
    if start is None or end is None or not (GUIDANCE.contains(start) and GUIDANCE.contains(end)):
        raise _refusal(f"{GUIDANCE.expected}, or start:end", text)
    return start, end


def parse_aspect(text: str) -> float:
    """`16:9`, or width divided by height."""
    width, _, height = text.partition(":")
    w, h = parse_number(width), parse_number(height or "1")
    value = w / h if w is not None and h else math.nan
    if not ASPECT.contains(value):
        raise _refusal(f"width:height, {ASPECT.expected}", text)
    return value


def number_parser(limits: Limits) -> Callable[[str], float]:
    """A number between its limits."""

    def read(text: str) -> float:
        value = parse_number(text)
        if value is None or not limits.contains(value):
            raise _refusal(limits.expected, text)
        return value

    return read


def integer_parser(limits: Limits) -> Callable[[str], int]:
    """A whole number between its limits."""

    def read(text: str) -> int:
        value = parse_whole_number(text)
        if value is None or not limits.contains(value):
            raise _refusal(limits.expected, text)
        return value

    return read


def parse_face(text: str) -> str:
    """One of several faces."""
    if text not in ORDERS and parse_whole_number(text) is None:
        raise _refusal(f"{', '.join(ORDERS)}, or an index from the left", text)
    return text


def parse_amount(text: str) -> tuple[str, float]:
    """`group=strength`."""
    group, _, number = text.partition("=")
    value = parse_number(number)
    if group not in GROUPS or value is None or not AMOUNT.contains(value):
        raise _refusal(f"{' or '.join(GROUPS)}, = and {AMOUNT.expected}", text)
    return group, value


def parse_place(text: str) -> str:
    """The name of a file or folder that a system can have."""
    try:
        os.stat(text)
    except ValueError as error:  # it holds a NUL
        raise _refusal(f"a path ({error})", text) from None
    except OSError as error:
        if error.errno not in BEARABLE_ERRORS:
            raise _refusal(f"a path ({error.strerror})", text) from None
    return text


BEARABLE_ERRORS = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EINVAL}
"""Why a path may be used all the same, to be written or refused by whoever reads it."""


def parse_path(text: str) -> Path:
    """A file or folder."""
    return Path(parse_place(text))


def parse_region(text: str) -> Path | str:
    """The path of an image or video, else parts of a face."""
    try:
        is_file = os.path.isfile(text)
    except ValueError:
        is_file = False
    return parse_path(text) if is_file or Path(text).suffix else text


def _refusal(expected: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"expected {expected}, got {quote(text)}")
