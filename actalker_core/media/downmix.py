"""Many channels mixed to two or one, so that speech keeps its level.

Source: ITU-R BS.775, the coefficients of its downward mixing equations, scaled so that the centre,
where films speak, is as loud as it was.
"""

import logging

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
"""(c, t), or (t,) where it is one channel."""

HALF_POWER = 1 / np.sqrt(2)
LAYOUTS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""What stands where if nothing says it, as in WAV files."""
SHARES: dict[str, tuple[float, float]] = {
    "FC": (1.0, 1.0),
    "FL": (2 * HALF_POWER, 0.0),
    "FR": (0.0, 2 * HALF_POWER),
    "FLC": (2 * HALF_POWER, 0.0),
    "FRC": (0.0, 2 * HALF_POWER),
    "SL": (1.0, 0.0),
    "SR": (0.0, 1.0),
    "BL": (1.0, 0.0),
    "BR": (0.0, 1.0),
    "BC": (HALF_POWER, HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
}
"""How much of a channel the left and the right one of two get."""
CANCELLED_POWER = 0.2
"""Channels cancel out if their mix has a smaller share of the power that unrelated ones have."""
IDLE_POWER = 1e-6
"""A channel with a smaller share of the loudest one's power is silent."""


def mix_to_stereo(samples: Samples, layout: tuple[str, ...] | None = None) -> Samples:
    """Left and right of any number of channels.

    Args:
        samples: (c, t).
        layout: as of `Audio`.

    Returns:
        (2, t); (1, t) of one channel, or where it is not known what stands where.
    """
    return _mix(samples, _find_shares(samples, layout))


def mix_to_mono(samples: Samples, layout: tuple[str, ...] | None = None) -> Samples:
    """One channel: the mean of two; more are mixed, no louder than the loudest of them.

    Channels that cancel out, as where one is inverted, are not mixed: the loudest is taken.

    Args:
        samples: (c, t).
        layout: as of `Audio`.

    Returns:
        (t,).
    """
    if len(samples) == 1:
        channel: Samples = samples[0]
        return channel
    shares = _find_shares(samples, layout).mean(0, keepdims=True)
    mix: Samples = samples.mean(0) if len(samples) == 2 else _mix(samples, shares)[0]
    powers, power = _measure_powers(samples), _measure_powers(mix[None])[0]
    # Unrelated channels add their powers, shares squared; much less means that they cancel out.
    if power >= CANCELLED_POWER * (shares[0] ** 2 @ powers):
        # The same speech in several channels adds up.
        is_louder = len(samples) > 2 and power > powers.max()
        return mix * np.float32(np.sqrt(powers.max() / power)) if is_louder else mix
    loudest = int(np.argmax(powers))
    log.warning(
        "The channels of the sound cancel each other out, as if one were inverted; the loudest, "
        "number %d, is taken alone.",
        loudest + 1,
    )
    return np.ascontiguousarray(samples[loudest])


def _find_shares(samples: Samples, layout: tuple[str, ...] | None) -> NDArray[np.float32]:
    """(2, c): how much left and right get of each channel; (1, c) for a mean of all.

    Where no channel is the centre, speech is between left and right, and keeps its level there.
    """
    names = LAYOUTS.get(len(samples)) if layout is None else layout
    if len(samples) <= 2:
        return np.eye(len(samples), dtype=np.float32)
    if names is None or len(names) != len(samples) or not set(names) <= SHARES.keys():
        # Silent channels, as of a recorder with free inputs, do not thin out the others.
        powers = _measure_powers(samples)
        is_active = (powers > IDLE_POWER * powers.max()) | (powers.max() == 0)
        return np.asarray((is_active / is_active.sum())[None], np.float32)
    shares = np.array([SHARES[name] for name in names]).T
    return np.asarray(shares if "FC" in names else shares * HALF_POWER, np.float32)


def _mix(samples: Samples, shares: NDArray[np.float32]) -> Samples:
    """(c, t) and (sides, c) -> (sides, t)."""
    mix = np.zeros((len(shares), samples.shape[1]), np.float32)
    # One channel after another: a product of matrices would hold a copy of them all.
    for i, channel in enumerate(samples):
        for side, share in zip(mix, shares[:, i], strict=True):
            if share:
                side += share * channel
    return mix


def _measure_powers(samples: Samples) -> NDArray[np.float64]:
    """(c,) mean squares."""
    return np.array([float(np.vdot(channel, channel)) / len(channel) for channel in samples])
