"""The target of a training sample: what its signals say, and the rule of what a frame shall show.

Each signal owns a region. Where its gate is open, the region follows the signal; where it is shut,
the region rests as in the portrait; between, it goes part of the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..control import regions
from ..faces.box import Box
from ..faces.face import Face
from ..synthetic.identities import (
    EYE_NAMES,
    HEAD_NAMES,
    MOUTH_NAMES,
    FaceState,
    Identity,
    blend_states,
)
from ..synthetic.rendering import SIDE_PX

Array = NDArray[np.float64]

MODES = ("audio", "expression", "paper", "released")
"""Audio only, expression only, both with the paper's masks, both everywhere."""
MODE_PROBABILITIES = (0.25, 0.2, 0.4, 0.15)
GATES = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
"""Audio and expression gate of the samples with both signals."""
GATE_PROBABILITIES = (0.6, 0.2, 0.2)
CURVE_PROBABILITY = 0.3
"""Of gates that move within a sample; in the others they are constant."""
AUDIO, EXPRESSION = 0, 1
"""The signals, as columns of gates and masks."""


@dataclass(frozen=True)
class Sample:
    """The signals of some frames.

    Attributes:
        identity, rest: of the portrait.
        driving: the state of the driving clip in each of f frames.
        mouth: (f, 3) open, wide and round, as the speech has them.
        gates: (f, 2) of audio and expression.
        mode: one of `MODES`.
    """

    identity: Identity
    rest: FaceState
    driving: Sequence[FaceState]
    mouth: Array
    gates: Array
    mode: str

    def target_states(self) -> list[FaceState]:
        """The state that each frame of the result shall have."""
        rows = zip(self.driving, self.mouth, self.gates, strict=True)
        return [self._target_state(driving, mouth, *gates) for driving, mouth, gates in rows]

    def _target_state(
        self, driving: FaceState, mouth: Array, audio: float, expression: float
    ) -> FaceState:
        names = [*HEAD_NAMES, *EYE_NAMES]
        if self.mode == "expression":  # nobody else owns the mouth
            names += [*MOUTH_NAMES, "smile"]
        state = blend_states(self.rest, driving, names, expression)
        speaking = replace(state, **dict(zip(MOUTH_NAMES, mouth.tolist(), strict=True)))
        return blend_states(state, speaking, MOUTH_NAMES, audio)


def random_mode(rng: np.random.Generator, frames: int) -> tuple[str, Array]:
    """A mode and its gates (f, 2)."""
    mode = MODES[int(rng.choice(len(MODES), p=MODE_PROBABILITIES))]
    levels = {"audio": GATES[1], "expression": GATES[2]}.get(mode)
    if levels is None:
        levels = GATES[int(rng.choice(len(GATES), p=GATE_PROBABILITIES))]
    gates = np.tile(np.array(levels), (frames, 1))
    if rng.random() < CURVE_PROBABILITY:
        gates *= np.stack([random_gate_curve(rng, frames) for _ in levels], axis=1)
    return mode, gates


def random_contrast(rng: np.random.Generator, mode: str) -> int:
    """The signal in which the two videos of a pair differ, as a column of gates."""
    signals = {"audio": [AUDIO], "expression": [EXPRESSION]}.get(mode, [AUDIO, EXPRESSION])
    return int(rng.choice(signals))


def random_gate_curve(rng: np.random.Generator, frames: int) -> Array:
    """A line (f,) through three levels, at the start, somewhere between, and at the end."""
    levels = np.clip(rng.uniform(-0.3, 1.3, 3), 0, 1)
    positions = [0, rng.uniform(0.2, 0.8) * (frames - 1), frames - 1]
    return np.interp(np.arange(frames), positions, levels)


def draw_mode_masks(mode: str, face_box: Box) -> tuple[Tensor, Tensor]:
    """Audio and expression mask (1, 1, 128, 128), drawn as for any portrait."""
    style = mode if mode in regions.STYLES else "face"
    return regions.draw_style_masks(
        style,
        Face(face_box, 1.0),
        SIDE_PX,
        SIDE_PX,
        with_audio=mode != "expression",
        with_expression=mode != "audio",
    )
