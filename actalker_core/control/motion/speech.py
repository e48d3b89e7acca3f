"""Speech -> the mouth's numbers: what the lips do, written as blendshapes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...limits import FPS, FRAMES, LIP_OFFSET_MS, MOUTH_AMOUNT
from ...media import Audio
from .columns import build_motion
from .lips.track import LipTrack, read_lips, to_frames
from .signal import MotionSignal

Effects = dict[str, float]

OPENNESS: Effects = {
    "jawOpen": 0.6,
    "mouthLowerDownLeft": 0.15,
    "mouthLowerDownRight": 0.15,
    "mouthUpperUpLeft": 0.08,
    "mouthUpperUpRight": 0.08,
}
WIDTH: Effects = {
    "mouthStretchLeft": 0.4,
    "mouthStretchRight": 0.4,
    "mouthSmileLeft": 0.15,
    "mouthSmileRight": 0.15,
}
NARROWNESS: Effects = {"mouthFunnel": 0.25}
PUCKER: Effects = {"mouthPucker": 0.6, "mouthFunnel": 0.35}
TEETH_ON_LIP: Effects = {
    "mouthRollLower": 0.7,
    "mouthRollUpper": 0.1,
    "jawOpen": 0.05,
    "mouthUpperUpLeft": 0.15,
    "mouthUpperUpRight": 0.15,
}
CLOSURE: Effects = {
    "mouthPressLeft": 0.4,
    "mouthPressRight": 0.4,
    "mouthRollLower": 0.25,
    "mouthRollUpper": 0.25,
}
"""What the blendshapes do where one of these is 1; `mouthClose` itself shuts the lips."""


def move_by_speech(
    audio: Audio, frames: int, fps: float, *, amount: float = 1.0, offset_ms: float = 0.0
) -> MotionSignal:
    """The mouth that says a sound; silence is rest.

    Args:
        amount: how far it opens, 1 as in conversation; closures stay closures.
        offset_ms: how much later the lips move than the sound says, for files out of sync.

    Raises:
        InputError: a number outside its `limits`.
    """
    LIP_OFFSET_MS.check(offset_ms)
    return move_by_lips(read_lips(audio, offset_ms / 1000), frames, fps, amount=amount)


def move_by_lips(track: LipTrack, frames: int, fps: float, *, amount: float = 1.0) -> MotionSignal:
    """The mouth that does what a track of lips says; after its end it is at rest.

    Raises:
        InputError: a number outside its `limits`.
    """
    FRAMES.check(frames)
    FPS.check(fps)
    MOUTH_AMOUNT.check(amount)
    lips = to_frames(track, frames, fps)
    narrowness, width = np.maximum(-lips.width, 0), np.maximum(lips.width, 0)
    courses: dict[str, NDArray[Any]] = {"mouthClose": lips.closure * min(amount, 1)}
    for effects, strengths in (
        (OPENNESS, lips.openness),
        (WIDTH, width),
        (NARROWNESS, narrowness),
        (PUCKER, lips.pucker),
        (TEETH_ON_LIP, lips.teeth_on_lip),
        (CLOSURE, lips.closure),
    ):
        for name, effect in effects.items():
            courses[name] = courses.get(name, np.zeros(frames)) + amount * effect * strengths
    numbers = {name: torch.from_numpy(np.clip(course, 0, 1)) for name, course in courses.items()}
    return build_motion(numbers, fps, "speech")
