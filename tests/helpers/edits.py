"""One edit of each sort, and what edits are tried at."""

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import settings

RATES_HZ = [7.3, 12.5, 25.0, 29.97, 50.0]
EXPECTED_GOT = r"(?s)expected.*got"
quick = settings(max_examples=60, deadline=None, database=None)

Change = Callable[[Any], Any]

CHANGES: dict[str, Change] = {
    "trim": lambda s: s.trim(0.1, 0.9),
    "resample": lambda s: s.resample(29.97),
    "over": lambda s: s.sample(70, 30),
    "loop": lambda s: s.loop(2.5),
    "ping-pong": lambda s: s.ping_pong(2.5),
    "hold": lambda s: s.hold(2.5),
    "offset": lambda s: s.offset(-0.3),
    "scale": lambda s: s.scale(1.7, 0.5),
    "scale to 0": lambda s: s.scale(0, 0.5),
    "smooth": lambda s: s.smooth(0.2),
    "smooth widely": lambda s: s.smooth(30),
    "blend": lambda s: s.blend(s, torch.tensor([0.0, 1.0, 0.3]), 2.0),
}
