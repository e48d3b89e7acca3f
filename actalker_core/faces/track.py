"""One face through the frames of a video; where they show none, the gap is filled."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError
from ..parallel import map_in_order, read_ahead
from .box import box_centre, longer_side
from .cuts import Thumbnails, find_cuts, make_thumbnails
from .face import Array, Face, FaceFinder, choose_face, find_in_frame

log = logging.getLogger(__name__)

THREADS = 2
"""In which faces are looked for; each step of the networks uses more cores by itself."""
MAX_CUTS_IN_WARNING = 20
MAX_STEP, MAX_STEP_PER_GAP_FRAME = 0.6, 0.05
"""A face further than so many sides of its box from where it was is somebody else's; the longer it
is out of sight, the further it may have gone."""


@dataclass(frozen=True)
class Track:
    """One face over f frames.

    Attributes:
        boxes: (f, 4) x0, y0, x1, y1 in pixels.
        landmarks: (f, 478, 3) as in `Face`, or None where the finder knows none.
        confidence: (f,) 0…1; 0 where the face was not found.
        size: height and width of the frames, in pixels.
        cuts: frames with which another person or place begins.
    """

    boxes: Array
    landmarks: Array | None
    confidence: Array
    size: tuple[int, int]
    cuts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def gaps(self) -> list[int]:
        """Frames without a face, whose box and landmarks come from their neighbours."""
        return [int(i) for i in np.flatnonzero(self.confidence == 0)]

    @property
    def faces(self) -> list[Face]:
        """Frame by frame."""
        landmarks = [None] * len(self) if self.landmarks is None else self.landmarks
        rows = zip(self.boxes.tolist(), self.confidence.tolist(), landmarks, strict=True)
        return [Face((x0, y0, x1, y1), score, points) for (x0, y0, x1, y1), score, points in rows]


def track_face(
    finder: FaceFinder,
    frames: Iterable[Tensor],
    choice: str = "largest",
    name: str = "driving clip",
    on_frame: Callable[[int], None] | None = None,
    fps: float | None = None,
) -> Track:
    """Follow one face through a clip; a warning names the frames where it cuts to another person.

    Args:
        frames: (3, H, W) uint8 or in 0…1, read a few ahead.
        choice: which face in the first frame that shows any; see `choose_face`.
        name: of the clip, for errors and warnings.
        on_frame: called with the number of frames done.
        fps: of the frames, so that warnings can name seconds.

    Raises:
        FaceError: no frame shows a face, or the first that does has not so many.
    """
    faces: list[Face | None] = []
    thumbnails: list[Thumbnails] = []
    size = (0, 0)
    for frame, face in _follow(finder, read_ahead(frames), choice, name):
        size = (int(frame.shape[1]), int(frame.shape[2]))
        faces.append(face)
        thumbnails.append(make_thumbnails(frame, face))
        if on_frame is not None:
            on_frame(len(faces))
    if not any(faces):
        count = f"{len(faces)} frames" if faces else "no frames"
        raise FaceError(
            f"No face is found in the {name} ({count}). Choose a clip that shows it larger, "
            "brighter or from the front."
        )
    cuts = find_cuts(thumbnails)
    _warn_of_cuts(cuts, fps, name)
    track = replace(_fill_gaps(faces, size), cuts=tuple(cuts))
    _warn_of_gaps(track.gaps, len(track), name)
    return track


def _follow(
    finder: FaceFinder, frames: Iterator[Tensor], choice: str, name: str
) -> Iterator[tuple[Tensor, Face | None]]:
    """Each frame (3, H, W) with the chosen face in it, if it is found."""
    last: Face | None = None
    for i, frame in enumerate(frames):
        candidates = find_in_frame(finder, frame, i, choice)
        size = (int(frame.shape[1]), int(frame.shape[2]))
        last = choose_face(candidates, choice, size, name) if candidates else None
        yield frame, last
        if last is not None:
            break
    gap_frames = 0
    # What a glance shows does not depend on the frames before, so several are taken at once.
    for frame, faces in map_in_order(lambda f: (f, finder.find(f, "whole")), frames, THREADS):
        assert last is not None  # else no frame is left
        face = _find_next(finder, frame, faces, last, gap_frames)
        gap_frames = 0 if face else gap_frames + 1
        last = face or last
        yield frame, face


def _find_next(
    finder: FaceFinder, frame: Tensor, faces: list[Face], last: Face, gap_frames: int
) -> Face | None:
    """The nearest face, of those that a glance at the whole frame shows, else looked for there.

    Nearness alone tells whose face it is, as no network here recognises people.
    """
    max_step = MAX_STEP + MAX_STEP_PER_GAP_FRAME * gap_frames
    if not any(_measure_step(face, last) <= max_step for face in faces):
        near = finder.find_near(frame, last.box)
        faces = [] if near is None else [near]
    nearest = min(faces, key=lambda face: _measure_step(face, last), default=None)
    return nearest if nearest and _measure_step(nearest, last) <= max_step else None


def _measure_step(face: Face, last: Face) -> float:
    """How far a face moved, in sides of its box: a near face moves more pixels than a far one."""
    distance = math.dist(box_centre(face.box), box_centre(last.box))
    return distance / max(longer_side(last.box), 1.0)


def _fill_gaps(faces: list[Face | None], size: tuple[int, int]) -> Track:
    """Boxes and landmarks of all frames; a face moves evenly while it is out of sight."""
    indices = [i for i, face in enumerate(faces) if face is not None]
    boxes = np.array([face.box for face in faces if face is not None], np.float32)
    points = [face.landmarks for face in faces if face is not None and face.landmarks is not None]
    landmarks = None
    if len(points) == len(indices):  # a face without them would get those of another place
        landmarks = _interpolate(indices, np.stack(points), len(faces))
    confidence = np.array([0.0 if face is None else face.confidence for face in faces], np.float32)
    return Track(_interpolate(indices, boxes, len(faces)), landmarks, confidence, size)


def _interpolate(indices: list[int], values: Array, frames: int) -> Array:
    """Values (k, …) at k frames -> (frames, …): linear between them, held before and after."""
    columns = values.reshape(len(values), -1).T
    result: NDArray[np.float64] = np.stack(
        [np.interp(np.arange(frames), indices, column) for column in columns], axis=1
    )
    return result.reshape(frames, *values.shape[1:]).astype(np.float32)


def _warn_of_gaps(gaps: list[int], frames: int, name: str) -> None:
    if not gaps:
        return
    runs = groupby(enumerate(gaps), key=lambda pair: pair[1] - pair[0])
    spans = [[frame for _, frame in run] for _, run in runs]
    log.warning(
        "The %s: no face in %d of %d frames (%s); filled from their neighbours.",
        name,
        len(gaps),
        frames,
        ", ".join(f"{s[0]}–{s[-1]}" if len(s) > 1 else str(s[0]) for s in spans),
    )


def _warn_of_cuts(cuts: list[int], fps: float | None, name: str) -> None:
    if not cuts:
        return
    named_cuts = cuts[:MAX_CUTS_IN_WARNING]
    log.warning(
        "The %s cuts to another person or place at frame %s%s, counted from 0; what it shows there "
        "is followed as if it were the same face. Cut the clip there and use one part.",
        name,
        ", ".join(f"{i} ({i / fps:.2f} s)" if fps else str(i) for i in named_cuts),
        f" and {len(cuts) - len(named_cuts)} more" if len(cuts) > len(named_cuts) else "",
    )
