"""What is known about a face, and which of several is meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError, InputError, quote
from ..text import parse_whole_number
from .box import Box, box_area, box_centre, is_same

Array = NDArray[np.float32]

DEEP_EVERY_FRAMES = 25
"""Until a face is found, small ones are looked for only this often, as it takes long."""
SAME_COLUMN = 0.1
"""Of a face's width; where a finder sees its middle varies by less from size to size."""
LARGEST = "largest"
ORDERS = (LARGEST, "left", "right", "centre")


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


Depth = Literal["whole", "largest", "all"]
"""How long faces are looked for: "whole" takes a glance at the whole picture, which shows large
ones only; "largest" goes on until no larger face can be missing; "all" finds them all."""


class FaceFinder(Protocol):
    """Something that finds faces."""

    def find(self, picture: Tensor, depth: Depth = "all") -> list[Face]:
        """The faces of a picture (3, H, W), uint8 or in 0…1, each once, the largest first."""

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        """The face that is at or close to a box, or None."""


def choose_face(found: Sequence[Face], choice: str, size: tuple[int, int], where: str) -> Face:
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
    from_left = sort_faces(found)
    index = parse_whole_number(choice)
    if index is not None:
        return _by_index(from_left, index, where)
    if choice not in ORDERS:
        raise InputError(
            f"Face: expected an index or one of {', '.join(ORDERS)}, got {quote(choice)}."
        )
    if choice == "centre":
        return min(found, key=lambda face: _from_centre(face, size))
    if choice == LARGEST:
        return max(found, key=lambda face: box_area(face.box))
    return from_left[0 if choice == "left" else -1]


def find_face(finder: FaceFinder, picture: Tensor, choice: str, where: str) -> Face:
    """Look for faces as long as a choice needs, and choose_face; see `choose_face`."""
    size = (int(picture.shape[1]), int(picture.shape[2]))
    return choose_face(finder.find(picture, depth_for(choice)), choice, size, where)


def depth_for(choice: str) -> Depth:
    """The largest face is known early; which is the leftmost, only when all are."""
    return "largest" if choice == LARGEST else "all"


def sort_faces(found: Iterable[Face]) -> list[Face]:
    """Faces as they are counted: from the left, and from the top where one is above another."""
    columns: list[list[Face]] = []
    for face in sorted(found, key=lambda face: box_centre(face.box)[0]):
        if columns and _is_below(face.box, columns[-1][0].box):
            columns[-1].append(face)
        else:
            columns.append([face])
    return [
        f for column in columns for f in sorted(column, key=lambda face: box_centre(face.box)[1])
    ]


def _is_below(box: Box, other: Box) -> bool:
    """Whether they are as far from the left, as nearly as a finder tells."""
    return box_centre(box)[0] - box_centre(other)[0] < SAME_COLUMN * (other[2] - other[0])


def distinct_faces(found: Iterable[Face]) -> list[Face]:
    """Each face once, the largest first; what lies on a larger one is a part of it."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: (-box_area(face.box), face.box)):
        if not any(is_same(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def _by_index(from_left: Sequence[Face], index: int, where: str) -> Face:
    if not 0 <= index < len(from_left):
        raise FaceError(
            f"Face {index} of the {where}: expected 0 to {len(from_left) - 1} counted from the "
            f"left, as it shows {len(from_left)}."
        )
    return from_left[index]


def _from_centre(face: Face, size: tuple[int, int]) -> float:
    x, y = box_centre(face.box)
    return float(np.hypot(x - size[1] / 2, y - size[0] / 2))


def to_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """(3, H, W), uint8 or in 0…1 -> (H, W, 3) uint8."""
    if picture.is_floating_point():
        picture = (picture.nan_to_num().clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())


def face_in_box(picture: Tensor, box: Box, finder: FaceFinder | None) -> Face:
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


def find_in_frame(finder: FaceFinder, frame: Tensor, number: int, choice: str) -> list[Face]:
    """The faces of a frame that a choice is among, while a clip has shown none yet.

    Args:
        number: of the frame. Small faces are looked for only now and then, as it takes long, and
            in a frame that shows a large one.
    """
    if number % DEEP_EVERY_FRAMES and not finder.find(frame, "whole"):
        return []
    return finder.find(frame, depth_for(choice))


def find_first_face(finder: FaceFinder, frames: Iterable[Tensor], choice: str, where: str) -> Face:
    """The face in the first frame that shows any, as `track` chooses it.

    Raises:
        FaceError: no frame does.
    """
    for number, frame in enumerate(frames):
        seen = find_in_frame(finder, frame, number, choice)
        if seen:
            return choose_face(seen, choice, (int(frame.shape[1]), int(frame.shape[2])), where)
    raise FaceError(
        f"No face is found in the {where}. Give its box (x0,y0,x1,y1), or choose another clip."
    )
