"""Cuts in a clip whose face is followed: where another person takes its place.

A cut changes the whole frame at once and for good, and the face with it. Each alone is harmless: a
fast pan changes the frame around one face, a head that turns changes the face in one room. Changes
are measured on thumbnails without their mean and contrast, so that light may flicker, and between
several frames before and after, so that a flash, a blink or a dark moment does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .box import Box, image_box
from .face import Array, Face

SIDE_PX, SAMPLES = 16, 64
"""Of a thumbnail, and of what it is averaged from."""
LEAST_SPREAD = 0.02
"""Of 0…1; what varies by less is black, white or empty and tells nothing."""
WINDOW_FRAMES = 4
"""So many frames before differ from so many after."""
OTHER_SCENE, OTHER_FACE = 0.25, 0.15
"""Changes together: a real head that turns four times as fast as it did reaches 0.1 and 0.12, cuts
to another person 0.5 and 0.23."""
SAME_SCENE, CLEARLY_OTHER_FACE = 0.05, 0.35
"""Together, where another person sits in the same room; a real head reaches 0.04 and 0.25."""
ABRUPT = 3.0
"""Where the face is lost too, a cut changes the frame so many times as much as its neighbours."""


@dataclass(frozen=True)
class Look:
    """Thumbnails of a frame and of the face that is followed in it, or None where they are empty.

    Their products are 1 for what looks alike, and 0 or less for what does not.
    """

    frame: Array | None
    face: Array | None


def look_at(frame: Tensor, face: Face | None) -> Look:
    """What is remembered of a frame (3, H, W), uint8 or in 0…1."""
    around = image_box(frame.shape[2], frame.shape[1])
    return Look(_thumbnail(frame, around), None if face is None else _thumbnail(frame, face.box))


def _thumbnail(frame: Tensor, box: Box) -> Array | None:
    """A part of a frame as a vector of length 1."""
    x0, y0, x1, y1 = (max(round(edge), 0) for edge in box)
    step = max(min(y1 - y0, x1 - x0) // SAMPLES, 1)
    part = frame[:, y0:y1:step, x0:x1:step]
    if not part.numel():
        return None
    samples = part.permute(1, 2, 0).float().nan_to_num().cpu().numpy()
    samples = samples if frame.is_floating_point() else samples / 255
    small: NDArray[Any] = cv2.resize(samples, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    vector = (small - small.mean((0, 1))).ravel()
    length = float(np.linalg.norm(vector))
    if length < LEAST_SPREAD * np.sqrt(vector.size):
        return None
    return np.asarray(vector / length, np.float32)


def find_cuts(looks: Sequence[Look]) -> list[int]:
    """The frames, counted from 0, with which another person or another place begins."""
    known = [i for i, look in enumerate(looks) if look.frame is not None]
    steps = [_change([looks[i].frame], [looks[k].frame]) for i, k in pairwise(known)]
    found = []
    for n in range(1, len(known)):
        before = [looks[i] for i in known[max(n - WINDOW_FRAMES, 0) : n]]
        after = [looks[i] for i in known[n : n + WINDOW_FRAMES]]
        is_next = known[n] == known[n - 1] + 1
        if _is_cut(before, after, is_next, _times_neighbours(steps, n - 1)):
            found.append(known[n])
    return found


def _is_cut(before: list[Look], after: list[Look], is_next: bool, abruptness: float) -> bool:
    """Whether another person is seen; in the dark or unseen the same one may turn away."""
    scene = _change([look.frame for look in before], [look.frame for look in after])
    there, then = (
        [look.face for look in looks if look.face is not None] for looks in (before, after)
    )
    if not there:
        return False
    if not then:
        return scene > OTHER_SCENE and abruptness > ABRUPT
    face = _change(there, then)
    if scene > OTHER_SCENE:
        return face > OTHER_FACE
    is_seen = is_next and before[-1].face is not None and after[0].face is not None
    return is_seen and scene > SAME_SCENE and face > CLEARLY_OTHER_FACE


def _change(before: Sequence[Array | None], after: Sequence[Array | None]) -> float:
    """How much even the two that are most alike differ: 0 equal, 1 nothing in common."""
    alike = [float(a @ b) for a in before for b in after if a is not None and b is not None]
    return 1 - max(alike, default=1.0)


def _times_neighbours(steps: list[float], at: int) -> float:
    """A change between two frames as a multiple of the largest one close to it."""
    around = steps[max(at - WINDOW_FRAMES, 0) : at] + steps[at + 1 : at + 1 + WINDOW_FRAMES]
    return steps[at] / max([*around, 1e-6])
