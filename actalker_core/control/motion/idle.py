"""Idle life: what a face does when nobody asks anything of it, from a seed.

Everything is a course over continuous time: any frame rate samples the same life, and its first
seconds do not depend on how long it lasts. It begins at rest.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...limits import FPS, FRAMES, IDLE_AMOUNT, SEED
from ...media import Audio
from .columns import build_motion
from .signal import MotionSignal
from .stress import find_stresses

Array = NDArray[np.float64]
Courses = dict[str, Array]
"""Numbers of motion by name, (f,) each, as changes from rest."""

BEGIN_SECONDS = 1.0
"""Head and gaze leave rest in this time."""

BLINK_MEDIAN_SECONDS, BLINK_SPREAD = 3.8, 0.4
BLINK_SECONDS = (2.0, 8.0)
"""Of a log-normal distribution; an interval outside is drawn again.

Source: Bentivoglio et al., Movement Disorders 12 (1997): 17 blinks a minute at rest, skewed.
"""
DOUBLE_BLINK_SHARE, DOUBLE_BLINK_SECONDS = 0.12, 0.45
CLOSING_SECONDS, SHUT_SECONDS, OPENING_SECONDS = (0.08, 0.1), 0.045, (0.15, 0.2)
"""A lid falls twice as fast as it rises. Shut it stays longer than a frame of 25 per second, so
that one frame sees it."""

BREATH_HZ = 0.25
BREATH = {"down": -0.004, "pitch": 0.35, "head_scale": 0.0025}
"""A full breath in, against one out: up, nose up, nearer."""

SWAY_HZ = (0.05, 0.45)
SWAY_WAVES = 9
SWAY = {"pitch": 0.8, "yaw": 1.4, "roll": 0.7, "right": 0.005, "down": 0.003}
"""Standard deviations, in degrees and face widths."""

SACCADE_MEDIAN_SECONDS, SACCADE_SPREAD, SACCADE_DURATION_SECONDS = 1.1, 0.6, 0.035
SACCADE_SECONDS = (0.3, 5.0)
SACCADE_X, SACCADE_Y = 0.05, 0.03
GLANCE_SHARE, GLANCE_FACTOR = 0.1, 3.0
"""A tenth of all saccades goes further."""
EYE_TURN = 0.8
"""Half widths of an eye that an iris moves for the sine of the eye's angle: eyes hold what they
look at while the head sways."""

NOD_DEGREES, NOD_SECONDS, BROW_SECONDS = 2.2, 0.45, 0.6
BROWS = {"browInnerUp": 0.35, "browOuterUpLeft": 0.25, "browOuterUpRight": 0.25}
BROW_STRESS = 0.6
"""A stress above this raises the brows too."""


@dataclass(frozen=True)
class IdleAmounts:
    """How strong each part of idle life is: 0 is off, 1 as usual.

    Attributes:
        stress: nods and raises of the brows with the stress of speech.

    Raises:
        InputError: a number outside `limits.IDLE_AMOUNT`.
    """

    blinks: float = 1.0
    breath: float = 1.0
    sway: float = 1.0
    gaze: float = 1.0
    stress: float = 1.0

    def __post_init__(self) -> None:
        for value in (self.blinks, self.breath, self.sway, self.gaze, self.stress):
            IDLE_AMOUNT.check(value)


def move_idly(
    frames: int,
    fps: float,
    *,
    seed: int = 0,
    amounts: IdleAmounts | None = None,
    speech: Audio | None = None,
) -> MotionSignal:
    """Blinks, breath, sway, small movements of the eyes, and stress where there is speech.

    Args:
        seed: the same one gives the same life.
        speech: what the face says; it nods and raises its brows where that is stressed.

    Raises:
        InputError: a number outside its `limits`.
    """
    FRAMES.check(frames)
    FPS.check(fps)
    SEED.check(seed)
    amounts = amounts or IdleAmounts()
    times = np.arange(frames) / fps
    # Each part draws from its own numbers, so that one that is off changes no other.
    blinks, breath, sway, gaze = (
        np.random.Generator(np.random.PCG64(source))
        for source in np.random.SeedSequence(seed).spawn(4)
    )
    head = _add(
        _scale(_breathe(breath, times), amounts.breath), _scale(_sway(sway, times), amounts.sway)
    )
    parts = [
        head,
        _scale(_blink(blinks, times), amounts.blinks),
        _scale(_look(gaze, times, head["yaw"], head["pitch"]), amounts.gaze),
    ]
    if speech is not None:
        parts.append(_scale(_stress(find_stresses(speech), times), amounts.stress))
    courses = _add(*parts)
    courses["head_scale"] = np.exp(courses["head_scale"])
    for name in courses:
        if name.startswith("eyeBlink"):
            courses[name] = courses[name].clip(0, 1)
    numbers = {name: torch.from_numpy(course) for name, course in courses.items()}
    return build_motion(numbers, fps, f"idle {seed}")


def _add(*parts: Courses) -> Courses:
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: sum((part[name] for part in parts if name in part), np.zeros(1)) for name in names
    }


def _scale(courses: Courses, amount: float) -> Courses:
    return {name: amount * course for name, course in courses.items()}


def _begin(times: Array) -> Array:
    """From 0 to 1 in the first moments, (f,)."""
    return _smooth_step(times / BEGIN_SECONDS)


def _smooth_step(share: Array) -> Array:
    """0 below 0, 1 above 1, and slow at both ends, (f,)."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _find_span(times: Array, start: float, end: float) -> slice:
    """The frames from one second to another: what happens there is worked out for no others."""
    first, last = np.searchsorted(times, (start, end), "right")
    return slice(int(first), int(last))


def _draw_interval(
    random: np.random.Generator, median: float, spread: float, limits: tuple[float, float]
) -> float:
    """Seconds of a log-normal distribution, drawn again until they are within limits."""
    while True:
        seconds = float(median * np.exp(spread * random.standard_normal()))
        if limits[0] <= seconds <= limits[1]:
            return seconds


# Eyes --------------------------------------------------------------------------------------------


def _draw_blinks(random: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Endlessly: when a lid begins to fall, how long it falls, and how long it rises."""
    start = 0.0
    while True:
        start += _draw_interval(random, BLINK_MEDIAN_SECONDS, BLINK_SPREAD, BLINK_SECONDS)
        is_double = random.random() < DOUBLE_BLINK_SHARE
        yield start, random.uniform(*CLOSING_SECONDS), random.uniform(*OPENING_SECONDS)
        if is_double:
            second = start + DOUBLE_BLINK_SECONDS
            yield second, random.uniform(*CLOSING_SECONDS), random.uniform(*OPENING_SECONDS)


def _blink(random: np.random.Generator, times: Array) -> Courses:
    lids = np.zeros(len(times))
    for start, closing, opening in _draw_blinks(random):
        if start > times[-1]:
            break
        shut_end = start + closing + SHUT_SECONDS
        span = _find_span(times, start, shut_end + opening)
        fall = _smooth_step((times[span] - start) / closing)
        rise = _smooth_step((times[span] - shut_end) / opening)
        lids[span] = np.maximum(lids[span], fall - rise)
    return {"eyeBlinkLeft": lids, "eyeBlinkRight": lids}


def _draw_saccades(random: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Endlessly: when the eyes jump, and to where, right and up."""
    start = 0.0
    while True:
        start += _draw_interval(random, SACCADE_MEDIAN_SECONDS, SACCADE_SPREAD, SACCADE_SECONDS)
        factor = GLANCE_FACTOR if random.random() < GLANCE_SHARE else 1.0
        x, y = factor * random.standard_normal(2).clip(-2, 2)
        yield start, SACCADE_X * x, SACCADE_Y * y


def _look(random: np.random.Generator, times: Array, yaw: Array, pitch: Array) -> Courses:
    """Small jumps of both eyes, which turn against a head of such yaw and pitch in degrees."""
    x, y = np.zeros(len(times)), np.zeros(len(times))
    last_x = last_y = 0.0
    for start, next_x, next_y in _draw_saccades(random):
        if start > times[-1]:
            break
        # They are there until the next jump, which no interval lets begin within this one.
        span = _find_span(times, start, start + SACCADE_SECONDS[1])
        jump = _smooth_step((times[span] - start) / SACCADE_DURATION_SECONDS)
        x[span] = last_x + (next_x - last_x) * jump
        y[span] = last_y + (next_y - last_y) * jump
        last_x, last_y = next_x, next_y
    x = x - EYE_TURN * np.sin(np.radians(yaw))
    y = y - EYE_TURN * np.sin(np.radians(pitch))
    return {"left_gaze_x": x, "left_gaze_y": y, "right_gaze_x": x, "right_gaze_y": y}


# Head --------------------------------------------------------------------------------------------


def _draw_wave(
    random: np.random.Generator, hz: tuple[float, float] = SWAY_HZ
) -> Callable[[Array], Array]:
    """Noise of a band of frequencies as a function of time (f,) -> (f,), of variance 1.

    A sum of waves has no drift and no rate of its own.
    """
    # Slow waves are larger, as in a body that balances.
    frequencies = np.exp(random.uniform(math.log(hz[0]), math.log(hz[1]), SWAY_WAVES))
    phases = random.uniform(0, 2 * math.pi, SWAY_WAVES)
    sizes = frequencies**-0.5
    sizes *= math.sqrt(2) / np.linalg.norm(sizes)
    return lambda times: np.asarray(
        np.sin(2 * math.pi * times[:, None] * frequencies + phases) @ sizes
    )


def _sway(random: np.random.Generator, times: Array) -> Courses:
    begin = _begin(times)
    return {name: size * begin * _draw_wave(random)(times) for name, size in SWAY.items()}


def _breathe(random: np.random.Generator, times: Array) -> Courses:
    """No breath is as long as the one before; in goes faster than out."""
    hurry = 0.15 * _draw_wave(random, (0.02, 0.1))(times)
    phase = 2 * math.pi * (BREATH_HZ * times + hurry + random.random())
    breath = _begin(times) * (np.sin(phase) + 0.2 * np.sin(2 * phase)) / 2
    return {name: size * breath for name, size in BREATH.items()}


def _stress(stresses: Array, times: Array) -> Courses:
    """Nods, and for the strongest raises of the brows, at stresses (n, 2): second and strength."""
    nods, raises = np.zeros(len(times)), np.zeros(len(times))
    for second, strength in stresses:
        span = _find_span(times, second - BROW_SECONDS, second + BROW_SECONDS)
        nods[span] += strength * _bump((times[span] - second) / NOD_SECONDS)
        if strength > BROW_STRESS:
            bump = strength * _bump((times[span] - second) / BROW_SECONDS)
            raises[span] = np.maximum(raises[span], bump)
    brows: Mapping[str, Array] = {name: size * raises for name, size in BROWS.items()}
    return {"pitch": -NOD_DEGREES * nods, **brows}


def _bump(share: Array) -> Array:
    """Around 0 (at −0.4 it begins, at 0.6 it ends) up to 1 and back, (f,)."""
    return _smooth_step((share + 0.4) / 0.4) - _smooth_step(share / 0.6)
