"""Each of the pack's own types has a colour, unlike the others and legible on dark and on light."""

import json
import re
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "web/js/type_colors.js").read_text("utf-8")
COLORS = dict(re.findall(r'^ +(ACTALKER_\w+): "(#[0-9a-f]{6})",$', SCRIPT, re.MULTILINE))
NODES = json.loads((ROOT / "tests/nodes/snapshot.json").read_text("utf-8"))

DARK, LIGHT = "#353535", "#ffffff"
"""Of nodes, in the front end's own palettes."""
LEAST_CONTRAST = 2.5
LEAST_DISTANCE = 0.15
"""Euclidean in Oklab, where 0.02 is just seen."""
# Source: https://bottosson.github.io/posts/oklab
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def types() -> set[str]:
    """Of all inputs and outputs, ComfyUI's own left out."""
    kinds = {kind for node in NODES.values() for kind in node["output"]}
    for node in NODES.values():
        for inputs in node["input"].values():
            kinds |= {str(kind) for kind, *_ in inputs.values()}
    return {name for kind in kinds for name in kind.split(",") if name.startswith("ACTALKER_")}


def linear(color: str) -> list[float]:
    values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def contrast(first: str, second: str) -> float:
    weights = (0.2126, 0.7152, 0.0722)
    sums = (
        sum(w * v for w, v in zip(weights, linear(colour), strict=True))
        for colour in (first, second)
    )
    low, high = sorted(sums)
    return (high + 0.05) / (low + 0.05)


def oklab(color: str) -> list[float]:
    values = linear(color)
    cones = [sum(w * v for w, v in zip(row, values, strict=True)) ** (1 / 3) for row in TO_CONES]
    return [sum(w * v for w, v in zip(row, cones, strict=True)) for row in TO_LAB]


def test_every_own_type_has_a_colour_and_nothing_else_has() -> None:
    assert set(COLORS) == types()
    assert len(COLORS) >= 10


def test_colours_differ() -> None:
    for (first, a), (second, b) in combinations(COLORS.items(), 2):
        squares = ((x - y) ** 2 for x, y in zip(oklab(a), oklab(b), strict=True))
        assert sum(squares) ** 0.5 >= LEAST_DISTANCE, (first, second)


def test_colours_are_legible_on_dark_and_on_light() -> None:
    assert contrast("#000000", "#ffffff") == 21
    for name, color in COLORS.items():
        assert min(contrast(color, DARK), contrast(color, LIGHT)) >= LEAST_CONTRAST, name
