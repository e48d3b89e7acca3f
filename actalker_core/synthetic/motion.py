"""How drawn people move: smooth random tracks of a head and a face."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .people import State

Array = NDArray[np.float64]

REACH = {"yaw": 16.0, "pitch": 8.0, "roll": 9.0}
"""How far a head turns, in degrees."""
BLINK_SECONDS = 0.28


def random_state(rng: np.random.Generator) -> State:
    """Anybody at any moment; all that may happen, happens."""
    mouth = rng.random() < 0.7
    eyes = np.clip(rng.uniform(-0.15, 1.05), 0, 1)
    return State(
        **{name: float(rng.uniform(-reach, reach)) for name, reach in REACH.items()},
        x=float(rng.uniform(-4, 4)),
        y=float(rng.uniform(-4, 4)),
        brows=float(rng.uniform(-1, 1)),
        eye_left=float(eyes),
        eye_right=float(eyes if rng.random() < 0.7 else rng.uniform(0, 1)),
        gaze_x=float(rng.uniform(-1, 1)),
        gaze_y=float(rng.uniform(-1, 1)),
        smile=float(rng.uniform(-1, 1)),
        open=float(mouth * rng.uniform(0, 1)),
        wide=float(rng.uniform(-1, 1)),
        round=float(max(rng.uniform(-0.6, 1), 0)),
    )


def portrait_state(rng: np.random.Generator) -> State:
    """Somebody who sits for a portrait: nearly frontal, awake, the mouth shut."""
    return State(
        yaw=float(rng.uniform(-4, 4)),
        pitch=float(rng.uniform(-2, 2)),
        roll=float(rng.uniform(-2, 2)),
        x=float(rng.uniform(-3, 3)),
        y=float(rng.uniform(-3, 3)),
        eye_left=0.8,
        eye_right=0.8,
        brows=float(rng.uniform(-0.15, 0.15)),
        smile=float(rng.uniform(-0.1, 0.2)),
    )


def random_motion(rng: np.random.Generator, frames: int, fps: float) -> list[State]:
    """A driving clip: somebody turns, looks, blinks, smiles and moves the mouth."""
    size = {name: reach * rng.uniform(0.3, 1) for name, reach in REACH.items()}
    tracks = {name: size[name] * wander(rng, frames, fps, 0.1, 0.5) for name in REACH}
    tracks["brows"] = wander(rng, frames, fps, 0.1, 0.6)
    tracks["smile"] = wander(rng, frames, fps, 0.05, 0.4)
    tracks["gaze_x"] = wander(rng, frames, fps, 0.1, 0.7)
    tracks["gaze_y"] = 0.7 * wander(rng, frames, fps, 0.1, 0.5)
    lids = np.clip(0.75 + 0.3 * wander(rng, frames, fps, 0.1, 0.4), 0.2, 1)
    tracks["eye_left"] = lids * blinks(rng, frames, fps)
    winks = rng.random() < 0.3
    tracks["eye_right"] = lids * blinks(rng, frames, fps) if winks else tracks["eye_left"]
    tracks["open"] = np.clip(0.35 + 0.8 * wander(rng, frames, fps, 0.5, 2.2), 0, 1)
    tracks["wide"] = wander(rng, frames, fps, 0.4, 1.6)
    tracks["round"] = np.clip(wander(rng, frames, fps, 0.4, 1.4), 0, 1)
    return states_of(State(), tracks)


def states_of(rest: State, tracks: dict[str, Array]) -> list[State]:
    """One state for each number of the tracks; what has no track stays as it is at rest."""
    length = min(len(track) for track in tracks.values())
    return [replace(rest, **{k: float(v[i]) for k, v in tracks.items()}) for i in range(length)]


def wander(
    rng: np.random.Generator, frames: int, fps: float, slow_hz: float, fast_hz: float
) -> Array:
    """A smooth track within −1…1: four waves between two rates."""
    t = np.arange(frames) / fps
    rates, phases = rng.uniform(slow_hz, fast_hz, 4), rng.uniform(0, 2 * np.pi, 4)
    weights = rng.uniform(0.3, 1, 4)
    waves = np.sin(2 * np.pi * np.outer(t, rates) + phases) @ weights
    track: Array = waves / weights.sum() * 1.4
    return np.clip(track, -1, 1)


def blinks(rng: np.random.Generator, frames: int, fps: float) -> Array:
    """1 where the lids are up, 0 in the middle of a blink; one every 1.5 to 4 seconds."""
    t = np.arange(frames) / fps
    lids = np.ones(frames)
    at = rng.uniform(0.2, 2.5)
    while at < t[-1] + BLINK_SECONDS:
        lids = np.minimum(lids, np.clip(np.abs(t - at) / BLINK_SECONDS * 1.6 - 0.25, 0, 1))
        at += rng.uniform(1.5, 4)
    return lids
