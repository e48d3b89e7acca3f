"""A clip of one person, as frames to learn from: which sources show it, what is held out."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...control.motion.clip import CHUNK_FRAMES
from ...errors import FaceError, InputError
from ...faces import Track, track_face
from ...faces.blendshapes import NAMES
from ...faces.landmarker import Landmarker
from ...geometry.mesh import FaceMesh
from ...geometry.pose import fit_pose, measure_rotation
from ...limits import HOLD_OUT_SHARE
from .pairs import Shot
from .view import View, resize_pixels

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

MIN_FRAMES = 8
"""Fewer show nobody in motion."""
MAX_FRAMES = 1500
"""A longer clip is thinned out: neighbouring frames teach the same."""
SOURCES = 12
MAX_SOURCE_YAW_DEGREES = 40.0
"""A source that is turned further shows half a face."""
FINENESS = 2.0
"""Frames are kept at most so many times as fine as the network sees them."""
BLOCK_FRAMES = 12
"""Of the blocks that are held out, about half a second."""
UNITS = {"yaw": 10.0, "pitch": 10.0, "mouth": 0.25, "smile": 0.4, "lids": 0.5}
"""What counts as one step of motion: degrees, or of a blendshape."""
MOVING = 3
"""The first so many of them say whether a block moves."""


@dataclass(frozen=True)
class Footage:
    """The frames of a clip that show one person.

    Attributes:
        shots: f frames, of one size.
        motion: (f, 5) what the face does, in `UNITS`.
        held_out: (f,) frames that are never trained on.
        sources: frames that are moved; none is held out, unless all are.
    """

    shots: tuple[Shot, ...]
    motion: Array
    held_out: NDArray[np.bool_]
    sources: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.shots)

    def nearest_source(self, frame: int) -> int:
        """The source whose face is most like that of a frame, but for that frame itself."""
        rest = [source for source in self.sources if source != frame]
        steps = np.linalg.norm(self.motion[rest] - self.motion[frame], axis=1)
        return rest[int(steps.argmin())]


def read_footage(
    frames: Iterable[Tensor],
    landmarker: Landmarker,
    mesh: FaceMesh,
    side_px: int,
    *,
    hold_out: float = 0.0,
    choice: str = "largest",
    name: str = "clip",
    fps: float | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Footage:
    """One face, followed through a clip.

    Frames without the face are left out, and all but the longest scene where the clip cuts to
    another person or place; warnings count both.

    Args:
        frames: (3, H, W) uint8 or in 0…1, read twice.
        mesh: the canonical face of the landmarker's file.
        side_px: of the square that the network sees.
        hold_out: share of the frames that are never trained on, see `choose_held_out`.
        choice: which face in the first frame that shows any; see `faces.choose_face`.
        name, fps: for errors and warnings.
        on_frame: called with the number of frames done; may raise to cancel.

    Raises:
        FaceError: no frame shows a face.
        InputError: fewer than `MIN_FRAMES` frames do, or a share outside its limits.
    """
    HOLD_OUT_SHARE.check(hold_out)
    track = track_face(landmarker, frames, choice, name, on_frame, fps)
    if track.landmarks is None:
        raise FaceError(
            f"The {name}: expected landmarks of a face in its frames, got boxes alone. Find the "
            "face with MediaPipe's face_landmarker.task."
        )
    numbers = _choose_frames(track, name)
    points = track.landmarks[numbers].astype(np.float64)
    chunks = [
        landmarker.blendshapes(track.landmarks[numbers[start : start + CHUNK_FRAMES]])
        for start in range(0, len(numbers), CHUNK_FRAMES)
    ]
    blendshapes = np.concatenate(chunks).astype(np.float64)
    view = View.around(points[len(points) // 2], side_px, track.size)
    scale = min(FINENESS * view.scale, 1.0)
    images = _read_images(frames, set(numbers.tolist()), scale)
    shots = tuple(map(Shot, images, points * scale, blendshapes))
    return make_footage(shots, mesh, hold_out)


def make_footage(shots: tuple[Shot, ...], mesh: FaceMesh, hold_out: float = 0.0) -> Footage:
    """The clip of f frames with its sources; `hold_out` as in `read_footage`."""
    motion = describe_motion(shots, mesh)
    held_out = choose_held_out(motion, hold_out)
    return Footage(shots, motion, held_out, choose_sources(motion, held_out))


def describe_motion(shots: Iterable[Shot], mesh: FaceMesh) -> Array:
    """(f, 5) yaw, pitch, mouth, smile and lids of f frames, in `UNITS`."""
    rows = []
    for shot in shots:
        pitch, yaw, _ = measure_rotation(fit_pose(shot.landmarks, mesh).rotation)
        shapes = dict(zip(NAMES, shot.blendshapes.tolist(), strict=True))
        smile = (shapes["mouthSmileLeft"] + shapes["mouthSmileRight"]) / 2
        lids = (shapes["eyeBlinkLeft"] + shapes["eyeBlinkRight"]) / 2
        rows.append([yaw, pitch, shapes["jawOpen"], smile, lids])
    return np.asarray(np.array(rows) / np.array(list(UNITS.values())))


def choose_held_out(motion: Array, share: float) -> NDArray[np.bool_]:
    """(f,) the blocks of frames that move most, of motion (f, 5), until they are such a share.

    How much a block moves is the way that yaw, pitch and mouth go within it, in `UNITS`. Frames
    that stand still would measure what is easy, and single frames have twins beside them.
    """
    steps = np.abs(np.diff(motion[:, :MOVING], axis=0, prepend=motion[:1, :MOVING])).sum(1)
    starts = range(0, len(motion), BLOCK_FRAMES)
    ways = [float(steps[start : start + BLOCK_FRAMES].sum()) for start in starts]
    held_out = np.zeros(len(motion), bool)
    for block in np.argsort(ways)[::-1]:
        if held_out.sum() >= share * len(motion):
            break
        held_out[starts[block] : starts[block] + BLOCK_FRAMES] = True
    return held_out


def choose_sources(
    motion: Array, held_out: NDArray[np.bool_], count: int = SOURCES
) -> tuple[int, ...]:
    """Frames of motion (f, 5) that are far from each other, the calmest one first.

    Args:
        held_out: (f,) frames that are none, unless all are.
    """
    yaw = np.abs(motion[:, 0]) * UNITS["yaw"]
    usable = ~held_out if not held_out.all() else held_out
    candidates = np.flatnonzero(usable & (yaw <= max(MAX_SOURCE_YAW_DEGREES, yaw[usable].min())))
    places = motion[candidates]
    picks = [int(np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin())]
    distances = np.linalg.norm(places - places[picks[0]], axis=1)
    while len(picks) < min(count, len(candidates)) and distances.max() > 0:
        picks.append(int(distances.argmax()))
        distances = np.minimum(distances, np.linalg.norm(places - places[picks[-1]], axis=1))
    return tuple(int(candidates[i]) for i in picks)


def _choose_frames(track: Track, name: str) -> NDArray[np.intp]:
    """The frames of a track that show its face, of the longest scene."""
    is_face = track.confidence > 0
    ends = [0, *track.cuts, len(track)]
    scenes = [np.flatnonzero(is_face[a:b]) + a for a, b in pairwise(ends)]
    scene = max(scenes, key=len)
    if missing := int((~is_face).sum()):
        log.warning("The %s: %d frames without the face are left out.", name, missing)
    if strangers := int(is_face.sum()) - len(scene):
        log.warning(
            "The %s: %d frames of another person or place are left out; frames %d to %d are "
            "learnt from.",
            *(name, strangers, scene[0], scene[-1]),
        )
    if len(scene) < MIN_FRAMES:
        raise InputError(
            f"The {name}: expected at least {MIN_FRAMES} frames that show one face, got "
            f"{len(scene)}. Choose a clip of some seconds in which the face turns and talks."
        )
    step = -(-len(scene) // MAX_FRAMES)
    return scene[::step]


def _read_images(frames: Iterable[Tensor], numbers: set[int], scale: float) -> Iterator[Image]:
    """(h, w, 3) the frames of some numbers, made smaller."""
    for number, frame in enumerate(frames):
        if number in numbers:
            pixels = frame if frame.dtype == torch.uint8 else (frame * 255).round().clamp(0, 255)
            image = np.ascontiguousarray(pixels.to(torch.uint8).movedim(0, -1).cpu().numpy())
            shape = round(image.shape[0] * scale), round(image.shape[1] * scale)
            yield np.asarray(resize_pixels(image, shape), np.uint8)
