"""What is known about a face, and which of several is meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError, InputError, quoted
from ..text import whole_number_in
from .box import Box, area, centre

Array = NDArray[np.float32]

DEEP_EVERY_FRAMES = 25
"""Until a face is found, small ones are looked for only this often, as it takes long."""
ORDERS = ("largest", "left", "right", "centre")


@dataclass(frozen=True)
class Face:
    """One face in a picture.

    Attributes:
        box: around its landmarks, or as detected or given where there are none.
        confidence: 0…1.
        landmarks: (478, 3) x and y in pixels, z in the same scale with smaller values nearer;
            None where the finder knows none. `faces.topology` says which is what.
    """

    box: Box
    confidence: float
    landmarks: Array | None = None


class FaceFinder(Protocol):
    """Something that finds faces."""

    def find(self, picture: Tensor, deep: bool = True) -> list[Face]:
        """All faces of a picture (3, H, W), uint8 or in 0…1; deep takes longer for small ones."""

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        """The face that is at or close to a box, or None."""


def choose(found: Sequence[Face], choice: str, size: tuple[int, int], where: str) -> Face:
    """The face that is meant.

    Args:
        choice: one of `ORDERS`, or an index that counts the faces from the left.
        size: height and width of the picture.
        where: names the picture in errors.

    Raises:
        FaceError: there is none, or not so many.
        InputError: an unknown choice.
    """
    if not found:
        raise FaceError(
            f"No face is found in the {where} of {size[1]}x{size[0]} pixels. Give its box "
            "(x0,y0,x1,y1), which also serves drawn and stylised faces, or choose another file."
        )
    from_left = sorted(found, key=lambda face: centre(face.box)[0])
    index = whole_number_in(choice)
    if index is not None:
        return _by_index(from_left, index, where)
    if choice not in ORDERS:
        raise InputError(
            f"Face: expected an index or one of {', '.join(ORDERS)}, got {quoted(choice)}."
        )
    if choice == "centre":
        return min(found, key=lambda face: _from_centre(face, size))
    by_order = {"largest": max(found, key=lambda face: area(face.box)), "left": from_left[0]}
    return by_order.get(choice, from_left[-1])


def _by_index(from_left: Sequence[Face], index: int, where: str) -> Face:
    if not 0 <= index < len(from_left):
        raise FaceError(
            f"Face {index} of the {where}: expected 0 to {len(from_left) - 1} counted from the "
            f"left, as it shows {len(from_left)}."
        )
    return from_left[index]


def _from_centre(face: Face, size: tuple[int, int]) -> float:
    x, y = centre(face.box)
    return float(np.hypot(x - size[1] / 2, y - size[0] / 2))


def pixels_of(picture: Tensor) -> NDArray[np.uint8]:
    """(3, H, W), uint8 or in 0…1 -> (H, W, 3) uint8."""
    if picture.is_floating_point():
        picture = (picture.nan_to_num().clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())


def boxed_face(picture: Tensor, box: Box, finder: FaceFinder | None) -> Face:
    """A face boxed by hand, with landmarks if a finder recognises it there."""
    near = None if finder is None else finder.find_near(picture, box)
    return Face(box, 1.0, None if near is None else near.landmarks)


def box_of_mask(mask: Tensor, size: tuple[int, int]) -> Box:
    """The box around the white of a mask (H, W) in 0…1.

    Args:
        size: height and width of the picture that it was drawn over.

    Raises:
        InputError: another size, or nothing white.
    """
    rows, columns = (mask > 0.5).any(1).nonzero(), (mask > 0.5).any(0).nonzero()
    if tuple(mask.shape) != size or not len(rows):
        raise InputError(
            f"Face mask: expected {size[1]}x{size[0]} pixels with the face in white, got "
            f"{mask.shape[1]}x{mask.shape[0]}{'' if len(rows) else ' without any white'}."
        )
    x0, x1 = float(columns.min()), float(columns.max()) + 1
    return x0, float(rows.min()), x1, float(rows.max()) + 1


def first_face(finder: FaceFinder, frames: Iterable[Tensor], choice: str, where: str) -> Face:
    """The face in the first frame that shows any; small ones count only if there is no other.

    Args:
        frames: may be read twice.

    Raises:
        FaceError: no frame does.
    """
    for deep in (False, True):
        for picture in islice(frames, 0, None, DEEP_EVERY_FRAMES if deep else 1):
            seen = finder.find(picture, deep)
            if seen:
                return choose(seen, choice, (int(picture.shape[1]), int(picture.shape[2])), where)
    raise FaceError(
        f"No face is found in the {where}. Give its box (x0,y0,x1,y1), or choose another clip."
    )
