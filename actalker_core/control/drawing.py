"""Regions drawn by hand, kept as a text: brush strokes and polygons over any region.

    polygon 0.3,0.6 0.7,0.6 0.5,0.9; erase brush 0.02 0.4,0.7 0.6,0.7

Steps are joined by `;` and drawn in their order. Points are shares of the image's width and height,
so that a drawing stays where it is on the face whatever part of the image the portrait is.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..faces.portrait import Crop
from ..limits import BRUSH_RADIUS, IMAGE_SHARE, Limits
from .grammar import Span

Points = NDArray[np.float64]

KIND = "Drawing"
POLYGON, BRUSH, ERASE, EMPTY = "polygon", "brush", "erase", "empty"
MAX_STEPS, MAX_POINTS = 1000, 20_000
"""Of a drawing: more are a file in the wrong place."""
DISC_CORNERS = 32
FINENESS = 3
"""Pixels are drawn so many times finer along each side, as OpenCV fills up to two pixels beyond an
outline; being odd, one of them lies in the middle of each."""
SUBPIXEL_BITS = 4
"""OpenCV takes corners in fractions of a pixel, as whole numbers of 1/16."""
FARTHEST_PX = 1e8
"""No corner lies further away, so that its number fits."""
RIM_PX = 2
"""OpenCV draws the borders of what lies outside along its own border."""
REGION, WHITE, BLACK = 0, 1, 2
"""What the last step that reached a pixel made of it."""
OUTLINE_ERROR_PX = 0.75
MAX_OUTLINES, MAX_OUTLINE_POINTS = 200, 4000
"""Of what a region is told by: at most 60 kB of text."""


@dataclass(frozen=True)
class Step:
    """A polygon or a brush stroke.

    Attributes:
        points: (n, 2) x and y as shares of the image's width and height.
        radius: of the brush, as a share of the image's width; None for a polygon.
        is_eraser: whether it takes away.
    """

    points: Points
    radius: float | None = None
    is_eraser: bool = False


@dataclass(frozen=True)
class Drawing:
    """What is drawn over a region.

    Attributes:
        steps: in their order.
        is_over_region: False where it begins from nothing instead.
    """

    steps: tuple[Step, ...] = ()
    is_over_region: bool = True


def parse_drawing(text: str) -> Drawing:
    """Read a drawing; an empty text changes nothing.

    Each step is `polygon` and at least three points, or `brush`, its radius and at least one
    point, each after `erase` where it takes away; or `empty`, which takes everything away.

    Raises:
        InputError: says what was expected, and at which character.
    """
    text_span = Span.from_text(KIND, text)
    spans = text_span.split("[;\n]")
    if len(spans) > MAX_STEPS:
        raise InputError(
            f"{KIND}: expected at most {MAX_STEPS:,} steps, got {len(spans):,}. Draw fewer."
        )
    steps: list[Step] = []
    is_over_region = True
    points = 0
    for span in spans:
        if span.text == EMPTY:
            steps, is_over_region = [], False
            continue
        steps.append(_parse_step(span))
        points += len(steps[-1].points)
        if points > MAX_POINTS:
            raise span.error(f"at most {MAX_POINTS:,} points")
    return Drawing(tuple(steps), is_over_region)


def _parse_step(span: Span) -> Step:
    eraser = span.remove_prefix(ERASE)
    shape = span if eraser is None else eraser
    corners = shape.remove_prefix(POLYGON)
    if corners is not None:
        points = [_parse_point(part) for part in corners.split(r"\s+")]
        if len(points) < 3:
            raise corners.error("at least three points, such as 0.3,0.6 0.7,0.6 0.5,0.9")
        return Step(np.array(points), None, eraser is not None)
    stroke = shape.remove_prefix(BRUSH)
    if stroke is None:
        raise shape.error(f"{POLYGON} or {BRUSH}, or {ERASE} before one of them, or {EMPTY}")
    parts = stroke.split(r"\s+")
    if len(parts) < 2:
        raise stroke.error("a radius and at least one point, such as 0.02 0.4,0.7")
    radius = _parse_share(parts[0], BRUSH_RADIUS)
    return Step(np.array([_parse_point(part) for part in parts[1:]]), radius, eraser is not None)


def _parse_point(span: Span) -> tuple[float, float]:
    coordinates = span.split(",")
    if len(coordinates) != 2:
        raise span.error("a point x,y in shares of the image's width and height")
    x, y = (_parse_share(part, IMAGE_SHARE) for part in coordinates)
    return x, y


def _parse_share(span: Span, bounds: Limits) -> float:
    value = span.parse_number()
    if not bounds.contains(value):
        raise span.error(bounds.expected)
    return value


def write_drawing(drawing: Drawing) -> str:
    """The text of a drawing, its numbers with four decimals."""
    parts = [] if drawing.is_over_region else [EMPTY]
    for step in drawing.steps:
        words = [ERASE] if step.is_eraser else []
        words += [POLYGON] if step.radius is None else [BRUSH, _write_share(step.radius)]
        words += [f"{_write_share(x)},{_write_share(y)}" for x, y in step.points.tolist()]
        parts.append(" ".join(words))
    return "; ".join(parts)


def _write_share(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")  # no minus before a zero


# Pixels ------------------------------------------------------------------------------------------


def apply_drawing(mask: Tensor, drawing: Drawing, crop: Crop) -> Tensor:
    """A region with a drawing over it, the same in every frame.

    Args:
        mask: (f, 1, H, W) in 0…1 of the portrait's size.
        crop: where the portrait lies in its image.

    Returns:
        (f, 1, H, W); 1 where the drawing adds, 0 where it takes away, else the mask.
    """
    if drawing.is_over_region and not drawing.steps:
        return mask
    height, width = crop.shape
    pixels: NDArray[np.uint8] = np.full(
        (height * FINENESS + 2 * RIM_PX, width * FINENESS + 2 * RIM_PX),
        REGION if drawing.is_over_region else BLACK,
        np.uint8,
    )
    for step in drawing.steps:
        value = BLACK if step.is_eraser else WHITE
        points = crop.place(step.points) * FINENESS
        if step.radius is None:
            cv2.fillPoly(pixels, [_to_corners(points)], (value,), shift=SUBPIXEL_BITS)
        else:
            ends = crop.place(np.array([[0.0, 0.0], [step.radius, 0.0]]))
            _draw_stroke(pixels, points, float(ends[1, 0] - ends[0, 0]) * FINENESS, value)
    middles = slice(RIM_PX + FINENESS // 2, -RIM_PX, FINENESS)
    changes = torch.from_numpy(pixels[middles, middles])
    return torch.where(changes == REGION, mask, (changes == WHITE).to(mask))


def _draw_stroke(pixels: NDArray[np.uint8], points: Points, radius_px: float, value: int) -> None:
    """A disc at each point (n, 2), and what a disc covers on its way to the next."""
    angles = 2 * np.pi * np.arange(DISC_CORNERS) / DISC_CORNERS
    disc = radius_px * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for point in points:
        cv2.fillConvexPoly(pixels, _to_corners(point + disc), (value,), shift=SUBPIXEL_BITS)
    for start, end in itertools.pairwise(points):
        length = float(np.hypot(*(end - start)))
        if length:
            dx, dy = (end - start) * (radius_px / length)
            side = np.array([-dy, dx])
            quad = np.stack([start + side, end + side, end - side, start - side])
            cv2.fillConvexPoly(pixels, _to_corners(quad), (value,), shift=SUBPIXEL_BITS)


def _to_corners(points: Points) -> NDArray[np.int32]:
    """Points (n, 2) as OpenCV takes them, whose whole numbers are the middles of pixels."""
    near = (points + RIM_PX - 0.5).clip(-FARTHEST_PX, FARTHEST_PX)
    return np.asarray(np.round(near * 2**SUBPIXEL_BITS), np.int32)


def outline_mask(mask: Tensor, crop: Crop) -> Drawing:
    """What is white of a mask (H, W) of the portrait's size, as a drawing of polygons.

    A region is then as short to tell as a drawing. It is within about a pixel of the mask, whose
    smallest parts are left out; of one that is full of them, such as noise, it is coarser.
    """
    pixels = _drop_specks((mask > 0.5).byte().cpu().numpy())
    # OpenCV walks through the middles of pixels, half a pixel inside of what is white.
    pixels = pixels.repeat(FINENESS, 0).repeat(FINENESS, 1)
    contours, hierarchy = cv2.findContours(pixels, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    depths: list[int] = []
    for row in [] if hierarchy is None else hierarchy[0]:  # parents come before what they hold
        depths.append(0 if row[3] < 0 else depths[row[3]] + 1)
    order = sorted(range(len(contours)), key=lambda i: -cv2.contourArea(contours[i]))
    largest = sorted(order[:MAX_OUTLINES], key=lambda i: depths[i])
    outlines = _simplify_outlines([contours[i] for i in largest])
    steps = [
        Step(crop.unplace((corners + 0.5) / FINENESS), None, is_eraser=depths[i] % 2 == 1)
        for i, corners in zip(largest, outlines, strict=True)
        if len(corners) > 2
    ]
    return Drawing(tuple(steps), is_over_region=False)


def _drop_specks(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All but the largest parts and the largest gaps of 0 and 1 (H, W).

    OpenCV takes minutes for the tree of a hundred thousand contours.
    """
    for value, connectivity in ((1, 8), (0, 4)):
        is_value: NDArray[np.uint8] = (pixels == value).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            is_value, connectivity=connectivity
        )
        is_speck = np.zeros(count, bool)
        order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
        is_speck[1 + order[MAX_OUTLINES:]] = True
        pixels = np.where(is_speck[labels], 1 - value, pixels).astype(np.uint8)
    return pixels


def _simplify_outlines(contours: list[Any]) -> list[NDArray[np.int32]]:
    """Corners (n, 2) of each, as few in all as a region may have."""
    for doublings in itertools.count():
        error_px = OUTLINE_ERROR_PX * FINENESS * 2**doublings
        outlines = [cv2.approxPolyDP(line, error_px, closed=True)[:, 0] for line in contours]
        if sum(map(len, outlines)) <= MAX_OUTLINE_POINTS:
            return outlines
    raise AssertionError  # the count has no end
