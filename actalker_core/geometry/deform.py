"""From the numbers of a frame to the shape of one particular face.

The rig moves a face of nobody. Here its motion is fitted to the face at rest: to the size of its
mouth, to what it already does, and so that lips and lids meet and never cross.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import check_choice
from ..faces.blendshapes import NAMES
from .eyes import move_lids
from .lips import close_lips
from .mesh import FaceMesh
from .mouth import lip_gap, part_lips
from .numbers import FrameNumbers
from .rig import JAW_OPEN, Rig, lid_openings, limit_gaze, mouth_scales

Floats = NDArray[np.floating]

LIPS = ("relative", "absolute")
MOUTH_CLOSE = NAMES.index("mouthClose")
FULL = 0.7
"""Up to this sum of what a face does at rest and what it is told to, it does both."""
STILL_CM = 0.1
"""Motion of less than this says nothing about how much of a detail is left."""
SATURATING = np.array(
    [
        name.startswith(("mouth", "jaw", "cheek")) and not name.startswith("mouthPucker")
        for name in NAMES
    ]
)
"""What a face can be full of. Not mouthPucker, which the network sees in full lips at rest."""


class Deformation:
    """How one face deforms.

    Args:
        rest: (468, 3) its vertices at rest, in centimetres of the head.
        mesh: the canonical face.
        rig: what moves it.
        rest_blendshapes: (52,) what the face does at rest; None for nothing.
    """

    def __init__(
        self, rest: Floats, mesh: FaceMesh, rig: Rig, rest_blendshapes: NDArray[np.floating] | None
    ) -> None:
        self._rest, self._rig = rest, rig
        zeros = np.zeros(len(NAMES))
        shapes = zeros if rest_blendshapes is None else np.asarray(rest_blendshapes, np.float64)
        self._rest_shapes = np.where(SATURATING, np.clip(shapes, 0, 1), 0)
        self._scales = mouth_scales(rest, mesh)
        # The turn of the jaw that shuts the mouth of the photograph.
        jaw = zeros.copy()
        jaw[JAW_OPEN] = 0.5
        drop = lip_gap(rest + self._scales * rig.displace(jaw)) - lip_gap(rest)
        jaw[JAW_OPEN] *= -max(lip_gap(rest), 0) / max(drop, 0.1)
        self._shutting = self._scales * rig.displace(jaw)

    def move(self, numbers: FrameNumbers, lips: str = "relative") -> Floats:
        """(468, 3) the vertices in centimetres of the head.

        Raises:
            InputError: `lips` is none of `LIPS`.
        """
        check_choice("Lips", lips, LIPS)
        shapes = self.saturate(numbers.blendshapes)
        motion = self._rig.displace(shapes)
        if numbers.detail is not None:
            full_motion = self._rig.displace(numbers.blendshapes)
            motion = motion + numbers.detail * _share_left(motion, full_motion)
        vertices: Floats = self._rest + self._scales * motion
        if lips == "absolute":
            vertices = vertices + self._shutting
        vertices = close_lips(vertices, float(numbers.blendshapes[MOUTH_CLOSE]))
        openings = lid_openings(numbers.blendshapes, numbers.gaze)
        return move_lids(part_lips(vertices), openings, limit_gaze(numbers.gaze)[1::2])

    def saturate(self, blendshapes: NDArray[np.floating]) -> Floats:
        """(52,) changes from rest -> (52,) what is left to do: a smiling face smiles only once."""
        rest, sums = self._rest_shapes, self._rest_shapes + blendshapes
        change = _compress(sums) - _compress(rest)
        return np.asarray(np.where(rest > 0, change, blendshapes), np.float64)


def _share_left(motion: Floats, full_motion: Floats) -> Floats:
    """(468, 1) in 0…1 how much of the motion that was asked for is left (468, 3).

    What a clip shows beyond its blendshapes is part of the same smile: a face that has no smile
    left to do has none of its detail left either.
    """
    left_cm, full_cm = (np.linalg.norm(v, axis=1, keepdims=True) for v in (motion, full_motion))
    return np.asarray(np.clip((left_cm + STILL_CM) / (full_cm + STILL_CM), 0, 1), np.float64)


def _compress(x: Floats) -> Floats:
    """The same up to `FULL`, then slower and slower up to 1."""
    room = 1 - FULL
    return np.where(x > FULL, FULL + room * (1 - np.exp(-np.maximum(x - FULL, 0) / room)), x)
