"""Who lives in the drawn world, and how they may stand: numbers that `world` draws."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

Colour = tuple[float, float, float]
"""RGB in 0…255."""

SKINS: tuple[Colour, ...] = (
    (250, 219, 196),
    (241, 200, 168),
    (224, 177, 138),
    (198, 144, 104),
    (160, 108, 76),
    (122, 80, 58),
)
HAIRS: tuple[Colour, ...] = (
    (46, 36, 34),
    (84, 56, 38),
    (132, 84, 46),
    (196, 150, 84),
    (170, 72, 40),
    (150, 146, 150),
    (64, 72, 110),
)
CLOTHES: tuple[Colour, ...] = (
    (58, 86, 130),
    (142, 62, 66),
    (70, 112, 84),
    (180, 152, 92),
    (92, 78, 124),
    (224, 222, 214),
)
GROUNDS: tuple[Colour, ...] = (
    (186, 204, 216),
    (214, 202, 186),
    (190, 210, 190),
    (206, 192, 212),
    (226, 214, 198),
    (150, 170, 190),
)
IRISES: tuple[Colour, ...] = ((96, 66, 40), (70, 110, 150), (84, 124, 84), (110, 100, 96))
HAIR_STYLES, GLASSES, BEARDS = 5, 3, 3
"""How many kinds there are, none included."""

HEAD = ("yaw", "pitch", "roll")
EYES = ("brows", "eye_left", "eye_right", "gaze_x", "gaze_y")
MOUTH = ("open", "wide", "round")
"""Which numbers of a `State` belong to what."""


@dataclass(frozen=True)
class Person:
    """What stays the same.

    Attributes:
        width, height: of the face, 1 is average. jaw: 0 pointed … 1 square.
        hair_style: 0 short, 1 parted, 2 long, 3 bun, 4 curly. glasses: 0 none, 1 round, 2 square.
        beard: 0 none, 1 moustache, 2 full.
    """

    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    ground: tuple[Colour, Colour]
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


@dataclass(frozen=True)
class State:
    """What moves; at rest everything is as it is by default.

    Attributes:
        yaw, pitch, roll: degrees; the nose to the picture's right, up, the head to its right.
        x, y: of the head in the picture, in pixels.
        brows: −1 frowning … 1 raised. eye_left, eye_right: 0 shut … 1 open; the person's own left.
        gaze_x, gaze_y: −1 … 1 to the picture's right and up. smile: −1 sad … 1 joyful.
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
        """Of its numbers, in order."""
        return tuple(field.name for field in fields(cls))


def towards(a: State, b: State, names: Sequence[str], share: float) -> State:
    """The first state with some of its numbers moved part of the way to those of the second."""
    moved = {n: (1 - share) * getattr(a, n) + share * getattr(b, n) for n in names}
    return replace(a, **moved)


def draw_person(seed: int) -> Person:
    """Somebody, always the same for a seed."""
    rng = np.random.default_rng([seed, 1])

    def one(colours: tuple[Colour, ...]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    def varied(colour: Colour, by: float = 10) -> Colour:
        r, g, b = np.clip(np.array(colour) + rng.normal(0, by, 3), 0, 255)
        return float(r), float(g), float(b)

    skin = varied(one(SKINS), 5)
    lips = mixed(skin, (190, 60, 70), float(rng.uniform(0.45, 0.7)))
    ground = varied(one(GROUNDS), 8)
    return Person(
        skin=skin,
        hair=varied(one(HAIRS), 8),
        lips=lips,
        iris=one(IRISES),
        ground=(ground, mixed(ground, (255, 255, 255), float(rng.uniform(0.15, 0.5)))),
        clothes=varied(one(CLOTHES), 12),
        width=float(rng.uniform(0.9, 1.08)),
        height=float(rng.uniform(1.24, 1.42)),
        jaw=float(rng.uniform(0.1, 0.9)),
        eye_size=float(rng.uniform(0.9, 1.15)),
        eye_gap=float(rng.uniform(0.37, 0.43)),
        brow=float(rng.uniform(0.6, 1.3)),
        nose=float(rng.uniform(0.8, 1.25)),
        mouth=float(rng.uniform(0.9, 1.12)),
        hair_style=int(rng.integers(HAIR_STYLES)),
        glasses=int(rng.choice([0, 0, 0, 1, 2])),
        beard=int(rng.choice([0, 0, 0, 1, 2])),
    )


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Between two colours."""
    r, g, bl = ((1 - share) * x + share * y for x, y in zip(a, b, strict=True))
    return r, g, bl
