"""How far a head in a photograph may turn: one picture shows one side of it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

LIMITS_DEGREES = np.array([25.0, 25.0, 15.0])
"""Pitch, yaw and roll of a head that looks into the camera. Farther out the silhouette gets hard
and the background begins to twist."""
KNEE = 0.8
"""Share of a limit up to which nothing changes; beyond it motion slows down."""
TOWARDS_SHARE, AWAY_SHARE = 0.5, 0.5
"""By how much each degree that the photograph is itself turned lowers the limit of a turn towards
the camera, which would show what no pixel shows, and of one farther away from it."""
MIN_DEGREES = 4.0
"""Some motion is always left."""


def limit_rotation(
    rotation_degrees: Floats, rest_degrees: Floats
) -> tuple[NDArray[np.float64], bool]:
    """Keep a turn within what a photograph can show.

    Args:
        rotation_degrees: (…, 3) pitch, yaw, roll, changes from the photograph.
        rest_degrees: (3,) how the head is turned in the photograph.

    Returns:
        The same (…, 3), slowed down before the limits and never beyond them; and whether any of
        it was beyond.
    """
    rotation = np.asarray(rotation_degrees, np.float64)
    rest = np.asarray(rest_degrees, np.float64) * (1, 1, 0)  # a roll hides nothing
    is_towards = rotation * rest < 0
    share = np.where(is_towards, TOWARDS_SHARE, AWAY_SHARE)
    limits = np.maximum(LIMITS_DEGREES - share * np.abs(rest), MIN_DEGREES)
    size = np.abs(rotation)
    knee = KNEE * limits
    room = limits - knee
    # Beyond the knee the slope falls from 1 to 0, so that nothing stops at once.
    slow = knee + room * np.tanh(np.maximum(size - knee, 0) / room)
    result = np.sign(rotation) * np.where(size > knee, slow, size)
    return result, bool((size > limits).any())
