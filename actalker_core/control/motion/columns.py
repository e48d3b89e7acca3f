"""The single numbers of motion by name, and motion made of their courses."""

from collections.abc import Mapping

from torch import Tensor

from ...errors import InputError, check_choice
from ...faces.blendshapes import NAMES
from .signal import MotionSignal

COLUMNS: dict[str, tuple[str, int]] = {
    **{name: ("blendshapes", i) for i, name in enumerate(NAMES) if i},
    **{name: ("rotation_degrees", i) for i, name in enumerate(("pitch", "yaw", "roll"))},
    **{name: ("translation", i) for i, name in enumerate(("right", "down"))},
    "head_scale": ("head_scale", 0),
    **{
        name: ("gaze", i)
        for i, name in enumerate(("left_gaze_x", "left_gaze_y", "right_gaze_x", "right_gaze_y"))
    },
}
"""Name -> the track and the column in it. Of blendshapes all but `_neutral`, which never moves."""


def rest_value(name: str) -> float:
    """The value of a number at rest."""
    return 1.0 if name == "head_scale" else 0.0


def build_motion(courses: Mapping[str, Tensor], rate_hz: float, source: str) -> MotionSignal:
    """Motion of some numbers, (f,) each by a name of `COLUMNS`; the others are at rest.

    Raises:
        InputError: an unknown name, no number, or numbers of different lengths.
    """
    lengths = {name: len(course) for name, course in courses.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(
            f"Motion: expected courses of one length, got {lengths or 'none'}. Give each number "
            "one value per frame."
        )
    motion = MotionSignal.rest(next(iter(lengths.values())), rate_hz, source)
    for name, course in courses.items():
        check_choice("Motion", name, COLUMNS)
        track, column = COLUMNS[name]
        motion.tracks[track][:, column] = course
    # Made anew, so that what is no motion is refused.
    return MotionSignal(rate_hz, source, **motion.tracks)
