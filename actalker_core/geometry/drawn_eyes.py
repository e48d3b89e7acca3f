"""Landmarks of eyes that are drawn larger than people's: moved out to where the drawn eyes end.

The landmarker knows people's eyes. In a large drawn one its outline lies on the white, so that
what is taken for lids would be white too, and its iris is smaller than the drawn one. Where the
white of both eyes goes on well beyond the outline, their landmarks are moved to its end. Where
the outline fits, as in photographs, nothing is changed at all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces.topology import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from .mesh import VERTEX_COUNT

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

REACH, DENSITY = 2.0, 32
"""Half the side of the square that is searched, in half eye widths, and pixels in one of these."""
NEAR = 1.5
"""The white is looked for within the outline, drawn so many times as large."""
BRIGHT_SHARE = 0.1
"""Of the pixels in there, how many are taken for the white."""
CHEEK = 1.3
"""From how far below the middle of an eye the skin is the cheek's, in half eye widths."""
MIN_CONTRAST = 25.0
"""By how much the white's least colour exceeds the cheek's: it is lighter, and less coloured."""
WHITE_SHARE = 0.4
"""How far a pixel of the white may be from its colour, as a share of how far the cheek is."""
MIN_GROWTH, MAX_GROWTH = 1.5, 6.0
"""By which factor the area within the lids grows where an eye is taken for a drawn one."""
RIM_PX = 1.5
"""How far outside the last white pixel the lids begin, in pixels of the image."""
SURROUNDINGS = 1.5
"""How far around an eye the face makes room for it, as a factor of its radius."""
DIRECTIONS = 64
"""In so many the end of the white is looked for."""


@dataclass(frozen=True)
class DrawnEye:
    """What is seen of an eye, in pixels of the image.

    Attributes:
        middle: (2,) from where directions are counted.
        radii: (`DIRECTIONS`,) from there to the lids, evenly around from the right downwards.
        iris: (3,) x and y of its centre, and its radius.
    """

    middle: Floats
    radii: Floats
    iris: Floats


def fit_drawn_eyes(image: NDArray[np.uint8], landmarks: Floats) -> Floats:
    """Landmarks (478, 3) of a face in an image (H, W, 3), with outlines around what the eyes show.

    They are the same array where the eyes are no larger than the landmarks say.
    """
    outlines = list(LEFT_EYE), list(RIGHT_EYE)
    eyes = [_find_drawn_eye(image, landmarks[outline, :2]) for outline in outlines]
    result = landmarks.copy()
    for outline, iris, eye in zip(outlines, (LEFT_IRIS, RIGHT_IRIS), eyes, strict=True):
        # One alone may be a reflection, or a bright wall behind a head that is turned away.
        if eye is None:
            return landmarks
        old = landmarks[outline, :2]
        result[:VERTEX_COUNT, :2] = _make_room(result[:VERTEX_COUNT, :2], old, eye)
        rim = eye.iris[2] * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
        result[iris : iris + 5, :2] = eye.iris[:2] + rim
    return np.asarray(result)


def _find_drawn_eye(image: NDArray[np.uint8], outline: Floats) -> DrawnEye | None:
    """The eye whose outline (16, 2) lies within its white; None where it does not."""
    middle = (outline[0] + outline[8]) / 2
    half_width = float(np.linalg.norm(outline[0] - outline[8])) / 2
    if half_width < 1:
        return None
    step = half_width / DENSITY
    corner = middle - REACH * half_width
    side = round(2 * REACH * DENSITY)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_image = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
    border = cv2.BORDER_REPLICATE
    colours = cv2.warpAffine(image, to_image, (side, side), flags=flags, borderMode=border)
    shape = (outline - corner) / step
    inner_mask = _fill(shape, side)
    near = _fill(REACH * DENSITY + NEAR * (shape - REACH * DENSITY), side)
    white = _find_white(colours.astype(np.float32), near)
    if not white.any():
        return None
    points = np.argwhere(white)[:, ::-1]
    eye_mask = _fill(cv2.convexHull(points.astype(np.int32))[:, 0], side)
    growth = eye_mask.sum() / max(inner_mask.sum(), 1)
    if not MIN_GROWTH < growth < MAX_GROWTH:
        return None
    iris = _find_iris(eye_mask & ~white)
    if iris is None:
        return None
    centre = points.min(0) / 2 + points.max(0) / 2
    radii = step * _measure_radii(eye_mask, centre) + RIM_PX
    return DrawnEye(
        corner + step * centre, radii, np.append(corner + step * iris[:2], step * iris[2])
    )


def _fill(points: NDArray[np.generic], side: int) -> Mask:
    """(side, side) what lies in a polygon (n, 2)."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], (1,))
    return mask > 0


def _find_white(colours: NDArray[np.float32], near: Mask) -> Mask:
    """(h, w) the white of an eye in colours (h, w, 3), as far as it is one with what is near.

    Nothing where no part near the outline is lighter and less coloured than the cheek.
    """
    cheek = np.median(colours[round((REACH + CHEEK) * DENSITY) :].reshape(-1, 3), axis=0)
    light = colours.min(-1)
    bright = near & (light >= np.quantile(light[near], 1 - BRIGHT_SHARE))
    white = np.median(colours[bright], axis=0)
    if white.min() < cheek.min() + MIN_CONTRAST:
        return np.zeros_like(near)
    limit = WHITE_SHARE * float(np.linalg.norm(white - cheek))
    like = np.linalg.norm(colours - white, axis=-1) < limit
    labels = cv2.connectedComponents(like.astype(np.uint8))[1]
    return np.isin(labels, np.unique(labels[near & like]))


def _find_iris(dark: Mask) -> Floats | None:
    """(3,) x, y and radius of the largest dark area among the white; None where there is none."""
    count, _, areas, centres = cv2.connectedComponentsWithStats(dark.astype(np.uint8))
    if count < 2:
        return None
    largest = 1 + int(areas[1:, cv2.CC_STAT_AREA].argmax())
    return np.array([*centres[largest], areas[largest, cv2.CC_STAT_WIDTH] / 2])


def _measure_radii(mask: Mask, centre: Floats) -> Floats:
    """(`DIRECTIONS`,) how far a convex mask (h, w) reaches from a centre within it."""
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    distance = np.arange(0, len(mask), 0.5)
    x, y = (
        np.clip(np.rint(c + np.outer(way, distance)).astype(int), 0, len(mask) - 1)
        for c, way in zip(centre, (np.cos(angle), np.sin(angle)), strict=True)
    )
    return np.asarray(mask[y, x].sum(1) / 2, np.float64)


def _make_room(points: Floats, outline: Floats, eye: DrawnEye) -> Floats:
    """(n, 2) points of a face, those of an eye's outline (16, 2) moved to its lids.

    What is around moves along, ever less with the distance, so that no triangle folds.
    """
    ways, old_ways = points - eye.middle, outline - eye.middle
    angle, distance = _angle(ways), np.hypot(*ways.T)
    old_angle = _angle(old_ways)
    order = np.argsort(old_angle)
    old = np.interp(angle, old_angle[order], np.hypot(*old_ways[order].T), period=2 * np.pi)
    turn = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    new = np.interp(angle, turn, eye.radii, period=2 * np.pi)
    end = SURROUNDINGS * np.maximum(new, old)
    outer = new + (distance - old) * (end - new) / (end - old)
    target = np.where(distance < old, distance * new / np.maximum(old, 1e-6), outer)
    target = np.where(distance < end, target, distance)
    return np.asarray(eye.middle + ways * (target / np.maximum(distance, 1e-6))[:, None])


def _angle(ways: Floats) -> Floats:
    return np.asarray(np.arctan2(ways[:, 1], ways[:, 0]))
