"""What a moved photograph is made of; everything that can be refused is refused here."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...control.motion.signal import MotionSignal
from ...errors import InputError, check_choice
from ...geometry.photograph import Photograph
from ...geometry.portrait import check_mask
from ...geometry.pose import measure_rotation
from ...geometry.rotation_limit import limit_rotation
from ...limits import FPS, FRAMES
from ...media import Audio

log = logging.getLogger(__name__)

DEFAULT_FPS = 25.0
LIPS = ("relative", "absolute")
"""Whether lips move on from where the photograph has them, or from shut ones."""
PROCEDURAL = "procedural"
MOUTHS = ("auto", "own", "driver", PROCEDURAL)
"""What is seen between the lips: the photograph's own teeth where it shows some, else made up ones;
the driver's mouth; or made up ones always (see `open_photograph`). `auto` takes the driver's where
the driver moves the lips."""


@dataclass(frozen=True)
class Driver:
    """A clip whose mouth may be shown.

    Attributes:
        frames: (3, h, w) each, uint8 or in 0…1, at the video's rate; read once, one ahead.
        landmarks: (f, 478, 3) of the face in them.
    """

    frames: Iterable[Tensor]
    landmarks: NDArray[np.floating]


@dataclass(frozen=True)
class PhotographPlan:
    """All that a moved photograph is made of.

    Attributes:
        photograph: with its face.
        motion: f frames at the video's rate, within what the photograph can show.
        lips: one of `LIPS`.
        driver: whose mouth is shown; None for the photograph's own.
        mask: (H, W) in 0…1, where the picture may change; None for everywhere.
        sound: as long as the frames, or None.
    """

    photograph: Photograph
    motion: MotionSignal
    lips: str = "relative"
    driver: Driver | None = None
    mask: NDArray[np.float32] | None = None
    sound: Audio | None = None

    @property
    def frames(self) -> int:
        """Of the video."""
        return len(self.motion)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.motion.rate_hz


def plan_photograph(
    photograph: Photograph,
    motion: MotionSignal,
    *,
    fps: float = DEFAULT_FPS,
    max_frames: int | None = None,
    lips: str = "relative",
    mouth: str = "auto",
    driver: Driver | None = None,
    drives_mouth: bool = True,
    mask: Tensor | None = None,
    sound: Audio | None = None,
) -> PhotographPlan:
    """Lay motion over a photograph.

    Args:
        motion: at any rate; sampled at `fps`.
        max_frames: at most so many; None for all of the motion.
        mouth: one of `MOUTHS`.
        driver: the clip that gave the motion, if there is one.
        drives_mouth: whether it moves the lips, and not another source.
        mask: (H, W) in 0…1 over the photograph; white may change.
        sound: what is heard.

    Raises:
        InputError: an unknown choice, a number outside its limits, no motion of one frame, a mask
            of another size, or a driver that is missing or too short.
    """
    check_choice("Lips", lips, LIPS)
    check_choice("Mouth", mouth, MOUTHS)
    FPS.check(fps)
    frames = motion.count_frames(fps)
    if max_frames is not None:
        frames = min(frames, FRAMES.check(max_frames))
    if frames < 1:
        raise InputError(
            f"The motion lasts {motion.seconds:g} s, which is less than a frame at {fps:g} fps. "
            "Give a longer one."
        )
    motion = motion.sample(FRAMES.check(frames), fps)
    return PhotographPlan(
        photograph=photograph,
        motion=_limit_rotation(motion, photograph),
        lips=lips,
        driver=_choose_driver(mouth, driver, frames, drives_mouth),
        mask=None if mask is None else check_mask(mask, photograph),
        sound=None if sound is None else sound.trim(frames / fps),
    )


def _limit_rotation(motion: MotionSignal, photograph: Photograph) -> MotionSignal:
    """Turn the head no further than the photograph can show; say so where that changes much."""
    rest = measure_rotation(photograph.pose.rotation)
    degrees, is_beyond = limit_rotation(motion.rotation_degrees.double().numpy(), rest)
    if is_beyond:
        largest = motion.rotation_degrees.abs().amax(0).tolist()
        log.warning(
            "The head is asked to turn by up to %.0f° (pitch), %.0f° (yaw) and %.0f° (roll): more "
            "than one picture can show, so it turns less.",
            *largest,
        )
    return replace(motion, rotation_degrees=torch.from_numpy(degrees).float())


def _choose_driver(
    mouth: str, driver: Driver | None, frames: int, drives_mouth: bool
) -> Driver | None:
    """The driver whose mouth is shown."""
    is_long = driver is not None and len(driver.landmarks) >= frames
    if mouth == "driver" and not is_long:
        got = "none" if driver is None else f"{len(driver.landmarks):,} frames"
        raise InputError(
            f"Mouth of the driver: expected a driving clip of at least {frames:,} frames, as many "
            f"as the video has, got {got}. Give a longer clip, or show the own mouth."
        )
    is_shown = mouth == "driver" or (mouth == "auto" and drives_mouth and is_long)
    return driver if is_shown else None
