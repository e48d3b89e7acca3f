"""What the model is shown and what it shall show: one take of a clip, and the rule behind it.

Each signal owns a region. Where its gate is open, the region does what the signal says; where it
is shut, the region rests as in the portrait; between, it goes part of the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..control import regions
from ..faces.box import Box
from ..faces.face import Face
from ..models.actalker.config import SamplingConfig
from ..synthetic.identities import (
    EYE_NAMES,
    HEAD_NAMES,
    MOUTH_NAMES,
    FaceState,
    Identity,
    blend_states,
    make_identity,
)
from ..synthetic.motion import random_portrait_state
from ..synthetic.rendering import SIDE_PX

Array = NDArray[np.float64]

SETUPS = ("audio", "expression", "paper", "released")
"""Audio alone, expression alone, both with the paper's masks, both everywhere."""
SHARES = (0.25, 0.2, 0.4, 0.15)
"""How often each setup is trained."""
GATES = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
GATE_SHARES = (0.6, 0.2, 0.2)
CURVED = 0.3
"""Of the takes have gates that move; the others have one of the three states."""
AUDIO, EXPRESSION = 0, 1
"""The signals, as columns of gates and masks."""


@dataclass(frozen=True)
class Take:
    """One clip to be learnt.

    Attributes:
        person, rest: of the portrait.
        driving: what the expression clip does in each frame.
        mouth: (n, 3) open, wide and round of what is said.
        gates: (n, 2) audio and expression.
        setup: one of `SETUPS`.
    """

    person: Identity
    rest: FaceState
    driving: Sequence[FaceState]
    mouth: Array
    gates: Array
    setup: str

    def states(self) -> list[FaceState]:
        """What each frame of the result shall be."""
        rows = zip(self.driving, self.mouth, self.gates, strict=True)
        return [self._state(driving, mouth, *gates) for driving, mouth, gates in rows]

    def _state(
        self, driving: FaceState, mouth: Array, audio: float, expression: float
    ) -> FaceState:
        owned = [*HEAD_NAMES, *EYE_NAMES]
        if self.setup == "expression":
            owned += [*MOUTH_NAMES, "smile"]
        state = blend_states(self.rest, driving, owned, expression)
        spoken = replace(state, **dict(zip(MOUTH_NAMES, mouth.tolist(), strict=True)))
        return blend_states(state, spoken, MOUTH_NAMES, audio)


def random_setup(rng: np.random.Generator, frames: int) -> tuple[str, Array]:
    """A setup and its gates (n, 2)."""
    setup = SETUPS[int(rng.choice(len(SETUPS), p=SHARES))]
    state = {"audio": GATES[1], "expression": GATES[2]}.get(setup)
    if state is None:
        state = GATES[int(rng.choice(len(GATES), p=GATE_SHARES))]
    gates = np.tile(np.array(state), (frames, 1))
    if rng.random() < CURVED:
        gates *= np.stack([random_curve(rng, frames) for _ in state], axis=1)
    return setup, gates


def random_signal(rng: np.random.Generator, setup: str) -> int:
    """Which signal shall say something else in the second film of a pair."""
    there = {"audio": [AUDIO], "expression": [EXPRESSION]}.get(setup, [AUDIO, EXPRESSION])
    return int(rng.choice(there))


def random_curve(rng: np.random.Generator, frames: int) -> Array:
    """A line through three levels, at the start, somewhere and at the end."""
    levels = np.clip(rng.uniform(-0.3, 1.3, 3), 0, 1)
    at = [0, rng.uniform(0.2, 0.8) * (frames - 1), frames - 1]
    return np.interp(np.arange(frames), at, levels)


def random_portrait(rng: np.random.Generator) -> tuple[Identity, FaceState]:
    """Somebody who sits still."""
    return make_identity(int(rng.integers(1 << 31))), random_portrait_state(rng)


def setup_masks(setup: str, face: Box) -> tuple[Tensor, Tensor]:
    """Audio and expression mask (1, 1, 128, 128), drawn as for anybody's portrait."""
    style = setup if setup in regions.STYLES else "face"
    return regions.draw_style_masks(
        style,
        Face(face, 1.0),
        SIDE_PX,
        SIDE_PX,
        with_audio=setup != "expression",
        with_expression=setup != "audio",
    )


def time_ids(sampling: SamplingConfig) -> list[float]:
    """Frame rate and motion buckets, as the pipeline gives them."""
    return [sampling.fps, sampling.motion_bucket_id, sampling.motion_bucket_id_exp]
