"""Gates as they are written, and sounds of known loudness."""

from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from actalker_core.control import curves
from actalker_core.media import Audio

MODEL_FPS = 12.5
RATES = [MODEL_FPS, 25.0, 30000 / 1001, 7.0, 60.0]
LAST_FRAME = 60

Keys = dict[int, tuple[float, str]]
"""Strength and ease by frame."""

quick = settings(max_examples=30, deadline=None)
STRENGTHS = st.floats(0, 1)
CURVES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8)
KEYS = st.dictionaries(
    st.integers(0, LAST_FRAME),
    st.tuples(STRENGTHS, st.sampled_from(curves.EASES)),
    min_size=1,
    max_size=6,
)
FPS = st.sampled_from(RATES)


def in_frames(frame: int, fps: float) -> str:
    return f"{frame}f"


def in_seconds(frame: int, fps: float) -> str:
    return repr(frame / fps)


def in_rounded_seconds(frame: int, fps: float) -> str:
    return f"{frame / fps:.7f}s"


Unit = Callable[[int, float], str]
UNITS = st.sampled_from([in_frames, in_seconds, in_rounded_seconds])


def write_keys(keys: Keys, fps: float, unit: Unit) -> str:
    return ", ".join(f"{unit(k, fps)}:{v!r} {ease}" for k, (v, ease) in keys.items())


def make_sound(
    levels: list[float], rate_hz: int = 8000, channels: int = 1, fps: float = 25
) -> Audio:
    """A sound that is as loud as `levels` says, frame by frame."""
    per_frame = round(rate_hz / fps)
    wave = np.repeat(np.array(levels, np.float32), per_frame)
    wave[1::2] *= -1
    return Audio(np.stack([wave] * channels), rate_hz)
