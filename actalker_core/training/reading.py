"""Reads a drawn face off its pixels, by drawing until the drawing looks the same.

No network takes part: the world knows its own colours and geometry, so that a state is found as
the one whose drawing differs least (Gauss and Newton, with differences for derivatives).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from ..synthetic.identities import FaceState, Identity
from ..synthetic.rendering import ImageArray, render_face

Array = NDArray[np.float64]

UNITS = {
    "yaw": 8.0,
    "pitch": 8.0,
    "roll": 8.0,
    "brows": 0.5,
    "eye_left": 0.4,
    "eye_right": 0.4,
    "gaze_x": 0.5,
    "gaze_y": 0.5,
    "smile": 0.5,
    "open": 0.4,
    "wide": 0.5,
    "round": 0.4,
}
"""What is read, each with a change that shows about as much as the others'."""
BOUNDS = {name: (-1.2, 1.2) for name in UNITS} | {
    "yaw": (-30.0, 30.0),
    "pitch": (-20.0, 20.0),
    "roll": (-20.0, 20.0),
    "eye_left": (0.0, 1.1),
    "eye_right": (0.0, 1.1),
    "open": (0.0, 1.2),
    "round": (0.0, 1.1),
}
PROBE = 0.12
"""Step of the differences, in units."""
BLUR_PX = 1.2
DAMPING = 30.0
"""Keeps numbers that hardly show from running away; in squared grey levels per unit."""
MOUTHS = {
    "open": (0.0, 0.35, 0.8),
    "round": (0.0, 0.8),
    "smile": (-0.6, 0.0, 0.6),
    "wide": (0.0,),
}
EYE_NAMES = {"eye_left": (0.0, 0.5, 1.0), "eye_right": (0.0, 0.5, 1.0), "gaze_x": (-0.6, 0.0, 0.6)}
BROWS = {"brows": (-0.7, 0.0, 0.7)}
"""Mouths, eyes and brows that are too different to be found in small steps: a shut eye tells
neither the way to an open one nor where that would look."""
FIRST_ROUNDS, ROUNDS = 6, 3
"""Newton steps for a first picture, and for each that follows another."""


def read_states(
    person: Identity, rest: FaceState, pictures: Iterable[ImageArray]
) -> list[FaceState]:
    """The states of one person in the pictures (128, 128, 3), one or more, of a clip.

    Read forwards and backwards, because each frame begins with what its neighbour showed and may be
    led astray by it; of the two, each frame keeps the state that comes closer.

    Args:
        rest: of the portrait; the search starts there, and its place in the picture stays.
    """
    clip = list(pictures)
    forwards = _read_one_after_another(person, rest, clip)
    backwards = _read_one_after_another(person, forwards[-1], clip[::-1])[::-1]
    return [
        _closest(person, _seen(picture), states)
        for picture, *states in zip(clip, forwards, backwards, strict=True)
    ]


def _read_one_after_another(
    person: Identity, rest: FaceState, clip: Sequence[ImageArray]
) -> list[FaceState]:
    found: list[FaceState] = []
    for picture in clip:
        rounds = ROUNDS if found else FIRST_ROUNDS
        found.append(read_state(person, found[-1] if found else rest, picture, rounds))
    return found


def read_state(person: Identity, start: FaceState, picture: ImageArray, rounds: int) -> FaceState:
    """The state near `start` whose drawing comes closest to the picture.

    Another mouth, other eyes and other brows are moved closer too before they are judged: a rough
    guess, right or wrong, loses against a state that has been fitted already.
    """
    wanted = _seen(picture)
    state = _approach(person, start, wanted, rounds)
    for choices in (MOUTHS, EYE_NAMES, BROWS):
        other = _closest(person, wanted, _others(state, choices))
        state = _closest(person, wanted, [state, _approach(person, other, wanted, rounds)])
    return state


def _others(state: FaceState, choices: Mapping[str, Sequence[float]]) -> Iterator[FaceState]:
    """The state with each of all choices in turn."""
    for values in product(*choices.values()):
        yield replace(state, **dict(zip(choices, values, strict=True)))


def _closest(person: Identity, wanted: Array, states: Iterable[FaceState]) -> FaceState:
    return min(states, key=lambda state: float(np.square(_off(person, state, wanted)).sum()))


def _approach(person: Identity, state: FaceState, wanted: Array, rounds: int) -> FaceState:
    """Newton steps, each shortened once if it leads away."""
    rest = _off(person, state, wanted)
    for _ in range(rounds):
        slopes = np.stack([_slope(person, state, name, rest, wanted) for name in UNITS])
        hessian = slopes @ slopes.T + DAMPING * len(rest) ** 0.5 * np.eye(len(UNITS))
        step = np.clip(-np.linalg.solve(hessian, slopes @ rest), -1.5, 1.5)
        for trial in (_moved(state, step), _moved(state, 0.3 * step)):
            off = _off(person, trial, wanted)
            if off @ off < rest @ rest:
                state, rest = trial, off
                break
        else:
            break
    return state


def difference_255(person: Identity, state: FaceState, picture: ImageArray) -> float:
    """How far a picture is from the drawing of a state: mean per colour, of 255."""
    return float(np.abs(render_face(person, state).image.astype(float) - picture).mean())


def _slope(person: Identity, state: FaceState, name: str, rest: Array, wanted: Array) -> Array:
    """How the difference changes with one number, per unit."""
    step = PROBE * UNITS[name]
    if getattr(state, name) + step > BOUNDS[name][1]:
        step = -step
    moved = replace(state, **{name: getattr(state, name) + step})
    return np.asarray((_off(person, moved, wanted) - rest) * (UNITS[name] / step))


def _off(person: Identity, state: FaceState, wanted: Array) -> Array:
    return _seen(render_face(person, state).image) - wanted


def _moved(state: FaceState, step: Array) -> FaceState:
    values = {}
    for (name, unit), by in zip(UNITS.items(), step, strict=True):
        values[name] = float(np.clip(getattr(state, name) + unit * by, *BOUNDS[name]))
    return replace(state, **values)


def _seen(picture: ImageArray) -> Array:
    """A little blurred, so that differences tell the way: (pixels·3,)."""
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), BLUR_PX)
    return blurred[8:120, 8:120].ravel().astype(float)
