"""How loud a sound is over time, told to the page, where timelines draw it behind their lanes."""

import base64
from typing import Any

import numpy as np

from ...actalker_core.media import Audio

PEAK_RATE_HZ = 100.0
MAX_PEAKS = 12_000
"""A longer sound has fewer a second: what is sent stays below 16 kB."""


def describe_sound(sound: Audio) -> dict[str, list[dict[str, Any]]]:
    """The ui output of a node that takes or gives a sound, for `web/js/base/sound.js`.

    Loudness is a byte per value, 255 where the sound is loudest, in base64.
    """
    rate_hz = min(PEAK_RATE_HZ, MAX_PEAKS / sound.seconds)
    loudness = sound.loudness(max(int(np.ceil(sound.seconds * rate_hz)), 1), rate_hz)
    shares = loudness / max(float(loudness.max()), 1e-9)
    letters = base64.b64encode(np.round(255 * shares).astype(np.uint8).tobytes()).decode("ascii")
    report = {"seconds": sound.seconds, "rate_hz": rate_hz, "loudness": letters}
    return {"actalker_sound": [report]}
