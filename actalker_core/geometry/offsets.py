"""What each of ARKit's blendshapes does to handles of the canonical face, in cm.

Every field of a shape is told of one half of the face: `out` from the middle to the side, `down`,
`back` into the head; the other half is its mirror image. Along the lips offsets depend on a, 0 in
the middle of the mouth and 1 in its corners.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from . import rings
from .mesh import Array, FaceMesh

LEFT, RIGHT = "Left", "Right"
JAW_DEGREES = 15.0
"""How far jawOpen turns the jaw."""
JAW_AXIS = (-0.67, 2.44)
"""y and z, in cm, of the line through both joints of the jaw, in front of the ears."""
CORNER_SHARE = 0.30
"""Of the jaw's turn, that the corners of the mouth follow."""
SEAM = 0.4
"""Half width of the blend between the halves of the mouth, in half mouth widths."""

INNER = 3
"""The innermost of the rows of a lip; 0 is the one at the skin."""

INNER_BROWS, MIDDLE_BROWS, OUTER_BROWS = (
    (285, 336, 295, 296, 55, 107, 65, 66),
    (282, 334, 52, 105),
    (276, 283, 300, 293, 46, 53, 70, 63),
)

Profile = Callable[[Array, Array], Array]
"""From a, (n,) along the lips, and the row, (n,) 0 outermost … 3 innermost, to an offset (n,)."""
Profiles = tuple[Profile, Profile, Profile]
Offset = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """A blendshape, or a left and a right one.

    Attributes:
        is_paired: whether there is one for each side.
        lips: profiles (out, down, back) of both lips.
        upper, lower: those of one lip, instead.
        points: offsets (out, down, back) of other handles; those not named stay.
        aside: cm to the person's left for lips and chin, of shapes that are not symmetric.
        is_of_brows: whether it is the upper face that moves, and the mouth that stays.
    """

    is_paired: bool = False
    lips: Profiles | None = None
    upper: Profiles | None = None
    lower: Profiles | None = None
    points: Mapping[tuple[int, ...], Offset] = field(default_factory=dict)
    aside: tuple[float, float, float] = (0.0, 0.0, 0.0)
    is_of_brows: bool = False


def _no(a: Array, row: Array) -> Array:
    return np.zeros_like(a)


def _corner(size: float, power: float = 2.0) -> Profile:
    """All of it in the corner of the mouth."""
    return lambda a, row: size * a**power


def _centre(size: float, power: float = 2.0, outer: float = 1.0, inner: float = 1.0) -> Profile:
    """All of it in the middle, and by shares of the outermost and of the innermost row."""
    return lambda a, row: size * (1 - a**power) * (outer + (inner - outer) * row / INNER)


def _line(middle: float, corner: float) -> Profile:
    """From the middle straight to the corner."""
    return lambda a, row: middle + (corner - middle) * a


def _sum(*profiles: Profile) -> Profile:
    return lambda a, row: np.sum([profile(a, row) for profile in profiles], axis=0)


SHAPES: Mapping[str, Shape] = {
    "jawOpen": Shape(upper=(_no, _centre(-0.12), _no)),
    "jawForward": Shape(lower=(_no, _no, _line(-0.5, -0.1)), points={rings.CHIN: (0, 0, -0.6)}),
    "jawLeft": Shape(aside=(0.15, 0.6, 0.8)),
    "jawRight": Shape(aside=(-0.15, -0.6, -0.8)),
    "mouthLeft": Shape(aside=(0.7, 0.7, 0.15)),
    "mouthRight": Shape(aside=(-0.7, -0.7, -0.15)),
    "mouthFunnel": Shape(
        upper=(_corner(-0.55, 1.0), _centre(-0.22), _line(-0.6, -0.2)),
        lower=(_corner(-0.55, 1.0), _centre(0.32), _line(-0.6, -0.2)),
    ),
    "mouthPucker": Shape(
        upper=(_corner(-0.95, 1.0), _centre(-0.10, outer=1, inner=0), _line(-0.75, -0.40)),
        lower=(_corner(-0.95, 1.0), _centre(0.12, outer=1, inner=0), _line(-0.75, -0.40)),
    ),
    "mouthSmile": Shape(
        is_paired=True,
        lips=(_corner(0.75, 1.5), _sum(_corner(-0.75), _line(0.10, 0)), _corner(0.55, 1.5)),
        points={(280, 50): (0.12, -0.30, -0.12), (425, 205): (0.15, -0.25, -0.05)},
    ),
    "mouthFrown": Shape(
        is_paired=True,
        lips=(_corner(-0.05), _corner(0.60), _no),
        points={(199, 175): (0, -0.12, -0.05)},
    ),
    "mouthDimple": Shape(is_paired=True, lips=(_corner(0.40, 1.5), _no, _corner(0.45, 1.5))),
    "mouthStretch": Shape(
        is_paired=True, lips=(_corner(0.60, 1.0), _corner(0.18), _corner(0.35, 1.0))
    ),
    "mouthRollLower": Shape(
        lower=(_no, _centre(-0.28, outer=1, inner=0.15), _centre(0.30, outer=0.6)),
        points={(18, 200): (0, -0.10, 0.05)},
    ),
    "mouthRollUpper": Shape(
        upper=(_no, _centre(0.26, outer=1, inner=0.15), _centre(0.30, outer=0.6))
    ),
    "mouthShrugLower": Shape(
        upper=(_no, _centre(-0.10), _no),
        lower=(_no, _centre(-0.22), _line(-0.22, 0)),
        points={rings.CHIN: (0, -0.28, -0.05)},
    ),
    "mouthShrugUpper": Shape(upper=(_no, _centre(-0.28, outer=1, inner=0.2), _line(-0.2, 0))),
    "mouthPress": Shape(
        is_paired=True,
        upper=(_no, _centre(0.14, outer=1, inner=0), _line(0.12, 0.10)),
        lower=(_no, _centre(-0.16, outer=1, inner=0), _line(0.12, 0.10)),
    ),
    "mouthLowerDown": Shape(is_paired=True, lower=(_no, _centre(0.50, 3.0), _no)),
    "mouthUpperUp": Shape(
        is_paired=True,
        upper=(_no, _centre(-0.45, 3.0), _no),
        points={(358, 294, 129, 64): (0.03, -0.10, 0)},
    ),
    "cheekPuff": Shape(points={(280, 425, 411, 427, 50, 205, 187, 207): (0.40, 0.05, -0.35)}),
    "cheekSquint": Shape(
        is_paired=True,
        points={(280, 330, 50, 101): (0.08, -0.35, -0.12), (425, 205): (0.05, -0.2, -0.05)},
    ),
    "noseSneer": Shape(
        is_paired=True,
        upper=(_no, _centre(-0.28, outer=1, inner=0.2), _no),
        points={
            (358, 279, 294, 129, 49, 64): (0.08, -0.36, 0.05),
            (327, 98): (0.03, -0.18, 0),
            (330, 101): (-0.05, -0.20, -0.05),
        },
    ),
    "eyeSquint": Shape(is_paired=True, points={(330, 101): (0, -0.18, -0.08)}),
    "browDown": Shape(
        is_paired=True,
        is_of_brows=True,
        points={
            INNER_BROWS: (-0.30, 0.70, -0.06),
            MIDDLE_BROWS: (-0.14, 0.55, 0),
            OUTER_BROWS: (-0.05, 0.30, 0),
            (9, 8): (0, 0.30, 0),
        },
    ),
    "browInnerUp": Shape(
        is_of_brows=True,
        points={
            INNER_BROWS: (-0.05, -0.75, 0),
            MIDDLE_BROWS: (0, -0.35, 0),
            (9, 8): (0, -0.35, 0),
            (151,): (0, -0.15, 0),
        },
    ),
    "browOuterUp": Shape(
        is_paired=True,
        is_of_brows=True,
        points={
            INNER_BROWS: (0, -0.20, 0),
            MIDDLE_BROWS: (0, -0.65, 0),
            OUTER_BROWS: (0, -0.70, 0),
        },
    ),
}
"""By the names of ARKit, those of both sides without Left and Right. The shapes that are not here,
eyeBlink, eyeWide and eyeLook…, move no vertex but those of the lids, and the irises."""

_ALL_BROWS = (*rings.LEFT_BROW, *rings.RIGHT_BROW)
_EYES = (*rings.LEFT_EYE, *rings.RIGHT_EYE)
_FACE_HANDLES = (*rings.LIPS, *rings.CHIN, *rings.NOSE, *_EYES, *rings.UPPER_OVAL)
_BROW_HANDLES = (*_FACE_HANDLES, *_ALL_BROWS, *rings.FOREHEAD)


def shape_handles(name: str) -> tuple[int, ...]:
    """The handles of a shape, each once: those that move, and those that hold the face."""
    shape = SHAPES[name]
    more = [vertex for group in shape.points for vertex in group]
    handles = _BROW_HANDLES if shape.is_of_brows else _FACE_HANDLES
    return tuple(dict.fromkeys((*handles, *more)))


def shape_offsets(mesh: FaceMesh, name: str, side: str = "") -> Array:
    """(468, 3) how far one unit of a shape moves its handles, in cm; zero elsewhere.

    Args:
        mesh: the canonical face.
        name: a key of `SHAPES`.
        side: "Left" or "Right" for half of a pair, "" for both halves.
    """
    shape = SHAPES[name]
    offsets = np.zeros_like(mesh.vertices)
    sign = np.sign(mesh.vertices[:, :1]) * (1, 0, 0) + (0, 1, 1)  # out is right, or left
    for vertices, offset in shape.points.items():
        offsets[list(vertices)] = offset
    half_width = mesh.vertices[rings.MOUTH_CORNERS[1], 0]
    for rows, own_profiles in (
        (rings.LOWER_LIP_ROWS, shape.lower),
        (rings.UPPER_LIP_ROWS, shape.upper),
    ):
        profiles = own_profiles or shape.lips
        if profiles is not None:
            lips, rank = np.array(rows).ravel(), np.repeat(np.arange(4.0), len(rows[0]))
            a = np.clip(np.abs(mesh.vertices[lips, 0]) / half_width, 0, 1)
            offsets[lips] = np.stack([profile(a, rank) for profile in profiles], axis=1)
    offsets *= sign
    upper, lower, chin = shape.aside
    for rows, shift in ((rings.UPPER_LIP_ROWS, upper), (rings.LOWER_LIP_ROWS, lower)):
        offsets[np.array(rows)[:, 1:-1].ravel(), 0] += shift
    corners = [row[end] for row in rings.UPPER_LIP_ROWS for end in (0, -1)]
    offsets[corners, 0] += (upper + lower) / 2
    offsets[list(rings.CHIN), 0] += chin
    return offsets * _side_shares(mesh, half_width, side)[:, None]


def _side_shares(mesh: FaceMesh, half_width: float, side: str) -> Array:
    """(468,) how much of each vertex is on a side; left and right add up to 1."""
    if not side:
        return np.ones(len(mesh.vertices))
    across = np.clip(0.5 + mesh.vertices[:, 0] / half_width / (2 * SEAM), 0, 1)
    left = across * across * (3 - 2 * across)
    return left if side == LEFT else 1 - left


def jaw_turns(mesh: FaceMesh) -> tuple[Array, Array]:
    """How handles move with 1 − cos θ and with sin θ of the jaw's turn, (468, 3) each, in cm.

    The chin turns, the lower lip with it, less towards the corners; the corners follow a little.
    """
    y, z = (mesh.vertices[:, 1] - JAW_AXIS[0], mesh.vertices[:, 2] - JAW_AXIS[1])
    still = np.zeros_like(y)
    weight = np.zeros(len(mesh.vertices))
    half_width = mesh.vertices[rings.MOUTH_CORNERS[1], 0]
    for rows, is_lower in ((rings.LOWER_LIP_ROWS, True), (rings.UPPER_LIP_ROWS, False)):
        lips = np.array(rows).ravel()
        corner = np.clip(np.abs(mesh.vertices[lips, 0]) / half_width, 0, 1) ** 2.2
        weight[lips] = CORNER_SHARE * corner + is_lower * (1 - corner)
    weight[list(rings.CHIN)] = 1
    backward = np.stack([still, -y, -z], axis=1)
    downward = np.stack([still, -z, y], axis=1)
    return backward * weight[:, None], downward * weight[:, None]
