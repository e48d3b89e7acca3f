"""What a word on the command line may be."""

import argparse
import math
from pathlib import Path

from ..faces import Box
from ..sampler.guidance import Scale

WHOLE: Box = (0.0, 0.0, math.inf, math.inf)
"""Stands for the whole picture until its size is known."""


def box(text: str) -> Box:
    """`x0,y0,x1,y1` in pixels, or `whole`."""
    if text == "whole":
        return WHOLE
    try:
        x0, y0, x1, y1 = (float(edge) for edge in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected x0,y0,x1,y1 in pixels, or whole, got '{text}'"
        ) from None
    return x0, y0, x1, y1


def scale(text: str) -> Scale:
    """A number, or `start:end`."""
    first, _, last = text.partition(":")
    try:
        value = float(first), float(last or first)
    except ValueError:
        value = math.nan, math.nan
    if not all(map(math.isfinite, value)):
        raise argparse.ArgumentTypeError(f"expected a number or start:end, got '{text}'")
    return value


def aspect(text: str) -> float:
    """`16:9`, or width divided by height."""
    width, _, height = text.partition(":")
    try:
        value = float(width) / float(height or 1)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected width:height, got '{text}'")
    return value


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return value


def rate(text: str) -> float:
    """Frames per second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 120:
        raise argparse.ArgumentTypeError(f"expected frames per second in 1…120, got '{text}'")
    return value


def finite(text: str) -> float:
    """A number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, got '{text}'")
    return value


def region(text: str) -> Path | str:
    """A picture or clip that is there, else parts of a face."""
    path = Path(text)
    return path if path.is_file() or path.suffix else text
