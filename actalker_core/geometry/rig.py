"""ARKit's blendshapes as motion of the mesh's vertices.

Each shape moves handles by hand-made offsets; `make_basis` carries the rest of the face along. They
are told in the words of faces: outwards from the middle, up, out of the face. Lids and irises do
not move here: lids go by shares of their opening, which `lid_openings` gives, and follow the gaze,
which the irises go by.
Nor does mouthClose, a share of the gap between the lips; see `lips.close_lips`.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..faces.blendshapes import NAMES
from .basis import make_basis
from .mesh import Array, FaceMesh
from .offsets import JAW_DEGREES, LEFT, RIGHT, SHAPES, jaw_turns, shape_handles, shape_offsets
from .rings import MOUTH_CORNERS

JAW_OPEN = NAMES.index("jawOpen")
BLINKS, WIDES, SQUINTS = (
    [NAMES.index(f"{name}{side}") for side in (LEFT, RIGHT)]
    for name in ("eyeBlink", "eyeWide", "eyeSquint")
)
MOUTH_NEAR_CM, MOUTH_FAR_CM = 2.8, 5.3
"""Motion scales with the mouth's width up to there, and not at all from there on."""
MOUTH_SCALES = (0.6, 1.6)
MOUTH_POWER = 0.25
"""Nearer to the width of the face, whose muscles pull, than to that of the mouth."""
WIDE_OPENING, SQUINT_OPENING = 0.35, 0.25
"""Shares of an eye's opening that eyeWide adds to it and eyeSquint takes off."""
MAX_LOOKS = (0.75, 0.5)
"""In half eye widths, how far an iris goes aside, and up or down, however far it is told to."""
LOOK_POWER = 4
"""How sharply a gaze bends there; half of the way to it is nearly as it is told."""
LOOK_OPENING = 0.8
"""Share of an eye's opening by which a gaze of 1 up would open it more, and one down less.

With `eyes.LOWER_LID_LOOK` the upper lid goes about 60 % of the iris's way, as people's do, so that
no white shows above an iris that the photograph does not show there.
"""


class Rig:
    """How the canonical face moves with blendshapes; worked out once.

    Attributes:
        shapes: (52, 468, 3) what one unit of each shape adds, in cm; of jawOpen what is linear.
    """

    def __init__(self, mesh: FaceMesh) -> None:
        bases = {
            handles: make_basis(mesh, handles)
            for handles in {shape_handles(name) for name in SHAPES}
        }
        self.shapes: Array = np.zeros((len(NAMES), *mesh.vertices.shape))
        for name in SHAPES:
            handles = shape_handles(name)
            for side in (LEFT, RIGHT) if SHAPES[name].is_paired else ("",):
                offsets = shape_offsets(mesh, name, side)
                self.shapes[NAMES.index(name + side)] = bases[handles] @ offsets[list(handles)]
        handles = shape_handles("jawOpen")
        # A turn by θ moves p by (1 − cos θ)·A p + sin θ·B p, so two fields tell all angles.
        self._jaw = [bases[handles] @ turn[list(handles)] for turn in jaw_turns(mesh)]
        self._flat = self.shapes.reshape(len(NAMES), -1)

    def displace(self, blendshapes: NDArray[np.floating]) -> Array:
        """Blendshapes (…, 52) -> how far each vertex moves, (…, 468, 3) in cm of the head.

        Linear in all of them but jawOpen, which turns the jaw about the ears.

        Raises:
            InputError: another number of blendshapes, or NaN.
        """
        numbers = np.asarray(blendshapes, np.float64)
        if numbers.shape[-1:] != (len(NAMES),) or not np.isfinite(numbers).all():
            raise InputError(
                f"Blendshapes: expected finite numbers of the shape (…, {len(NAMES)}), got "
                f"{numbers.shape}. Give one for each of `faces.blendshapes.NAMES`."
            )
        motion = (numbers @ self._flat).reshape(*numbers.shape[:-1], *self.shapes.shape[1:])
        angle = np.radians(JAW_DEGREES) * numbers[..., JAW_OPEN, None, None]
        backward, downward = self._jaw
        return np.asarray(motion + (1 - np.cos(angle)) * backward + np.sin(angle) * downward)


def lid_openings(blendshapes: NDArray[np.floating], gaze: NDArray[np.floating]) -> Array:
    """Blendshapes (…, 52) and gaze (…, 4) -> the openings of the left and the right eye (…, 2).

    0 is shut, 1 as at rest.
    """
    numbers = np.asarray(blendshapes, np.float64)
    change = WIDE_OPENING * numbers[..., WIDES] - SQUINT_OPENING * numbers[..., SQUINTS]
    openings = np.maximum(1 - numbers[..., BLINKS] + change, 0)
    return np.asarray(openings * look_factors(gaze))


def look_factors(gaze: NDArray[np.floating]) -> Array:
    """Gaze (…, 4) -> how much more the left and the right eye are open for it (…, 2).

    A factor, so that a blink shuts an eye wherever it looks.
    """
    return np.asarray(1 + LOOK_OPENING * limit_gaze(gaze)[..., 1::2])


def limit_gaze(gaze: NDArray[np.floating]) -> Array:
    """Gaze (…, 4) as far as eyes go, so that no iris leaves its eye."""
    looks = np.asarray(gaze, np.float64) / np.tile(MAX_LOOKS, 2)
    bend = (1 + np.abs(looks) ** LOOK_POWER) ** (1 / LOOK_POWER)
    return np.asarray(looks / bend * np.tile(MAX_LOOKS, 2))


def mouth_scales(vertices: NDArray[np.floating], mesh: FaceMesh) -> Array:
    """(468, 1) how much farther each vertex of a face (468, 3) moves than the canonical one's.

    Wide mouths move more; away from the mouth all faces move alike.
    """
    right, left = MOUTH_CORNERS
    width, canonical_width = (np.linalg.norm(p[left] - p[right]) for p in (vertices, mesh.vertices))
    scale = np.clip((width / canonical_width) ** MOUTH_POWER, *MOUTH_SCALES)
    middle = mesh.vertices[[right, left]].mean(0)
    distances = np.linalg.norm(mesh.vertices - middle, axis=1)
    share = np.clip((MOUTH_FAR_CM - distances) / (MOUTH_FAR_CM - MOUTH_NEAR_CM), 0, 1)
    return np.asarray(1 + (scale - 1) * share)[:, None]
