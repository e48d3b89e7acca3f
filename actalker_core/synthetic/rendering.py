"""Draws faces that turn, look, blink, smile and speak, with the ground truth of every image.

A head is an ellipsoid in coordinates of its own: x to the image's right, y down, z towards the
viewer, 1 = half the face's width. Features lie on its surface, so that they move as they should
when it turns. Everything is drawn large with anti-aliased shapes, then downscaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..faces.box import Box
from .identities import Colour, FaceState, Identity, blend_colours

Array = NDArray[np.float64]
ImageArray = NDArray[np.uint8]
"""RGB (h, w, 3)."""

SIDE_PX = 128
SCALE = 2
"""Shapes are drawn so many times larger than the image."""
SUBPIXEL_BITS = 4
FACE_PX = 43.0
"""Half the width of an average face."""
CENTRE = (64.0, 62.0)
BROW_PX = 2.8
"""Thickness of an average brow."""
NECK = 0.5
"""How far below its centre a head rolls about, in halves of the face's width."""

SIDE_SIGNS = {"right": -1, "left": 1}
"""The identity's right is on the image's left."""
EYE_Y, BROW_Y, NOSE_Y, MOUTH_Y = -0.16, -0.52, 0.30, 0.68

MOUTH_INSIDE: Colour = (70, 14, 30)
SCLERA: Colour = (246, 244, 240)
PUPIL: Colour = (22, 20, 24)
"""RGB. No other part has these colours, so that measures can count their pixels."""


class Head:
    """Projects points of a head into the image, in parallel."""

    def __init__(self, identity: Identity, state: FaceState) -> None:
        self.identity = identity
        yaw, pitch, roll = np.radians([state.yaw, state.pitch, state.roll])
        self._rotation = _rotation_matrix(yaw, pitch, roll)
        # A head rolls about its neck, not its centre: the face moves sideways as it leans.
        lean = NECK * FACE_PX * np.array([np.sin(roll), 1 - np.cos(roll)])
        self._centre = np.add(CENTRE, (state.x, state.y)) + lean

    def project_surface(self, points: Array) -> Array:
        """(points, 2): x and y on the face -> (points, 2) in the image, in pixels."""
        return self.project_points(self.raise_points(points))

    def project_points(self, points: Array) -> Array:
        """(points, 3): x, y and z -> (points, 2) in the image, in pixels."""
        return self.place_points(points)[:, :2]

    def raise_points(self, points: Array) -> Array:
        """(points, 2): x and y on the face -> (points, 3), with z."""
        radius_2 = 1.15 - points[:, 0] ** 2 - (points[:, 1] / self.identity.height) ** 2
        return np.column_stack([points, 0.79 * np.sqrt(np.maximum(radius_2, 0))])

    def place_points(self, points: Array) -> Array:
        """(points, 3): x, y and z -> (points, 3) in the image: x, y, and z towards the viewer."""
        points_px = FACE_PX * (points * (self.identity.width, 1, 1)) @ self._rotation.T
        points_px[:, :2] += self._centre
        return np.asarray(points_px)


def _rotation_matrix(yaw: float, pitch: float, roll: float) -> Array:
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn_z @ turn_x @ turn_y)


# Shapes ------------------------------------------------------------------------------------------


class Canvas:
    """A large image that shapes are drawn on."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        side = SIDE_PX * SCALE
        weight = linspace(0, 1, side)[:, None]
        column = np.round((1 - weight) * top + weight * bottom).astype(np.uint8)
        self.pixels: ImageArray = np.repeat(column[:, None], side, axis=1)

    def fill(self, points: Array, colour: Colour) -> None:
        """Draw a closed shape; points (points, 2) in pixels of the small image."""
        cv2.fillPoly(self.pixels, [_to_fixed_point(points)], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, points: Array, colour: Colour, width: float) -> None:
        """Draw an open line (points, 2); points and width in pixels of the small image."""
        corners = _to_fixed_point(points)
        thickness = max(round(width * SCALE), 1)
        cv2.polylines(self.pixels, [corners], False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)

    def downscale(self) -> ImageArray:
        """The image at its final size (128, 128, 3)."""
        image = cv2.resize(self.pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(image, np.uint8)


def _to_fixed_point(points: Array) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * (SCALE * 2**SUBPIXEL_BITS)), np.int32)


@cache
def linspace(start: float, stop: float, count: int) -> Array:
    """Numbers (count,) at equal distances, both ends among them; an array that callers share."""
    return np.linspace(start, stop, count)


@cache
def unit_circle(count: int) -> tuple[Array, Array]:
    """Cosine and sine (count,) of angles once around."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.cos(angle), np.sin(angle)


def ellipse_outline(x: float, y: float, rx: float, ry: float, points: int = 40) -> Array:
    """A closed curve (points, 2)."""
    cos, sin = unit_circle(points)
    return np.stack([x + rx * cos, y + ry * sin], axis=1)


def face_outline(identity: Identity) -> Array:
    """The outline (points, 2) of the face, in its coordinates."""
    x, y = unit_circle(72)
    below = np.clip(y, 0, 1)
    x = x * (1 - below**2 * (0.34 - 0.26 * identity.jaw) * np.abs(x) ** 0.3)
    return np.stack([x, identity.height * y], axis=1)


def eye_outline(x: float, y: float, width: float, height: float) -> Array:
    """The outline (32, 2) of an eye's opening."""
    t = linspace(0, np.pi, 16)
    upper = np.stack([x - width * np.cos(t), y - height * np.sin(t) ** 0.8], axis=1)
    lower = np.stack([x + width * np.cos(t), y + 0.62 * height * np.sin(t) ** 0.9], axis=1)
    return np.concatenate([upper, lower])


def eye_opening(identity: Identity, state: FaceState, side: str) -> tuple[float, float, float]:
    """How far an eye is open, half its width and its height above the middle."""
    openness = state.eye_right if side == "right" else state.eye_left
    size = 0.25 * identity.eye_size
    return openness, size, size * max(openness - 0.12 * max(state.smile, 0), 0.0) + 0.004


def iris_centre(identity: Identity, state: FaceState, side: str) -> tuple[float, float]:
    """Its x and y in the face's coordinates."""
    return SIDE_SIGNS[side] * identity.eye_gap + 0.1 * state.gaze_x, EYE_Y - 0.08 * state.gaze_y


def iris_radius(identity: Identity) -> float:
    """In the face's coordinates."""
    return 0.14 * identity.eye_size


def brow_line(identity: Identity, state: FaceState, side: str) -> Array:
    """The middle (9, 2) of a brow, from the image's left."""
    sign = SIDE_SIGNS[side]
    t = linspace(-1, 1, 9)
    x = sign * (identity.eye_gap + 0.02) + 0.24 * t
    inner = -sign * t  # 1 at the nose
    y = BROW_Y - 0.14 * state.brows + 0.05 * t**2
    y = y + 0.09 * np.clip(-state.brows, 0, 1) * inner - 0.05 * np.clip(state.brows, 0, 1) * inner
    return np.stack([x, y], axis=1)


# Drawing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rendering:
    """An image with its ground truth, in pixels.

    Attributes:
        image: (128, 128, 3) RGB.
        face_box, mouth_box: x0, y0, x1, y1.
        landmarks: outlines (points, 2) by the name of the part.
    """

    image: ImageArray
    face_box: Box
    mouth_box: Box
    landmarks: dict[str, Array]


def render_face(identity: Identity, state: FaceState) -> Rendering:
    """Draw one identity in one state: an image (128, 128, 3) and its ground truth."""
    head = Head(identity, state)
    canvas = Canvas(identity.background[1], identity.background[0])
    # From back to front, since each part hides what lies behind it.
    _draw_back_hair(canvas, head)
    _draw_body(canvas, head)
    _draw_face(canvas, head)
    eyes = {f"eye_{side}": _draw_eye(canvas, head, state, side) for side in SIDE_SIGNS}
    _draw_nose(canvas, head)
    _draw_beard(canvas, head)
    mouth = _draw_mouth(canvas, head, state)
    _draw_front_hair(canvas, head)
    brows = {f"brow_{side}": _draw_brow(canvas, head, state, side) for side in SIDE_SIGNS}
    _draw_glasses(canvas, head)
    face = head.project_surface(face_outline(identity))
    landmarks = {"face": face, "mouth": mouth} | eyes | brows
    return Rendering(canvas.downscale(), bounding_box(face), bounding_box(mouth), landmarks)


def stack_images(images: Sequence[ImageArray]) -> Tensor:
    """Images (h, w, 3) of bytes as the networks take them: (f, 3, h, w) in 0…1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def bounding_box(points: Array) -> Box:
    """The box x0, y0, x1, y1 around points (points, 2)."""
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return x0, y0, x1, y1


def _darken(colour: Colour, weight: float = 0.25) -> Colour:
    return blend_colours(colour, (30, 14, 20), weight)


def _lighten(colour: Colour, weight: float = 0.25) -> Colour:
    return blend_colours(colour, (255, 250, 240), weight)


def _draw_back_hair(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    h = identity.height
    proportions = {0: (1.08, 1.0, -0.12), 1: (1.14, 1.06, -0.1), 2: (1.24, 1.5, 0.3)}
    proportions |= {3: (1.1, 1.04, -0.12), 4: (1.34, 1.16, -0.1)}
    rx, ry, dy = proportions[identity.hair_style]
    points = ellipse_outline(0, dy, rx, ry * h)
    if identity.hair_style == 4:
        angle = linspace(0, 2 * np.pi, len(points))
        points = points * (1 + 0.05 * np.sin(11 * angle))[:, None]
    if identity.hair_style == 3:
        canvas.fill(
            head.project_points(_set_depth(ellipse_outline(0, -1.3 * h, 0.42, 0.4), -0.5)),
            identity.hair,
        )
    canvas.fill(head.project_points(_set_depth(points, -0.35)), _darken(identity.hair, 0.12))


def _set_depth(points: Array, z: float) -> Array:
    return np.column_stack([points, np.full(len(points), z)])


def _draw_body(canvas: Canvas, head: Head) -> None:
    """Neck and shoulders; they follow the head's position, not its rotation."""
    identity = head.identity
    x, y = head.project_points(np.array([[0, 0.9, -0.3]]))[0]
    x = 0.6 * x + 0.4 * CENTRE[0]
    neck = np.array([[x - 15, y - 4], [x + 15, y - 4], [x + 17, y + 26], [x - 17, y + 26]])
    canvas.fill(neck, _darken(identity.skin, 0.2))
    t = linspace(0, np.pi, 30)
    shoulders = np.stack([x - 60 * np.cos(t), y + 32 - 17 * np.sin(t) ** 0.7], axis=1)
    shoulders = np.concatenate([shoulders, [[x + 66, 140], [x - 66, 140]]])
    canvas.fill(shoulders, identity.clothes)
    collar = np.stack([x - 19 * np.cos(t), y + 14 + 10 * np.sin(t)], axis=1)
    canvas.line(collar, _darken(identity.clothes, 0.3), 2.2)


def _draw_face(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    for side in (-1, 1):
        ear = head.project_points(
            _set_depth(ellipse_outline(side * 1.02, -0.02, 0.13, 0.24), -0.05)
        )
        canvas.fill(ear, _darken(identity.skin, 0.1))
    canvas.fill(head.project_surface(face_outline(identity)), identity.skin)
    for x in (-0.52, 0.52):
        cheek = head.project_surface(ellipse_outline(x, 0.30, 0.2, 0.15))
        canvas.fill(cheek, blend_colours(identity.skin, (226, 110, 100), 0.13))
    chin = head.project_surface(ellipse_outline(0, 0.97 * identity.height, 0.26, 0.05))
    canvas.fill(chin, blend_colours(identity.skin, _darken(identity.skin), 0.3))


def _draw_eye(canvas: Canvas, head: Head, state: FaceState, side: str) -> Array:
    identity = head.identity
    openness, width, height = eye_opening(identity, state, side)
    x = SIDE_SIGNS[side] * identity.eye_gap
    shape = eye_outline(x, EYE_Y, width, height)
    points = head.project_surface(shape)
    lid = head.project_surface(eye_outline(x, EYE_Y, 1.16 * width, height + 0.05))
    canvas.fill(lid, _darken(identity.skin, 0.14))
    if openness > 0.06:
        canvas.fill(points, SCLERA)
        _draw_iris(canvas, head, shape, iris_centre(identity, state, side))
    canvas.line(head.project_surface(shape[:16]), _darken(identity.facial_hair_colour, 0.5), 1.1)
    return points


def _draw_iris(canvas: Canvas, head: Head, opening: Array, centre: tuple[float, float]) -> None:
    """Iris, pupil and glint, clipped to the eye's opening."""
    size = iris_radius(head.identity)
    for radius, colour in ((size, head.identity.iris), (0.52 * size, PUPIL)):
        disc = ellipse_outline(*centre, radius, radius * 1.05, 24)
        low, high = opening[:, 1].min() + 0.01, opening[:, 1].max() - 0.006
        disc[:, 1] = np.clip(disc[:, 1], low, high)
        canvas.fill(head.project_surface(disc), colour)
    glint = (centre[0] - 0.035, max(centre[1] - 0.04, opening[:, 1].min() + 0.03))
    if np.ptp(opening[:, 1]) > 0.14:
        canvas.fill(
            head.project_surface(ellipse_outline(*glint, 0.024, 0.024, 12)), (255, 255, 255)
        )


def _draw_brow(canvas: Canvas, head: Head, state: FaceState, side: str) -> Array:
    identity = head.identity
    points = head.project_surface(brow_line(identity, state, side))
    canvas.line(points, _darken(identity.facial_hair_colour, 0.25), BROW_PX * identity.brow)
    return points


def _draw_nose(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    size = identity.nose
    bridge = np.array([[0.03, -0.08, 0.95], [0.05, 0.12, 1.08], [0.03, NOSE_Y, 1.16]])
    canvas.line(head.project_points(bridge), _darken(identity.skin, 0.16), 1.6)
    tip = _set_depth(ellipse_outline(0, NOSE_Y, 0.14 * size, 0.085 * size), 1.1)
    canvas.fill(head.project_points(tip), _darken(identity.skin, 0.1))
    shine = _set_depth(ellipse_outline(-0.02, NOSE_Y - 0.05, 0.06 * size, 0.05 * size), 1.16)
    canvas.fill(head.project_points(shine), _lighten(identity.skin, 0.3))
    for sign in (-1, 1):
        hole = _set_depth(
            ellipse_outline(sign * 0.065 * size, NOSE_Y + 0.065, 0.03, 0.018, 12), 1.05
        )
        canvas.fill(head.project_points(hole), _darken(identity.skin, 0.5))


def lip_outlines(identity: Identity, state: FaceState) -> tuple[Array, Array]:
    """Outer and inner edge of the lips: (48, 2) each, in the face's coordinates."""
    width = 0.4 * identity.mouth * (1 + 0.22 * state.wide + 0.14 * state.smile - 0.42 * state.round)
    gap = 0.36 * state.open + 0.02 * state.round
    x, y = unit_circle(48)
    bend = -0.16 * state.smile * (np.abs(x) ** 2 - 0.4)
    drop = 0.30 * gap
    inner = np.stack([0.82 * width * x, MOUTH_Y + drop + bend + 0.5 * gap * y], axis=1)
    full = np.where(y > 0, 0.1, 0.075) * (1 + 0.35 * state.round)
    lift = np.sign(y) * full * np.sqrt(np.clip(1 - x**2, 0, 1))
    outer = np.stack([width * x, inner[:, 1] + lift], axis=1)
    return outer, inner


def _draw_mouth(canvas: Canvas, head: Head, state: FaceState) -> Array:
    outer, inner = lip_outlines(head.identity, state)
    points = head.project_surface(outer)
    canvas.fill(points, head.identity.lips)
    if np.ptp(inner[:, 1]) > 0.02 and state.open > 0.03:
        canvas.fill(head.project_surface(inner), MOUTH_INSIDE)
        _draw_teeth(canvas, head, inner, state)
    else:
        middle = inner[np.argsort(inner[:, 0])]
        canvas.line(head.project_surface(middle[::3]), _darken(head.identity.lips, 0.45), 0.9)
    return points


def _draw_teeth(canvas: Canvas, head: Head, inner: Array, state: FaceState) -> None:
    if state.open < 0.25 or state.round > 0.6:
        return
    upper = inner[24:]  # y above the middle
    depth = 0.05 * min(state.open * 2, 1)
    edge = np.add(upper[::-1], (0, depth))
    edge[:, 1] = np.minimum(edge[:, 1], np.interp(edge[:, 0], *_sort_by_x(inner[:25])))
    canvas.fill(head.project_surface(np.concatenate([upper, edge])), (240, 236, 228))


def _sort_by_x(points: Array) -> tuple[Array, Array]:
    order = np.argsort(points[:, 0])
    return points[order, 0], points[order, 1]


def _draw_beard(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    colour = blend_colours(identity.facial_hair_colour, identity.skin, 0.25)
    if identity.beard == 2:
        edge = face_outline(identity)[4:33] * 1.01
        upper = np.stack([edge[::-1, 0] * 0.74, MOUTH_Y - 0.2 + 0.3 * edge[::-1, 1] * 0.4], axis=1)
        canvas.fill(head.project_surface(np.concatenate([edge, upper])), colour)
    if identity.beard >= 1:
        t = linspace(-1, 1, 13)
        top = np.stack([0.36 * t, 0.47 + 0.08 * t**2], axis=1)
        low = np.stack([0.38 * t[::-1], 0.57 + 0.09 * t[::-1] ** 2], axis=1)
        canvas.fill(head.project_surface(np.concatenate([top, low])), colour)


def _draw_front_hair(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    h = identity.height
    t = linspace(np.pi * 1.02, np.pi * 1.98, 30)
    crown = np.stack([1.06 * np.cos(t), 1.07 * h * np.sin(t)], axis=1)
    x = crown[::-1, 0]
    lines = {
        0: -0.72 * h + 0.34 * x**2 * h,
        1: -0.66 * h + 0.30 * (x - 0.45) ** 2 * h - 0.1,
        2: -0.78 * h + 0.62 * np.abs(x) ** 1.6 * h,
        3: -0.80 * h + 0.42 * x**2 * h,
        4: -0.66 * h + 0.28 * x**2 * h + 0.05 * np.sin(9 * x),
    }
    front = np.stack([x * 0.99, np.minimum(lines[identity.hair_style], 0.05 * h)], axis=1)
    canvas.fill(head.project_surface(np.concatenate([crown, front])), identity.hair)
    shine = np.stack([0.62 * np.cos(t[8:16]), 0.93 * h * np.sin(t[8:16])], axis=1)
    canvas.line(head.project_surface(shine), _lighten(identity.hair, 0.22), 1.6)


def _draw_glasses(canvas: Canvas, head: Head) -> None:
    identity = head.identity
    if not identity.glasses:
        return
    for sign in (-1, 1):
        ring = ellipse_outline(sign * identity.eye_gap, EYE_Y + 0.01, 0.33, 0.31)
        if identity.glasses == 2:
            c, s = unit_circle(40)
            ring = np.stack([0.33 * _square_off(c), 0.29 * _square_off(s)], axis=1)
            ring += (sign * identity.eye_gap, EYE_Y + 0.01)
        canvas.line(head.project_surface(np.concatenate([ring, ring[:1]])), (52, 46, 52), 1.2)
    canvas.line(head.project_surface(np.array([[-0.11, EYE_Y], [0.11, EYE_Y]])), (52, 46, 52), 1.2)


def _square_off(values: Array) -> Array:
    return np.asarray(np.sign(values) * np.abs(values) ** 0.5)
