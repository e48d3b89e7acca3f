"""One face through a clip; frames that show none are filled from their neighbours."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError
from .box import box_centre
from .cuts import Look, find_cuts, look_at
from .face import Array, Face, FaceFinder, choose_face, find_in_frame

log = logging.getLogger(__name__)

MOST_NAMED = 20
FARTHEST_STEP, FARTHER_PER_MISSED_FRAME = 0.6, 0.05
"""A face further than this many of its own sides from where it was is somebody else's."""


@dataclass(frozen=True)
class Track:
    """One face over f frames.

    Attributes:
        boxes: (f, 4) x0, y0, x1, y1 in pixels.
        landmarks: (f, 478, 3) as in `Face`, or None where the finder knows none.
        confidence: (f,) 0…1; 0 where the face was not found.
        size: height and width of the frames, in pixels.
    """

    boxes: Array
    landmarks: Array | None
    confidence: Array
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def missed(self) -> list[int]:
        """Frames without a face, whose box and landmarks come from their neighbours."""
        return [int(i) for i in np.flatnonzero(self.confidence == 0)]

    @property
    def faces(self) -> list[Face]:
        """Frame by frame."""
        return [self._face(i) for i in range(len(self))]

    def _face(self, i: int) -> Face:
        x0, y0, x1, y1 = self.boxes[i].tolist()
        landmarks = None if self.landmarks is None else self.landmarks[i]
        return Face((x0, y0, x1, y1), float(self.confidence[i]), landmarks)


def track_face(
    finder: FaceFinder,
    frames: Iterable[Tensor],
    choice: str = "largest",
    where: str = "driving clip",
    on_frame: Callable[[int], None] | None = None,
    fps: float | None = None,
) -> Track:
    """Follow one face through a clip; a warning names the frames where it cuts to another person.

    Args:
        frames: (3, H, W) uint8 or in 0…1, read one at a time.
        choice: which face in the first frame that shows any; see `choose_face`.
        on_frame: called with the number of frames done.
        fps: of the frames, so that warnings can name seconds.

    Raises:
        FaceError: no frame shows a face, or the first that does has not so many.
    """
    found: list[Face | None] = []
    looks: list[Look] = []
    last: Face | None = None
    missed = 0
    size = (0, 0)
    for i, picture in enumerate(frames):
        size = (int(picture.shape[1]), int(picture.shape[2]))
        if last is None:
            found.append(_begin(finder, picture, choice, where, i))
        else:
            found.append(_go_on(finder, picture, last, missed))
        looks.append(look_at(picture, found[-1]))
        missed = 0 if found[-1] else missed + 1
        last = found[-1] or last
        if on_frame is not None:
            on_frame(i + 1)
    if last is None:
        seen = f"{len(found)} frames" if found else "no frames"
        raise FaceError(
            f"No face is found in the {where} ({seen}). Give its box (x0,y0,x1,y1), or choose "
            "another clip."
        )
    _report_cuts(find_cuts(looks), fps, where)
    return _filled(found, size, where)


def _begin(
    finder: FaceFinder, picture: Tensor, choice: str, where: str, number: int
) -> Face | None:
    seen = find_in_frame(finder, picture, number, choice)
    size = (int(picture.shape[1]), int(picture.shape[2]))
    return choose_face(seen, choice, size, where) if seen else None


def _go_on(finder: FaceFinder, picture: Tensor, last: Face, missed: int) -> Face | None:
    """The nearest face, looked for in the whole picture first and then where it was."""
    farthest = FARTHEST_STEP + FARTHER_PER_MISSED_FRAME * missed
    seen = [f for f in finder.find(picture, "whole") if _step(f, last) <= farthest]
    if not seen:
        there = finder.find_near(picture, last.box)
        seen = [there] if there is not None and _step(there, last) <= farthest else []
    return min(seen, key=lambda face: _step(face, last), default=None)


def _step(face: Face, last: Face) -> float:
    """How far a face moved, in sides of its box."""
    away = np.subtract(box_centre(face.box), box_centre(last.box))
    side = max(last.box[2] - last.box[0], last.box[3] - last.box[1], 1.0)
    return float(np.hypot(*away) / side)


def _filled(found: list[Face | None], size: tuple[int, int], where: str) -> Track:
    there = [i for i, face in enumerate(found) if face is not None]
    faces = [face for face in found if face is not None]
    boxes = _between(there, np.array([face.box for face in faces], np.float32), len(found))
    landmarks = None
    known = [face.landmarks for face in faces if face.landmarks is not None]
    if len(known) == len(faces):
        landmarks = _between(there, np.stack(known), len(found))
    confidence = np.zeros(len(found), np.float32)
    confidence[there] = [face.confidence for face in faces]
    result = Track(boxes, landmarks, confidence, size)
    _report(result.missed, len(found), where)
    return result


def _between(known_at: list[int], known: Array, frames: int) -> Array:
    """Values (k, …) at some frames -> (frames, …): linear between, held outside."""
    flat = known.reshape(len(known), -1)
    at = np.arange(frames)
    columns = [np.interp(at, known_at, column) for column in flat.T]
    filled: NDArray[np.float64] = np.stack(columns, axis=1)
    return filled.reshape(frames, *known.shape[1:]).astype(np.float32)


def _report(missed: list[int], frames: int, where: str) -> None:
    if not missed:
        return
    runs = groupby(enumerate(missed), key=lambda pair: pair[1] - pair[0])
    spans = [[frame for _, frame in run] for _, run in runs]
    named = ", ".join(f"{s[0]}–{s[-1]}" if len(s) > 1 else str(s[0]) for s in spans)
    log.warning(
        "The %s: no face in %d of %d frames (%s); filled from their neighbours.",
        where,
        len(missed),
        frames,
        named,
    )


def _report_cuts(cuts: list[int], fps: float | None, where: str) -> None:
    if not cuts:
        return
    named = ", ".join(f"{i} ({i / fps:.2f} s)" if fps else str(i) for i in cuts[:MOST_NAMED])
    log.warning(
        "The %s cuts to another person or place at frame %s%s, counted from 0; what it shows there "
        "is followed as if it were the same face. Cut the clip there and use one part.",
        where,
        named,
        f" and {len(cuts) - MOST_NAMED} more" if len(cuts) > MOST_NAMED else "",
    )
