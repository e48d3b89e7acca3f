"""What is known about a face, and which of several is meant."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError, InputError, quote
from ..text import parse_whole_number
from .box import Box, box_area, box_centre, is_same_face

Array = NDArray[np.float32]

log = logging.getLogger(__name__)

FULL_SEARCH_FRAMES = 25
"""Until a face is found, small ones are looked for only every so many frames: it takes long."""
COLUMN_WIDTH = 0.1
"""Of a face's width; where a finder sees its middle varies by less from size to size."""
LARGEST = "largest"
ORDERS = (LARGEST, "left", "right", "centre")


@dataclass(frozen=True)
class Face:
    """One face in an image.

    Attributes:
        box: around its landmarks, or as detected or given where there are none.
        confidence: 0…1.
        landmarks: (478, 3) x and y in pixels, z in the same scale with smaller values nearer;
            None where the finder knows none. `faces.topology` says which is what.
    """

    box: Box
    confidence: float
    landmarks: Array | None = None


SearchDepth = Literal["whole", "largest", "all"]
"""How long faces are looked for: "whole" takes a glance at the whole image, which shows large
ones only; "largest" goes on until no larger face can be missing; "all" finds them all."""


class FaceFinder(Protocol):
    """Something that finds faces, in several threads at once if it is asked to."""

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """The faces of an image (3, H, W), uint8 or in 0…1, each once, the largest first."""

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        """The face of an image (3, H, W) that is at or close to a box, or None."""


def choose_face(faces: Sequence[Face], choice: str, size: tuple[int, int], name: str) -> Face:
    """One of the faces of an image.

    Args:
        choice: one of `ORDERS`, or an index that counts the faces from the left.
        size: height and width of the image.
        name: of the image, for errors: `portrait`, `driving clip`.

    Raises:
        FaceError: there is none, or not so many.
        InputError: an unknown choice.
    """
    if not faces:
        raise FaceError(
            f"No face is found in the {name} of {size[1]}x{size[0]} pixels. Choose a picture "
            "that shows it larger, brighter or from the front."
        )
    from_left = sort_faces(faces)
    index = parse_whole_number(choice)
    if index is not None:
        if not 0 <= index < len(faces):
            raise FaceError(
                f"Face {index} of the {name}: expected 0 to {len(faces) - 1} counted from the "
                f"left, as it shows {len(faces)}. Choose one of them."
            )
        return from_left[index]
    if choice not in ORDERS:
        raise InputError(
            f"Face: expected an index or one of {', '.join(ORDERS)}, got {quote(choice)}. "
            "Choose one."
        )
    if choice == "centre":
        middle = size[1] / 2, size[0] / 2
        return min(faces, key=lambda face: math.dist(box_centre(face.box), middle))
    if choice == LARGEST:
        return max(faces, key=lambda face: box_area(face.box))
    return from_left[0 if choice == "left" else -1]


def find_face(
    finder: FaceFinder, image: Tensor, choice: str = LARGEST, name: str = "image"
) -> Face:
    """One face of an image (3, H, W), uint8 or in 0…1; `choose_face` has the choices and errors.

    Where nobody chose among several, a line of the log says so.
    """
    size = (int(image.shape[1]), int(image.shape[2]))
    faces = finder.find(image, choose_depth(choice))
    face = choose_face(faces, choice, size, name)
    if choice == LARGEST and len(faces) > 1:
        log.info(
            "The %s shows %d faces or more; the largest is taken. Choose another with left, "
            "right, centre or an index.",
            *(name, len(faces)),
        )
    return face


def choose_depth(choice: str) -> SearchDepth:
    """The largest face is known early; which is the leftmost, only when all are."""
    return "largest" if choice == LARGEST else "all"


def sort_faces(faces: Iterable[Face]) -> list[Face]:
    """Faces as they are counted: from the left, and from the top where one is above another.

    Counting by x alone would swap two faces one above the other whenever a finder measures one of
    them a pixel further left.
    """
    columns: list[list[Face]] = []
    for face in sorted(faces, key=lambda face: box_centre(face.box)[0]):
        if columns and _is_in_column(face.box, columns[-1][0].box):
            columns[-1].append(face)
        else:
            columns.append([face])
    return [
        f for column in columns for f in sorted(column, key=lambda face: box_centre(face.box)[1])
    ]


def _is_in_column(box: Box, column: Box) -> bool:
    """Whether two boxes are as far from the left, as nearly as a finder tells."""
    return box_centre(box)[0] - box_centre(column)[0] < COLUMN_WIDTH * (column[2] - column[0])


def distinct_faces(faces: Iterable[Face]) -> list[Face]:
    """Each face once, the largest first; what lies on a larger one is a part of it."""
    result: list[Face] = []
    for face in sorted(faces, key=lambda face: (-box_area(face.box), face.box)):
        if not any(is_same_face(face.box, larger.box) for larger in result):
            result.append(face)
    return result


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """(3, H, W), uint8 or in 0…1 -> (H, W, 3) uint8."""
    if image.is_floating_point():
        image = (image.nan_to_num().clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def face_in_box(image: Tensor, box: Box, finder: FaceFinder | None) -> Face:
    """A face boxed by hand in an image (3, H, W), with landmarks if a finder recognises it there.

    The box stays as it was drawn, as it may be meant to hold more or less than a finder sees.
    """
    near = None if finder is None else finder.find_near(image, box)
    return Face(box, 1.0, None if near is None else near.landmarks)


def box_of_mask(mask: Tensor, size: tuple[int, int]) -> Box:
    """The box around the white of a mask (H, W) in 0…1, in pixels of its image.

    Args:
        size: height and width of the image; a mask of another size is meant to cover it.

    Raises:
        InputError: nothing is white.
    """
    rows, columns = (mask > 0.5).any(1).nonzero(), (mask > 0.5).any(0).nonzero()
    if not len(rows):
        raise InputError(
            f"Face mask: expected the face in white over an image of {size[1]}x{size[0]} pixels, "
            f"got {mask.shape[1]}x{mask.shape[0]} without any white. Draw it over the image."
        )
    sx, sy = size[1] / mask.shape[1], size[0] / mask.shape[0]
    x0, x1 = float(columns.min()), float(columns.max()) + 1
    return x0 * sx, float(rows.min()) * sy, x1 * sx, (float(rows.max()) + 1) * sy


def find_in_frame(finder: FaceFinder, frame: Tensor, number: int, choice: str) -> list[Face]:
    """The faces of a frame (3, H, W) that a choice is among, while a clip has shown none yet.

    Args:
        number: of the frame. Small faces are looked for only now and then, as it takes long, and
            in a frame that shows a large one.
    """
    if number % FULL_SEARCH_FRAMES and not finder.find(frame, "whole"):
        return []
    return finder.find(frame, choose_depth(choice))


def find_first_face(finder: FaceFinder, frames: Iterable[Tensor], choice: str, name: str) -> Face:
    """The face in the first frame (3, H, W) that shows any, as `track_face` chooses it.

    Raises:
        FaceError: no frame does.
    """
    for number, frame in enumerate(frames):
        faces = find_in_frame(finder, frame, number, choice)
        if faces:
            return choose_face(faces, choice, (int(frame.shape[1]), int(frame.shape[2])), name)
    raise FaceError(
        f"No face is found in the {name}. Choose a clip that shows it larger, brighter or from the "
        "front."
    )


@contextmanager
def advise(advice: str) -> Iterator[None]:
    """Add to the error of a face that is not found what its asker could be given instead of it.

    Who looks for faces does not know whether there is an input for a box.
    """
    try:
        yield
    except FaceError as error:
        raise FaceError(f"{error} {advice}") from error
