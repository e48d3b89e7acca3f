"""A mouth that no photograph shows: teeth, tongue and the dark behind, in the plane of the teeth.

Upper teeth are fixed to the skull, lower teeth and tongue to the jaw. What makes them look real is
how little light reaches them: the less, the narrower the opening and the nearer its rim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .planes import PixelBox, draw_polygon
from .pose import HeadPose, to_image

Floats = NDArray[np.floating]

TOOTH_EDGES_CM = np.array([0.0, 0.84, 1.46, 1.98, 2.38, 2.7], np.float32)
"""From the middle: two incisors, canine, premolars, as seen from the front of their arch."""
TOOTH_LENGTH_CM = 0.95
"""Of an upper tooth; above it there are gums."""
HIDDEN_LENGTH_CM = 0.45
"""The same where the photograph shows the teeth, whose lower ends are farther down."""
MAX_TOOTH = 235
LIP_LOWER_EDGE_CM = 0.27
"""How far the upper incisors reach below the resting upper lip."""
TOOTH_TO_SKIN = np.array([1.12, 1.35, 1.5])
"""How much brighter teeth are than the skin around a mouth, measured on faces that smile. Taken
from the skin, they stand in the light of the photograph."""
TONGUE_TO_LIPS = np.array([0.72, 0.5, 0.5])
TOOTH_SHADE = 0.55
"""Of the shade of the lips, that falls on teeth, which stand right behind them."""
LOWER_TOOTH_SHARE = 1.4
"""How much wider upper teeth are than lower ones."""
GREY_SPREAD = 4
"""Between the channels: less is a picture without colours."""
MOUTH_SKIN_POINTS = (164, 167, 393, 92, 322, 165, 391, 186, 410, 206, 426, 216, 436, 18, 200, 83)
LIP_POINTS = (0, 17, 37, 267, 84, 314)
MOUTH_CORNERS = (78, 308)
UPPER_LIP, LOWER_LIP = 13, 14


@dataclass(frozen=True)
class Cavity:
    """Colours (3,) of what lies behind the lips, and the size of the mouth.

    Attributes:
        tooth, tongue, dark: colours in 0…255.
        size: how wide the mouth is, as a share of a common one.
    """

    tooth: Floats
    tongue: Floats
    dark: Floats
    size: float


def measure_cavity(
    image: NDArray[np.uint8], vertices: Floats, pose: HeadPose, eyes: Sequence[Floats]
) -> Cavity:
    """Colours that suit a face: teeth in the light of the skin around them, a tongue like its lips.

    Args:
        image: (H, W, 3).
        vertices: (468, 3) at rest.
        eyes: outlines (n, 2) in the image.
    """
    points = to_image(vertices, pose)
    skin = np.median(_colours_at(image, points, MOUTH_SKIN_POINTS), axis=0)
    lips = _colours_at(image, points, LIP_POINTS).mean(0)
    is_grey = bool(np.ptp(skin) < GREY_SPREAD)
    tooth = skin * (np.mean(TOOTH_TO_SKIN) if is_grey else TOOTH_TO_SKIN)
    whites = [white for outline in eyes if (white := _white_of(image, outline)) is not None]
    if whites:
        # Of dark skin teeth differ more; there the white of the eyes says how bright they are.
        white = np.mean(whites, axis=0)
        tooth = 0.85 * tooth + 0.15 * white * tooth.mean() / max(white.mean(), 1)
        tooth *= max(1.0, 0.9 * white.mean() / max(tooth.mean(), 1))
    tongue = lips * (0.62 if is_grey else TONGUE_TO_LIPS)
    dark = tongue * 0.22
    width = abs(float(vertices[MOUTH_CORNERS[1], 0] - vertices[MOUTH_CORNERS[0], 0]))
    # Bluer than white no teeth are, and all channels of bright ones give way alike.
    tooth = np.minimum.accumulate(tooth)
    tooth = tooth * min(MAX_TOOTH / max(float(tooth.max()), 1), 1)
    tooth, tongue, dark = (v.astype(np.float32) for v in (tooth, tongue, dark))
    return Cavity(tooth, tongue, dark, float(np.clip(width / 4.6, 0.7, 1.4)))


def _colours_at(
    image: NDArray[np.uint8], points: Floats, places: Sequence[int]
) -> NDArray[np.float64]:
    """(n, 3) of an image (H, W, 3) at some vertices (468, 3) of a face in it."""
    end = np.array([image.shape[1] - 1, image.shape[0] - 1])
    x, y = np.rint(points[list(places), :2]).astype(int).clip(0, end).T
    return np.asarray(image[y, x], np.float64)


def _white_of(image: NDArray[np.uint8], outline: Floats) -> Floats | None:
    """(3,) the brightest colour in an eye; None where it is outside the image."""
    box = PixelBox.around(outline, 1, image.shape[:2])
    if box is None:
        return None
    inside = draw_polygon(outline, box) > 0.5
    if inside.sum() < 6:
        return None
    return np.asarray(np.percentile(image[box.slices][inside].astype(np.float64), 90, axis=0))


def draw_cavity(
    cavity: Cavity,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    vertices: Floats,
    rest: Floats,
    opening: NDArray[np.float32],
    scale: float,
    own_share: float = 0.0,
) -> NDArray[np.float32]:
    """(h, w, 3) the inside of a mouth.

    Args:
        x, y: (h, w) places in the plane of the teeth, in centimetres.
        vertices, rest: (468, 3) now and at rest.
        opening: (h, w) in 0…1 how far each pixel lies between the lips.
        scale: pixels in a centimetre.
        own_share: 0…1 how far the photograph's own upper teeth will lie over the made up ones.
    """
    size = cavity.size
    middle = float(vertices[list(MOUTH_CORNERS), 0].mean())
    across = (x - middle) / size
    distance = np.abs(across)
    low = float(vertices[LOWER_LIP, 1])
    gap = max(low - float(vertices[UPPER_LIP, 1]), 0.05)
    blur = max(0.6 / scale, 0.02)

    # The deeper in the middle, the darker; tongue and gums shine through near the rim.
    rim = _nearness_to_rim(opening, scale)
    colour = cavity.dark * (0.55 + 0.9 * rim)[..., None]

    tongue_top = low - (0.34 * gap + 0.16) + 0.14 * distance**2
    tongue = _edge(y - tongue_top, 0.22) * np.clip((gap - 0.35) / 0.7, 0, 1)
    tongue = tongue * _edge(1.75 - distance, 0.6)
    body = np.clip((y - tongue_top) / max(0.6 * gap, 0.2), 0, 1)
    groove = 1 - 0.14 * np.exp(-((across / 0.12) ** 2))
    flesh = cavity.tongue * ((0.55 + 0.4 * body) * groove)[..., None]
    colour = colour + (flesh - colour) * tongue[..., None]

    # The lips take the light away from what lies behind, and less of it from the teeth.
    open_share = np.clip(gap / 0.9, 0, 1)
    shade = ((0.62 - 0.24 * open_share) * rim)[..., None]
    colour = colour * (1 - shade)
    tooth = cavity.tooth * (1 - TOOTH_SHADE * shade)

    lower_top = low - 0.2 + 0.05 * distance**2
    lower = _edge(y - lower_top, 2 * blur) * _edge(1.75 - distance, 0.5)
    lower = lower * np.clip((gap - 0.75) / 0.6, 0, 1) * 0.75
    teeth = tooth * (0.6 * _tooth_relief(distance * LOWER_TOOTH_SHARE, blur))[..., None]
    colour = colour + (teeth - colour) * lower[..., None]

    upper_bottom = float(rest[UPPER_LIP, 1]) + LIP_LOWER_EDGE_CM * size
    edge = upper_bottom - 0.05 * distance**2 - 0.05 * _nearness_to_gap(distance, 0.12)
    upper = _edge(edge - y, 2 * blur) * _edge(TOOTH_EDGES_CM[-1] - distance, 0.3)
    length = TOOTH_LENGTH_CM + (HIDDEN_LENGTH_CM - TOOTH_LENGTH_CM) * own_share
    height = (edge - y) / length
    round_off = np.clip(1 - 0.09 * distance**2, 0.15, 1)
    light = (0.97 - 0.2 * np.clip(height, 0, 1)) * round_off
    gums = _edge(height - 1, 0.2)[..., None]
    teeth = tooth * (light * _tooth_relief(distance, blur))[..., None]
    flesh = cavity.tongue * (round_off[..., None] * (1 - TOOTH_SHADE * shade))
    teeth = teeth + (flesh - teeth) * gums
    return np.asarray(colour + (teeth - colour) * upper[..., None], np.float32)


def _nearness_to_rim(opening: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """(h, w) 1 at the rim of the opening, 0 deep inside."""
    sigma = max(0.8, 0.13 * scale)
    inside = cv2.GaussianBlur(opening, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(np.clip(2 - 2 * inside, 0, 1), np.float32)


def _tooth_relief(distance: Floats, blur: float) -> Floats:
    """(h, w) brightness of a row of teeth, darker where two of them meet."""
    return 1 - 0.2 * _nearness_to_gap(distance, max(0.03, blur))


def _nearness_to_gap(distance: Floats, width: float) -> Floats:
    """(h, w) 1 where two teeth meet, 0 a few widths beside; distances are from the middle."""
    gaps = np.abs(distance[..., None] - TOOTH_EDGES_CM).min(-1)
    return np.asarray(np.exp(-((gaps / width) ** 2)))


def _edge(distance: Floats, softness: float) -> Floats:
    """(h, w) 0 on the negative side of an edge, 1 on the other, smoothly between."""
    x = np.clip(distance / softness + 0.5, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))
