"""Folds: where skin that is pushed together throws a shadow of its own.

A photograph that is only stretched keeps its light, so that a smile has no folds beside the nose
and anger none between the brows. Where these lie is known by the mesh: they are drawn once over the
photograph at rest, and a frame takes as much of them as its numbers ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces.blendshapes import NAMES
from .planes import PixelBox, sample_mask
from .pose import HeadPose, to_image
from .warp import WarpMaps

Floats = NDArray[np.floating]

STEPS = 8
"""Points of a smooth line from one of its corners to the next."""
REACH = 10
"""How far from its line a fold changes the light, in widths of the line."""
SHADOW, SHADOW_WIDTH = 0.45, 3.5
"""On the side that is pushed under: how dark, as a share of the line, and how broad."""
GLOW, GLOW_DISTANCE, GLOW_WIDTH = 0.2, 4.3, 3.5
"""On the side that bulges: how bright, how far away and how broad."""
MAX_STRENGTH = 1.5


@dataclass(frozen=True)
class Fold:
    """One fold of a face.

    Attributes:
        line: its corners, each the middle of some vertices.
        bulge: a vertex on the side that comes forward.
        shapes: how much of it each blendshape brings.
        depth: share of the light that the line takes away at a strength of 1.
        width_cm: of the line.
    """

    line: tuple[tuple[int, ...], ...]
    bulge: int
    shapes: Mapping[str, float]
    depth: float
    width_cm: float


def _beside_nose(side: str, line: tuple[int, ...], bulge: int) -> Fold:
    shapes = {"mouthSmile": 1.0, "noseSneer": 1.5, "mouthUpperUp": 0.3, "cheekSquint": 0.3}
    own_shapes = {name + side: share for name, share in shapes.items()}
    return Fold(tuple((i,) for i in line), bulge, own_shapes, 0.13, 0.14)


_ROOT_SHAPES = {
    name + side: share
    for name, share in (("noseSneer", 0.5), ("browDown", 0.25))
    for side in ("Left", "Right")
}
FOLDS = (
    _beside_nose("Left", (358, 423, 426, 436, 432), 280),
    _beside_nose("Right", (129, 203, 206, 216, 212), 50),
    Fold(((9, 336), (8, 285), (168, 417)), 285, {"browDownLeft": 1.0}, 0.2, 0.1),
    Fold(((9, 107), (8, 55), (168, 193)), 55, {"browDownRight": 1.0}, 0.2, 0.1),
    Fold(((193, 122), (168, 6), (417, 351)), 8, _ROOT_SHAPES, 0.1, 0.12),
)
"""Beside the nose and the mouth, between the brows, and across the root of the nose."""


@dataclass(frozen=True)
class Shade:
    """A fold of one photograph.

    Attributes:
        fold: which.
        box: of the photograph, where it lies.
        darkness: (h, w) share of the light that it takes away there, below 0 where it adds some.
    """

    fold: Fold
    box: PixelBox
    darkness: NDArray[np.float32]


def shade_folds(vertices: Floats, pose: HeadPose, size: tuple[int, int]) -> tuple[Shade, ...]:
    """The folds of a face (468, 3) at rest, in a photograph of a height and a width."""
    points, scale = to_image(vertices, pose)[:, :2], float(pose.scale)
    shades = []
    for fold in FOLDS:
        line = _smooth_line(_corners(fold, points))
        box = PixelBox.around(line, REACH * fold.width_cm * scale, size)
        if box is not None:
            darkness = _darken(fold, line, points[fold.bulge], box, scale)
            shades.append(Shade(fold, box, darkness))
    return tuple(shades)


def draw_folds(
    frame: NDArray[np.uint8],
    shades: tuple[Shade, ...],
    blendshapes: Floats,
    points: Floats,
    scale: float,
    warp: WarpMaps,
) -> None:
    """Draw the folds of a face into a frame (H, W, 3).

    Args:
        blendshapes: (52,) what the face does more than at rest.
        points: (468, 2) its vertices in the frame.
        scale: pixels in a centimetre.
        warp: from where the frame was sampled.
    """
    for shade in shades:
        strength = _strength(shade.fold, blendshapes)
        box = PixelBox.around(
            _corners(shade.fold, points), REACH * shade.fold.width_cm * scale, frame.shape[:2]
        )
        box = box and box.intersection(warp.box)
        if strength <= 0 or box is None:
            continue
        x, y = warp.crop(box)
        darkness = sample_mask(shade.darkness, x - shade.box.left, y - shade.box.top)
        patch = frame[box.slices]
        patch[:] = np.clip(np.rint(patch * (1 - strength * darkness)), 0, 255).astype(np.uint8)


def _corners(fold: Fold, points: Floats) -> Floats:
    """(n, 2) of a fold's line, of the vertices of a face (468, 2)."""
    return np.stack([points[list(corner)].mean(0) for corner in fold.line])


def _strength(fold: Fold, blendshapes: Floats) -> float:
    shares = (share * max(blendshapes[NAMES.index(n)], 0) for n, share in fold.shapes.items())
    return float(min(sum(shares), MAX_STRENGTH))


def _smooth_line(corners: Floats) -> Floats:
    """(n, 2) corners -> (m, 2) a curve through all of them (Catmull-Rom)."""
    first, last = 2 * corners[0] - corners[1], 2 * corners[-1] - corners[-2]
    points = np.vstack([first, corners, last])
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    pieces = [
        b + ((c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3) / 2
        for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False)
    ]
    return np.vstack([*pieces, corners[-1:]])


def _darken(
    fold: Fold, line: Floats, bulge: Floats, box: PixelBox, scale: float
) -> NDArray[np.float32]:
    """(h, w) the darkness of a fold in a box, around its smooth line (m, 2)."""
    y, x = np.mgrid[box.top : box.bottom, box.left : box.right]
    squares = np.full(box.shape, np.inf)
    nearest = np.zeros(box.shape, int)
    for i, point in enumerate(line):
        square = (x - point[0]) ** 2 + (y - point[1]) ** 2
        nearest[square < squares] = i
        np.minimum(squares, square, out=squares)
    along = np.gradient(line, axis=0)
    across = along[nearest, 0] * (y - line[nearest, 1]) - along[nearest, 1] * (x - line[nearest, 0])
    middle = len(line) // 2
    (right, down), (to_x, to_y) = along[middle], bulge - line[middle]
    forward = np.sign(across) * np.sign(right * to_y - down * to_x)
    distance = np.sqrt(squares) / (scale * fold.width_cm) * forward
    line_share = np.exp(-(distance**2))
    shadow = np.where(distance < 0, np.exp(-((distance / SHADOW_WIDTH) ** 2)), line_share)
    glow = np.exp(-(((distance - GLOW_DISTANCE) / GLOW_WIDTH) ** 2)) * (distance > 0)
    # It begins and ends softly, and is nothing at the border of the box.
    ends = np.sin(np.pi * (nearest + 1) / (len(line) + 1)) ** 0.6
    rim = np.clip(2 * (1 - np.abs(distance) / REACH), 0, 1)
    profile = line_share + SHADOW * shadow - GLOW * glow
    return np.asarray(fold.depth * ends * rim * profile, np.float32)
