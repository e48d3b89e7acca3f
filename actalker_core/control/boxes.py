"""Boxes of faces as people write them: `x0,y0,x1,y1` in pixels."""

from ..faces.box import MAX_COORDINATE_PX, Box
from .grammar import Span

EDGES = ("x0", "y0", "x1", "y1")


def parse_box(text: str) -> Box:
    """Four edges in pixels; x1 lies beyond x0 and y1 beyond y0, by a pixel at least.

    Raises:
        InputError: says which number cannot be used and where it stands.
    """
    span = Span.from_text("Face box", text)
    x0, y0, x1, y1 = span.parse_numbers(",", EDGES)
    lowest = (-MAX_COORDINATE_PX, -MAX_COORDINATE_PX, x0 + 1, y0 + 1)
    for name, number, start in zip(EDGES, span.split(","), lowest, strict=True):
        if not start <= number.parse_number() <= MAX_COORDINATE_PX:
            raise number.error(f"{name} from {start:g} to {MAX_COORDINATE_PX:,}")
    return x0, y0, x1, y1
