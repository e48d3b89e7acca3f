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
MIN_CONTRAST = 0.02
"""Standard deviation of a thumbnail in 0…1; less is black, white or empty and tells nothing."""
WINDOW_FRAMES = 4
"""So many frames before a cut differ from so many after it."""
SCENE_CHANGE, FACE_CHANGE = 0.25, 0.15
"""Together a cut: a real head that turns four times as fast as it did reaches 0.1 and 0.12, cuts to
another person 0.5 and 0.23."""
SAME_ROOM_SCENE_CHANGE, SAME_ROOM_FACE_CHANGE = 0.05, 0.35
"""Together a cut to another person in the same room; a real head reaches 0.04 and 0.25."""
ABRUPTNESS = 3.0
"""Where the face is lost too, a cut changes the frame so many times as much as its neighbours."""


@dataclass(frozen=True)
class Thumbnails:
    """A frame and the face that is followed in it as unit vectors (d,); None where one is empty.

    The scalar product of two is 1 for what looks alike, and 0 or less for what does not.
    """

    frame: Array | None
    face: Array | None


def make_thumbnails(frame: Tensor, face: Face | None) -> Thumbnails:
    """The thumbnails of a frame (3, H, W), uint8 or in 0…1."""
    whole_frame = image_box(frame.shape[2], frame.shape[1])
    return Thumbnails(
        _make_thumbnail(frame, whole_frame),
        None if face is None else _make_thumbnail(frame, face.box),
    )


def _make_thumbnail(frame: Tensor, box: Box) -> Array | None:
    """A part of a frame (3, H, W) as a unit vector (d,)."""
    x0, y0, x1, y1 = (max(round(edge), 0) for edge in box)
    step = max(min(y1 - y0, x1 - x0) // SAMPLES, 1)
    part = frame[:, y0:y1:step, x0:x1:step]
    if not part.numel():
        return None
    samples = part.permute(1, 2, 0).float().nan_to_num().cpu().numpy()
    samples = samples if frame.is_floating_point() else samples / 255
    thumbnail: NDArray[Any] = cv2.resize(samples, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    # Without its mean it does not follow brightness, at length 1 not contrast.
    vector = (thumbnail - thumbnail.mean((0, 1))).ravel()
    length = float(np.linalg.norm(vector))
    if length < MIN_CONTRAST * np.sqrt(vector.size):
        return None
    return np.asarray(vector / length, np.float32)


def find_cuts(frames: Sequence[Thumbnails]) -> list[int]:
    """The frames, counted from 0, with which another person or another place begins."""
    bright = [i for i, thumbnails in enumerate(frames) if thumbnails.frame is not None]
    steps = [_measure_change([frames[i].frame], [frames[k].frame]) for i, k in pairwise(bright)]
    cuts = []
    for n in range(1, len(bright)):
        before = [frames[i] for i in bright[max(n - WINDOW_FRAMES, 0) : n]]
        after = [frames[i] for i in bright[n : n + WINDOW_FRAMES]]
        is_next = bright[n] == bright[n - 1] + 1
        if _is_cut(before, after, is_next, _compare_to_neighbours(steps, n - 1)):
            cuts.append(bright[n])
    return cuts


def _is_cut(
    before: list[Thumbnails], after: list[Thumbnails], is_next: bool, abruptness: float
) -> bool:
    """Whether another person is seen; in the dark or unseen the same one may turn away."""
    scene_change = _measure_change([t.frame for t in before], [t.frame for t in after])
    faces_before, faces_after = (
        [t.face for t in window if t.face is not None] for window in (before, after)
    )
    if not faces_before:
        return False
    if not faces_after:
        return scene_change > SCENE_CHANGE and abruptness > ABRUPTNESS
    face_change = _measure_change(faces_before, faces_after)
    if scene_change > SCENE_CHANGE:
        return face_change > FACE_CHANGE
    is_visible = is_next and before[-1].face is not None and after[0].face is not None
    has_scene_change = scene_change > SAME_ROOM_SCENE_CHANGE
    return is_visible and has_scene_change and face_change > SAME_ROOM_FACE_CHANGE


def _measure_change(before: Sequence[Array | None], after: Sequence[Array | None]) -> float:
    """How much even the two that are most alike differ: 0 equal, 1 nothing in common.

    A flash or a blink makes single frames differ, but not all pairs across it.
    """
    similarities = [float(a @ b) for a in before for b in after if a is not None and b is not None]
    return 1 - max(similarities, default=1.0)


def _compare_to_neighbours(steps: list[float], at: int) -> float:
    """A change between two frames as a multiple of the largest one close to it."""
    neighbours = steps[max(at - WINDOW_FRAMES, 0) : at] + steps[at + 1 : at + 1 + WINDOW_FRAMES]
    return steps[at] / max([*neighbours, 1e-6])
