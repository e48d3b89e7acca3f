"""What moves a photograph in one frame, as numbers that are changes from the photograph itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..faces.blendshapes import NAMES
from .mesh import VERTEX_COUNT

Array = NDArray[np.floating]

SHAPES = {
    "blendshapes": (len(NAMES),),
    "rotation_degrees": (3,),
    "translation": (2,),
    "scale": (1,),
    "gaze": (4,),
    "detail": (VERTEX_COUNT, 3),
}


@dataclass(frozen=True)
class FrameNumbers:
    """The numbers of one frame; rest is the photograph as it is.

    Attributes:
        blendshapes: (52,) in the order of `faces.blendshapes.NAMES`, mostly in 0…1, down to −1
            where a source does less than the photograph.
        rotation_degrees: (3,) pitch, yaw and roll, signs as in `faces.measure`.
        translation: (2,) right and down, in widths of the face.
        scale: (1,) factor.
        gaze: (4,) left eye right and up, right eye right and up, in half widths of an eye.
        detail: (468, 3) in cm of the head, what a clip shows beyond its blendshapes; or None.

    Raises:
        InputError: a shape is another, a number is NaN or infinite, or the scale is not above 0.
    """

    blendshapes: Array
    rotation_degrees: Array
    translation: Array
    scale: Array
    gaze: Array
    detail: Array | None = None

    def __post_init__(self) -> None:
        for name, shape in SHAPES.items():
            value = getattr(self, name)
            if value is None and name == "detail":
                continue
            numbers = np.asarray(value)
            if numbers.shape != shape or not np.issubdtype(numbers.dtype, np.floating):
                raise InputError(
                    f"Numbers of a frame, {name}: expected real numbers of the shape {shape}, got "
                    f"{numbers.dtype} of the shape {numbers.shape}. Make them anew."
                )
            if not np.isfinite(numbers).all():
                raise InputError(
                    f"Numbers of a frame, {name}: expected finite numbers, got NaN or infinite "
                    "ones. Make them anew."
                )
        if self.scale[0] <= 0:
            raise InputError(
                f"Numbers of a frame, scale: expected a number above 0, got {self.scale[0]:g}. "
                "1 leaves the size of the face."
            )

    @classmethod
    def rest(cls) -> "FrameNumbers":
        """The photograph as it is: (52,) zeros and so on, scale 1, no detail."""
        numbers = {name: np.zeros(shape) for name, shape in SHAPES.items() if name != "detail"}
        return cls(**numbers | {"scale": np.ones(1)})
