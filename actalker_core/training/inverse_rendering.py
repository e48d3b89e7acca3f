"""Inverse rendering: the state of a drawn face from its pixels, with no network involved.

Colours and geometry are known, so that a state is the one whose rendering differs least. It is
fitted by Gauss and Newton's method, with finite differences for derivatives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from ..synthetic.identities import FaceState, Identity
from ..synthetic.rendering import ImageArray, render_face

Array = NDArray[np.float64]

STEP_UNITS = {
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
"""The fields that are fitted, each with a change that shows about as much as the others'."""
BOUNDS = {name: (-1.2, 1.2) for name in STEP_UNITS} | {
    "yaw": (-30.0, 30.0),
    "pitch": (-20.0, 20.0),
    "roll": (-20.0, 20.0),
    "eye_left": (0.0, 1.1),
    "eye_right": (0.0, 1.1),
    "open": (0.0, 1.2),
    "round": (0.0, 1.1),
}
PROBE = 0.12
"""Step of the finite differences, in units."""
BLUR_PX = 1.2
DAMPING = 30.0
"""Keeps fields that hardly show from running away; in squared grey levels per unit."""
MOUTH_GUESSES = {
    "open": (0.0, 0.35, 0.8),
    "round": (0.0, 0.8),
    "smile": (-0.6, 0.0, 0.6),
    "wide": (0.0,),
}
EYE_GUESSES = {
    "eye_left": (0.0, 0.5, 1.0),
    "eye_right": (0.0, 0.5, 1.0),
    "gaze_x": (-0.6, 0.0, 0.6),
}
BROW_GUESSES = {"brows": (-0.7, 0.0, 0.7)}
"""Guesses that small steps do not reach: the slope at a shut eye points neither towards an open one
nor to where that would look."""
FIRST_STEPS, NEXT_STEPS = 6, 3
"""Newton steps for a first image, and for each that follows another."""


def fit_states(
    identity: Identity, rest: FaceState, images: Iterable[ImageArray]
) -> list[FaceState]:
    """The states of one identity in one or more consecutive images (128, 128, 3).

    Fitted forwards and backwards, because each frame starts from its neighbour and may be led
    astray by it; of the two, each frame keeps the state that comes closer.

    Args:
        rest: of the portrait; the search starts there, and x and y stay as they are.
    """
    frames = list(images)
    forwards = _fit_in_order(identity, rest, frames)
    backwards = _fit_in_order(identity, forwards[-1], frames[::-1])[::-1]
    return [
        _choose_closest(identity, _blur_pixels(image), states)
        for image, *states in zip(frames, forwards, backwards, strict=True)
    ]


def _fit_in_order(
    identity: Identity, rest: FaceState, images: Sequence[ImageArray]
) -> list[FaceState]:
    states: list[FaceState] = []
    for image in images:
        steps = NEXT_STEPS if states else FIRST_STEPS
        states.append(fit_state(identity, states[-1] if states else rest, image, steps))
    return states


def fit_state(identity: Identity, start: FaceState, image: ImageArray, steps: int) -> FaceState:
    """The state near `start` whose rendering comes closest to an image (128, 128, 3).

    A different mouth, eyes and brows are fitted too before they are compared: a rough guess, right
    or wrong, loses against a state that has been fitted already.
    """
    pixels = _blur_pixels(image)
    state = _take_newton_steps(identity, start, pixels, steps)
    for guesses in (MOUTH_GUESSES, EYE_GUESSES, BROW_GUESSES):
        candidates = (
            replace(state, **dict(zip(guesses, values, strict=True)))
            for values in product(*guesses.values())
        )
        guess = _choose_closest(identity, pixels, candidates)
        guess = _take_newton_steps(identity, guess, pixels, steps)
        state = _choose_closest(identity, pixels, [state, guess])
    return state


def _choose_closest(identity: Identity, pixels: Array, states: Iterable[FaceState]) -> FaceState:
    def error(state: FaceState) -> float:
        return float(np.square(_residual(identity, state, pixels)).sum())

    return min(states, key=error)


def _take_newton_steps(
    identity: Identity, state: FaceState, pixels: Array, steps: int
) -> FaceState:
    """Gauss and Newton's steps, each shortened once if it leads away."""
    residual = _residual(identity, state, pixels)
    for _ in range(steps):
        jacobian = np.stack(
            [_derivative(identity, state, name, residual, pixels) for name in STEP_UNITS]
        )
        hessian = jacobian @ jacobian.T + DAMPING * len(residual) ** 0.5 * np.eye(len(STEP_UNITS))
        step = np.clip(-np.linalg.solve(hessian, jacobian @ residual), -1.5, 1.5)
        for trial in (_step_state(state, step), _step_state(state, 0.3 * step)):
            trial_residual = _residual(identity, trial, pixels)
            if trial_residual @ trial_residual < residual @ residual:
                state, residual = trial, trial_residual
                break
        else:
            break
    return state


def mean_error_255(identity: Identity, state: FaceState, image: ImageArray) -> float:
    """How far an image (128, 128, 3) is from the rendering of a state: mean per colour, of 255."""
    return float(np.abs(render_face(identity, state).image.astype(float) - image).mean())


def _derivative(
    identity: Identity, state: FaceState, name: str, residual: Array, pixels: Array
) -> Array:
    """How the residual changes with one field, per unit."""
    step = PROBE * STEP_UNITS[name]
    if getattr(state, name) + step > BOUNDS[name][1]:
        step = -step
    probe = replace(state, **{name: getattr(state, name) + step})
    return np.asarray((_residual(identity, probe, pixels) - residual) * (STEP_UNITS[name] / step))


def _residual(identity: Identity, state: FaceState, pixels: Array) -> Array:
    return _blur_pixels(render_face(identity, state).image) - pixels


def _step_state(state: FaceState, step: Array) -> FaceState:
    values = {}
    for (name, unit), units in zip(STEP_UNITS.items(), step, strict=True):
        values[name] = float(np.clip(getattr(state, name) + unit * units, *BOUNDS[name]))
    return replace(state, **values)


def _blur_pixels(image: ImageArray) -> Array:
    """The pixels of an image (128, 128, 3), blurred and without the rim, in one line (3·112²,).

    Sharp edges have no usable slope.
    """
    blurry = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR_PX)
    return blurry[8:120, 8:120].ravel().astype(float)
