"""How drawn faces move: smooth random tracks of a head and of a face."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .identities import FaceState

Array = NDArray[np.float64]

HEAD_REACH_DEGREES = {"yaw": 16.0, "pitch": 8.0, "roll": 9.0}
"""How far a head turns to either side."""
BLINK_SECONDS = 0.28


def random_state(rng: np.random.Generator) -> FaceState:
    """A state of its whole range, so that networks see everything that can happen."""
    mouth = rng.random() < 0.7
    eyes = np.clip(rng.uniform(-0.15, 1.05), 0, 1)
    return FaceState(
        **{name: float(rng.uniform(-reach, reach)) for name, reach in HEAD_REACH_DEGREES.items()},
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


def random_portrait_state(rng: np.random.Generator) -> FaceState:
    """A face as in a portrait: nearly frontal, awake, the mouth shut."""
    return FaceState(
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


def random_motion(rng: np.random.Generator, frames: int, fps: float) -> list[FaceState]:
    """A driving clip, a state for each frame: the head turns, eyes, brows and mouth move."""
    size = {name: reach * rng.uniform(0.3, 1) for name, reach in HEAD_REACH_DEGREES.items()}
    tracks = {
        name: size[name] * smooth_noise_track(rng, frames, fps, 0.1, 0.5)
        for name in HEAD_REACH_DEGREES
    }
    tracks["brows"] = smooth_noise_track(rng, frames, fps, 0.1, 0.6)
    tracks["smile"] = smooth_noise_track(rng, frames, fps, 0.05, 0.4)
    tracks["gaze_x"] = smooth_noise_track(rng, frames, fps, 0.1, 0.7)
    tracks["gaze_y"] = 0.7 * smooth_noise_track(rng, frames, fps, 0.1, 0.5)
    lids = np.clip(0.75 + 0.3 * smooth_noise_track(rng, frames, fps, 0.1, 0.4), 0.2, 1)
    tracks["eye_left"] = lids * blink_track(rng, frames, fps)
    winks = rng.random() < 0.3
    tracks["eye_right"] = lids * blink_track(rng, frames, fps) if winks else tracks["eye_left"]
    tracks["open"] = np.clip(0.35 + 0.8 * smooth_noise_track(rng, frames, fps, 0.5, 2.2), 0, 1)
    tracks["wide"] = smooth_noise_track(rng, frames, fps, 0.4, 1.6)
    tracks["round"] = np.clip(smooth_noise_track(rng, frames, fps, 0.4, 1.4), 0, 1)
    rows = zip(*(track.tolist() for track in tracks.values()), strict=True)
    return [replace(FaceState(), **dict(zip(tracks, row, strict=True))) for row in rows]


def smooth_noise_track(
    rng: np.random.Generator, frames: int, fps: float, min_hz: float, max_hz: float
) -> Array:
    """A smooth random track (f,) within −1…1: four waves between two rates."""
    t = np.arange(frames) / fps
    rates, phases = rng.uniform(min_hz, max_hz, 4), rng.uniform(0, 2 * np.pi, 4)
    weights = rng.uniform(0.3, 1, 4)
    waves = np.sin(2 * np.pi * np.outer(t, rates) + phases) @ weights
    track: Array = waves / weights.sum() * 1.4
    return np.clip(track, -1, 1)


def blink_track(rng: np.random.Generator, frames: int, fps: float) -> Array:
    """A track (f,): 1 where the lids are up, 0 mid-blink; a blink every 1.5 to 4 seconds."""
    t = np.arange(frames) / fps
    lids = np.ones(frames)
    blink_at = rng.uniform(0.2, 2.5)
    while blink_at < t[-1] + BLINK_SECONDS:
        distance = np.abs(t - blink_at) / BLINK_SECONDS
        lids = np.minimum(lids, np.clip(distance * 1.6 - 0.25, 0, 1))
        blink_at += rng.uniform(1.5, 4)
    return lids
