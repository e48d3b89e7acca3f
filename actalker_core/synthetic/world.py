"""Drawn people who turn, look, blink, smile and speak, with the truth about every picture.

A head is an ellipsoid in its own coordinates: x to the picture's right, y down, z towards the
viewer, 1 = half the face's width. Features lie on its surface, so that they move as they should
when it turns. Everything is drawn large with anti-aliased shapes and shrunk.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Colour, Person, State, mixed

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

SIDE_PX = 128
SCALE = 2
"""Drawn so many times larger than it is shown."""
SUBPIXEL_BITS = 4
FACE_PX = 43.0
"""Half the width of an average face."""
CENTRE = (64.0, 62.0)
NECK = 0.5
"""How far below its middle a head rolls about, in halves of the face's width."""

MOUTH_INSIDE: Colour = (70, 14, 30)
SCLERA: Colour = (246, 244, 240)
PUPIL: Colour = (22, 20, 24)
"""No other part has these colours, so that measures can count them. RGB."""


class Head:
    """Places points of a head in the picture."""

    def __init__(self, person: Person, state: State) -> None:
        self.person = person
        yaw, pitch, roll = np.radians([state.yaw, state.pitch, state.roll])
        self._turn = _rotation(yaw, pitch, roll)
        lean = NECK * FACE_PX * np.array([np.sin(roll), 1 - np.cos(roll)])
        self._middle = np.add(CENTRE, (state.x, state.y)) + lean

    def surface(self, points: Array) -> Array:
        """(n, 2) x and y on the face -> (n, 2) in the picture, in pixels."""
        inside = 1.15 - points[:, 0] ** 2 - (points[:, 1] / self.person.height) ** 2
        z = 0.79 * np.sqrt(np.maximum(inside, 0))
        return self._placed(points, z)

    def solid(self, points: Array) -> Array:
        """(n, 3) -> (n, 2) in the picture, in pixels."""
        return self._placed(points[:, :2], points[:, 2])

    def _placed(self, points: Array, z: Array) -> Array:
        x, y = points[:, :1] * self.person.width, points[:, 1:]
        turn = FACE_PX * self._turn[:2]
        placed: Array = self._middle + x * turn[:, 0] + y * turn[:, 1] + z[:, None] * turn[:, 2]
        return placed


def _rotation(yaw: float, pitch: float, roll: float) -> Array:
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn_z @ turn_x @ turn_y)


# Shapes ------------------------------------------------------------------------------------------


class Canvas:
    """A large picture that shapes are painted on."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        side = SIDE_PX * SCALE
        share = spread(0, 1, side)[:, None]
        column = np.round((1 - share) * top + share * bottom).astype(np.uint8)
        self.pixels: Picture = np.repeat(column[:, None], side, axis=1)

    def fill(self, points: Array, colour: Colour) -> None:
        """A closed shape; points (n, 2) in pixels of the small picture."""
        at = _fixed_point(points)
        cv2.fillPoly(self.pixels, [at], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, points: Array, colour: Colour, width: float) -> None:
        """An open line, `width` in pixels of the small picture."""
        at = _fixed_point(points)
        thick = max(round(width * SCALE), 1)
        cv2.polylines(self.pixels, [at], False, colour, thick, cv2.LINE_AA, SUBPIXEL_BITS)

    def small(self) -> Picture:
        """The picture as it is shown, RGB."""
        shown = cv2.resize(self.pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(shown, np.uint8)


def _fixed_point(points: Array) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * (SCALE * 2**SUBPIXEL_BITS)), np.int32)


@cache
def spread(start: float, stop: float, count: int) -> Array:
    """Numbers at equal distances, both ends among them."""
    return np.linspace(start, stop, count)


@cache
def circle(count: int) -> tuple[Array, Array]:
    """Cosine and sine of angles once around."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.cos(angle), np.sin(angle)


def ellipse(x: float, y: float, rx: float, ry: float, points: int = 40) -> Array:
    """A closed curve (points, 2)."""
    cos, sin = circle(points)
    return np.stack([x + rx * cos, y + ry * sin], axis=1)


def outline(person: Person) -> Array:
    """The face's own outline: (n, 2) on the face."""
    x, y = circle(72)
    below = np.clip(y, 0, 1)
    x = x * (1 - below**2 * (0.34 - 0.26 * person.jaw) * np.abs(x) ** 0.3)
    return np.stack([x, person.height * y], axis=1)


def almond(x: float, y: float, width: float, height: float) -> Array:
    """An eye's opening."""
    t = spread(0, np.pi, 16)
    upper = np.stack([x - width * np.cos(t), y - height * np.sin(t) ** 0.8], axis=1)
    lower = np.stack([x + width * np.cos(t), y + 0.62 * height * np.sin(t) ** 0.9], axis=1)
    return np.concatenate([upper, lower])


# Drawing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A frame with its truth, in pixels.

    Attributes:
        picture: (128, 128, 3) RGB.
        face, mouth: boxes x0, y0, x1, y1.
        landmarks: named points (n, 2).
    """

    picture: Picture
    face: tuple[float, float, float, float]
    mouth: tuple[float, float, float, float]
    landmarks: dict[str, Array]


SIGNS = {"right": -1, "left": 1}
"""The person's own right is on our left."""
EYE_Y, BROW_Y, NOSE_Y, MOUTH_Y = -0.16, -0.52, 0.30, 0.68


def draw(person: Person, state: State) -> Drawn:
    """One frame."""
    head = Head(person, state)
    canvas = Canvas(person.ground[1], person.ground[0])
    _hair_behind(canvas, head)
    _body(canvas, head)
    _face(canvas, head)
    eyes = {side: _eye(canvas, head, state, side) for side in SIGNS}
    _nose(canvas, head)
    _beard(canvas, head, state)
    mouth = _mouth(canvas, head, state)
    _hair_before(canvas, head)
    brows = {side: _brow(canvas, head, state, side) for side in SIGNS}
    _glasses(canvas, head)
    face = head.surface(outline(person))
    marks = {"face": face, "mouth": mouth}
    marks |= {f"eye_{k}": v for k, v in eyes.items()} | {f"brow_{k}": v for k, v in brows.items()}
    return Drawn(canvas.small(), box_around(face), box_around(mouth), marks)


def box_around(points: Array) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1."""
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return x0, y0, x1, y1


def _darker(colour: Colour, share: float = 0.25) -> Colour:
    return mixed(colour, (30, 14, 20), share)


def _lighter(colour: Colour, share: float = 0.25) -> Colour:
    return mixed(colour, (255, 250, 240), share)


def _hair_behind(canvas: Canvas, head: Head) -> None:
    person = head.person
    h = person.height
    back = {0: (1.08, 1.0, -0.12), 1: (1.14, 1.06, -0.1), 2: (1.24, 1.5, 0.3)}
    back |= {3: (1.1, 1.04, -0.12), 4: (1.34, 1.16, -0.1)}
    rx, ry, dy = back[person.hair_style]
    points = ellipse(0, dy, rx, ry * h)
    if person.hair_style == 4:
        angle = spread(0, 2 * np.pi, len(points))
        points = points * (1 + 0.05 * np.sin(11 * angle))[:, None]
    if person.hair_style == 3:
        canvas.fill(head.solid(_at_depth(ellipse(0, -1.3 * h, 0.42, 0.4), -0.5)), person.hair)
    canvas.fill(head.solid(_at_depth(points, -0.35)), _darker(person.hair, 0.12))


def _at_depth(points: Array, z: float) -> Array:
    return np.column_stack([points, np.full(len(points), z)])


def _body(canvas: Canvas, head: Head) -> None:
    """Neck and shoulders; they follow the head's place, not its turn."""
    person = head.person
    x, y = head.solid(np.array([[0, 0.9, -0.3]]))[0]
    x = 0.6 * x + 0.4 * CENTRE[0]
    neck = np.array([[x - 15, y - 4], [x + 15, y - 4], [x + 17, y + 26], [x - 17, y + 26]])
    canvas.fill(neck, _darker(person.skin, 0.2))
    t = spread(0, np.pi, 30)
    shoulders = np.stack([x - 60 * np.cos(t), y + 32 - 17 * np.sin(t) ** 0.7], axis=1)
    shoulders = np.concatenate([shoulders, [[x + 66, 140], [x - 66, 140]]])
    canvas.fill(shoulders, person.clothes)
    collar = np.stack([x - 19 * np.cos(t), y + 14 + 10 * np.sin(t)], axis=1)
    canvas.line(collar, _darker(person.clothes, 0.3), 2.2)


def _face(canvas: Canvas, head: Head) -> None:
    person = head.person
    for side in (-1, 1):
        ear = head.solid(_at_depth(ellipse(side * 1.02, -0.02, 0.13, 0.24), -0.05))
        canvas.fill(ear, _darker(person.skin, 0.1))
    canvas.fill(head.surface(outline(person)), person.skin)
    for x in (-0.52, 0.52):
        cheek = head.surface(ellipse(x, 0.30, 0.2, 0.15))
        canvas.fill(cheek, mixed(person.skin, (226, 110, 100), 0.13))
    chin = head.surface(ellipse(0, 0.97 * person.height, 0.26, 0.05))
    canvas.fill(chin, mixed(person.skin, _darker(person.skin), 0.3))


def _eye(canvas: Canvas, head: Head, state: State, side: str) -> Array:
    person, sign = head.person, SIGNS[side]
    opened = state.eye_right if side == "right" else state.eye_left
    x, width = sign * person.eye_gap, 0.25 * person.eye_size
    height = 0.25 * person.eye_size * max(opened - 0.12 * max(state.smile, 0), 0.0) + 0.004
    shape = almond(x, EYE_Y, width, height)
    points = head.surface(shape)
    lid = head.surface(almond(x, EYE_Y, 1.16 * width, height + 0.05))
    canvas.fill(lid, _darker(person.skin, 0.14))
    if opened > 0.06:
        canvas.fill(points, SCLERA)
        _iris(canvas, head, shape, (x + 0.1 * state.gaze_x, EYE_Y - 0.08 * state.gaze_y))
    canvas.line(head.surface(shape[:16]), _darker(person.hair, 0.5), 1.1)
    return points


def _iris(canvas: Canvas, head: Head, opening: Array, at: tuple[float, float]) -> None:
    """Cut to the eye's opening."""
    size = 0.14 * head.person.eye_size
    for radius, colour in ((size, head.person.iris), (0.52 * size, PUPIL)):
        disc = ellipse(*at, radius, radius * 1.05, 24)
        low, high = opening[:, 1].min() + 0.01, opening[:, 1].max() - 0.006
        disc[:, 1] = np.clip(disc[:, 1], low, high)
        canvas.fill(head.surface(disc), colour)
    glint = (at[0] - 0.035, max(at[1] - 0.04, opening[:, 1].min() + 0.03))
    if np.ptp(opening[:, 1]) > 0.14:
        canvas.fill(head.surface(ellipse(*glint, 0.024, 0.024, 12)), (255, 255, 255))


def _brow(canvas: Canvas, head: Head, state: State, side: str) -> Array:
    person, sign = head.person, SIGNS[side]
    t = spread(-1, 1, 9)
    x = sign * (person.eye_gap + 0.02) + 0.24 * t
    inner = -sign * t  # 1 at the nose
    y = BROW_Y - 0.14 * state.brows + 0.05 * t**2
    y = y + 0.09 * np.clip(-state.brows, 0, 1) * inner - 0.05 * np.clip(state.brows, 0, 1) * inner
    points = head.surface(np.stack([x, y], axis=1))
    canvas.line(points, _darker(person.hair, 0.25), 2.8 * person.brow)
    return points


def _nose(canvas: Canvas, head: Head) -> None:
    person = head.person
    size = person.nose
    bridge = np.array([[0.03, -0.08, 0.95], [0.05, 0.12, 1.08], [0.03, NOSE_Y, 1.16]])
    canvas.line(head.solid(bridge), _darker(person.skin, 0.16), 1.6)
    tip = _at_depth(ellipse(0, NOSE_Y, 0.14 * size, 0.085 * size), 1.1)
    canvas.fill(head.solid(tip), _darker(person.skin, 0.1))
    shine = _at_depth(ellipse(-0.02, NOSE_Y - 0.05, 0.06 * size, 0.05 * size), 1.16)
    canvas.fill(head.solid(shine), _lighter(person.skin, 0.3))
    for sign in (-1, 1):
        hole = _at_depth(ellipse(sign * 0.065 * size, NOSE_Y + 0.065, 0.03, 0.018, 12), 1.05)
        canvas.fill(head.solid(hole), _darker(person.skin, 0.5))


def mouth_shape(person: Person, state: State) -> tuple[Array, Array]:
    """Outer and inner edge of the lips on the face: (n, 2) each."""
    width = 0.4 * person.mouth * (1 + 0.22 * state.wide + 0.14 * state.smile - 0.42 * state.round)
    gap = 0.36 * state.open + 0.02 * state.round
    x, y = circle(48)
    bend = -0.16 * state.smile * (np.abs(x) ** 2 - 0.4)
    drop = 0.30 * gap
    inner = np.stack([0.82 * width * x, MOUTH_Y + drop + bend + 0.5 * gap * y], axis=1)
    full = np.where(y > 0, 0.1, 0.075) * (1 + 0.35 * state.round)
    lift = np.sign(y) * full * np.sqrt(np.clip(1 - x**2, 0, 1))
    outer = np.stack([width * x, inner[:, 1] + lift], axis=1)
    return outer, inner


def _mouth(canvas: Canvas, head: Head, state: State) -> Array:
    outer, inner = mouth_shape(head.person, state)
    points = head.surface(outer)
    canvas.fill(points, head.person.lips)
    if np.ptp(inner[:, 1]) > 0.02 and state.open > 0.03:
        canvas.fill(head.surface(inner), MOUTH_INSIDE)
        _teeth(canvas, head, inner, state)
    else:
        middle = inner[np.argsort(inner[:, 0])]
        canvas.line(head.surface(middle[::3]), _darker(head.person.lips, 0.45), 0.9)
    return points


def _teeth(canvas: Canvas, head: Head, inner: Array, state: State) -> None:
    if state.open < 0.25 or state.round > 0.6:
        return
    upper = inner[24:]  # y above the middle
    depth = 0.05 * min(state.open * 2, 1)
    edge = np.add(upper[::-1], (0, depth))
    edge[:, 1] = np.minimum(edge[:, 1], np.interp(edge[:, 0], *_sorted(inner[:25])))
    canvas.fill(head.surface(np.concatenate([upper, edge])), (240, 236, 228))


def _sorted(points: Array) -> tuple[Array, Array]:
    order = np.argsort(points[:, 0])
    return points[order, 0], points[order, 1]


def _beard(canvas: Canvas, head: Head, state: State) -> None:
    person = head.person
    colour = mixed(person.hair, person.skin, 0.25)
    if person.beard == 2:
        edge = outline(person)[4:33] * 1.01
        upper = np.stack([edge[::-1, 0] * 0.74, MOUTH_Y - 0.2 + 0.3 * edge[::-1, 1] * 0.4], axis=1)
        canvas.fill(head.surface(np.concatenate([edge, upper])), colour)
    if person.beard >= 1:
        t = spread(-1, 1, 13)
        top = np.stack([0.36 * t, 0.47 + 0.08 * t**2], axis=1)
        low = np.stack([0.38 * t[::-1], 0.57 + 0.09 * t[::-1] ** 2], axis=1)
        canvas.fill(head.surface(np.concatenate([top, low])), colour)


def _hair_before(canvas: Canvas, head: Head) -> None:
    person = head.person
    h = person.height
    t = spread(np.pi * 1.02, np.pi * 1.98, 30)
    crown = np.stack([1.06 * np.cos(t), 1.07 * h * np.sin(t)], axis=1)
    x = crown[::-1, 0]
    lines = {
        0: -0.72 * h + 0.34 * x**2 * h,
        1: -0.66 * h + 0.30 * (x - 0.45) ** 2 * h - 0.1,
        2: -0.78 * h + 0.62 * np.abs(x) ** 1.6 * h,
        3: -0.80 * h + 0.42 * x**2 * h,
        4: -0.66 * h + 0.28 * x**2 * h + 0.05 * np.sin(9 * x),
    }
    front = np.stack([x * 0.99, np.minimum(lines[person.hair_style], 0.05 * h)], axis=1)
    canvas.fill(head.surface(np.concatenate([crown, front])), person.hair)
    shine = np.stack([0.62 * np.cos(t[8:16]), 0.93 * h * np.sin(t[8:16])], axis=1)
    canvas.line(head.surface(shine), _lighter(person.hair, 0.22), 1.6)


def _glasses(canvas: Canvas, head: Head) -> None:
    person = head.person
    if not person.glasses:
        return
    for sign in (-1, 1):
        ring = ellipse(sign * person.eye_gap, EYE_Y + 0.01, 0.33, 0.31)
        if person.glasses == 2:
            c, s = circle(40)
            ring = np.stack([0.33 * _squarer(c), 0.29 * _squarer(s)], axis=1)
            ring += (sign * person.eye_gap, EYE_Y + 0.01)
        canvas.line(head.surface(np.concatenate([ring, ring[:1]])), (52, 46, 52), 1.2)
    canvas.line(head.surface(np.array([[-0.11, EYE_Y], [0.11, EYE_Y]])), (52, 46, 52), 1.2)


def _squarer(values: Array) -> Array:
    return np.asarray(np.sign(values) * np.abs(values) ** 0.5)
