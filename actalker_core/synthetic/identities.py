"""Drawn faces as numbers: what stays (an identity) and what moves (a state); see `rendering`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

Colour = tuple[float, float, float]
"""RGB in 0…255."""

SKIN_COLOURS: tuple[Colour, ...] = (
    (250, 219, 196),
    (241, 200, 168),
    (224, 177, 138),
    (198, 144, 104),
    (160, 108, 76),
    (122, 80, 58),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (46, 36, 34),
    (84, 56, 38),
    (132, 84, 46),
    (196, 150, 84),
    (170, 72, 40),
    (150, 146, 150),
    (64, 72, 110),
)
CLOTHES_COLOURS: tuple[Colour, ...] = (
    (58, 86, 130),
    (142, 62, 66),
    (70, 112, 84),
    (180, 152, 92),
    (92, 78, 124),
    (224, 222, 214),
)
BACKGROUND_COLOURS: tuple[Colour, ...] = (
    (186, 204, 216),
    (214, 202, 186),
    (190, 210, 190),
    (206, 192, 212),
    (226, 214, 198),
    (150, 170, 190),
)
IRIS_COLOURS: tuple[Colour, ...] = ((96, 66, 40), (70, 110, 150), (84, 124, 84), (110, 100, 96))
HAIR_STYLE_COUNT, GLASSES_COUNT, BEARD_COUNT = 5, 3, 3
"""Kinds, with `none` among them."""

HEAD_NAMES = ("yaw", "pitch", "roll")
EYE_NAMES = ("brows", "eye_left", "eye_right", "gaze_x", "gaze_y")
MOUTH_NAMES = ("open", "wide", "round")
"""Fields of a `FaceState` by the part of the face."""


@dataclass(frozen=True)
class Identity:
    """What stays the same of a face.

    Attributes:
        width, height: of the face, 1 is average. jaw: 0 pointed … 1 square.
        hair_style: 0 short, 1 parted, 2 long, 3 bun, 4 curly. glasses: 0 none, 1 round, 2 square.
        beard: 0 none, 1 moustache, 2 full. background: colours at the bottom and at the top.
        facial_hair: of brows, lashes and beard; None for the colour of the hair.
    """

    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    background: tuple[Colour, Colour]
    clothes: Colour
    width: float
    height: float
    jaw: float
    eye_size: float
    eye_gap: float
    brow: float
    nose: float
    mouth: float
    hair_style: int
    glasses: int
    beard: int
    facial_hair: Colour | None = None

    @property
    def facial_hair_colour(self) -> Colour:
        """Of brows, lashes and beard."""
        return self.hair if self.facial_hair is None else self.facial_hair


@dataclass(frozen=True)
class FaceState:
    """What moves of a face; the defaults are a face at rest.

    Attributes:
        yaw, pitch, roll: degrees; the nose to the image's right, up, the head to its right.
        x, y: of the head in the image, in pixels.
        brows: −1 frowning … 1 raised. eye_left, eye_right: 0 shut … 1 open; the person's left.
        gaze_x, gaze_y: −1 … 1 to the image's right and up. smile: −1 sad … 1 joyful.
        open, wide, round: of the mouth, 0…1, −1…1, 0…1.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    brows: float = 0.0
    eye_left: float = 0.8
    eye_right: float = 0.8
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    smile: float = 0.0
    open: float = 0.0
    wide: float = 0.0
    round: float = 0.0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The fields, in order."""
        return tuple(field.name for field in fields(cls))


def blend_states(
    start: FaceState, end: FaceState, names: Sequence[str], weight: float
) -> FaceState:
    """The first state, some of its fields moved towards the second by a weight 0…1."""
    values = {n: (1 - weight) * getattr(start, n) + weight * getattr(end, n) for n in names}
    return replace(start, **values)


def make_identity(seed: int) -> Identity:
    """A random identity, always the same for a seed."""
    rng = np.random.default_rng([seed, 1])

    def choose(colours: tuple[Colour, ...]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    def vary(colour: Colour, std: float) -> Colour:
        r, g, b = np.clip(np.array(colour) + rng.normal(0, std, 3), 0, 255)
        return float(r), float(g), float(b)

    skin = vary(choose(SKIN_COLOURS), 5)
    lips = blend_colours(skin, (190, 60, 70), float(rng.uniform(0.45, 0.7)))
    wall = vary(choose(BACKGROUND_COLOURS), 8)
    return Identity(
        skin=skin,
        hair=vary(choose(HAIR_COLOURS), 8),
        lips=lips,
        iris=choose(IRIS_COLOURS),
        background=(wall, blend_colours(wall, (255, 255, 255), float(rng.uniform(0.15, 0.5)))),
        clothes=vary(choose(CLOTHES_COLOURS), 12),
        width=float(rng.uniform(0.9, 1.08)),
        height=float(rng.uniform(1.24, 1.42)),
        jaw=float(rng.uniform(0.1, 0.9)),
        eye_size=float(rng.uniform(0.9, 1.15)),
        eye_gap=float(rng.uniform(0.37, 0.43)),
        brow=float(rng.uniform(0.6, 1.3)),
        nose=float(rng.uniform(0.8, 1.25)),
        mouth=float(rng.uniform(0.9, 1.12)),
        hair_style=int(rng.integers(HAIR_STYLE_COUNT)),
        # Three of five faces go without glasses, and as many without a beard.
        glasses=int(rng.choice([0, 0, 0, 1, 2])),
        beard=int(rng.choice([0, 0, 0, 1, 2])),
    )


def swap_texture(source: Identity, target: Identity) -> Identity:
    """The target with the source's texture on its face, in the light of its own skin.

    Shapes and what lies before the face, hair and glasses, stay the target's.
    """
    return replace(
        target,
        lips=source.lips,
        iris=source.iris,
        brow=source.brow,
        nose=source.nose,
        beard=source.beard,
        facial_hair=source.facial_hair_colour,
    )


def blend_colours(start: Colour, end: Colour, weight: float) -> Colour:
    """A colour between two, nearer to the second the larger the weight 0…1."""
    r, g, b = ((1 - weight) * x + weight * y for x, y in zip(start, end, strict=True))
    return r, g, b
