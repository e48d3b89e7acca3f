"""Landmarks of a face over time -> numbers that move any photograph as that face moved.

All of it is relative to a neutral frame. What 52 blendshapes cannot say about a face is kept beside
them as detail, so that both together are the motion that was measured, and edits of the numbers
still mean what they say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, check_choice
from ..faces.blendshapes import NAMES
from ..faces.measure import gaze as measure_gaze
from ..limits import Limits
from . import rings
from .lips import close_lips
from .mesh import VERTEX_COUNT, Array, FaceMesh
from .numbers import FrameNumbers
from .pose import check_landmarks, fit_pose, measure_change, to_head_space
from .rig import (
    BLINKS,
    SQUINT_OPENING,
    SQUINTS,
    WIDE_OPENING,
    WIDES,
    Rig,
    look_factors,
    mouth_scales,
)

LIPS = ("relative", "absolute")
"""Whether lips count from where the neutral frame has them, or from shut ones."""
SHUT_RATIO = 0.27
"""The landmarks of a shut eye are still so much of an open one apart."""
MAX_OPENING = 1 + WIDE_OPENING
OPEN_SHARE = 0.8
"""A neutral frame has both eyes at least so far open as the clip's usual frame."""
LOOK_RANGE = 0.6
"""Half eye widths of an iris's way that count as eyeLook… 1; none looks much farther."""
SIDE_GAIN = 1.8
"""Small looks aside are larger than the landmarks of the irises, which lids pull to the middle."""
LOOKS = [i for i, name in enumerate(NAMES) if name.startswith("eyeLook")]
MUSCLES = [i for i, name in enumerate(NAMES) if i and not name.startswith("eyeLook")]
MAX_CALM = {"mouthSmile": 0.35, "mouthFrown": 0.5, "jawOpen": 0.2, "browInnerUp": 0.6}
"""What a neutral face shows at most; a number for one shape, or the mean of left and right."""


@dataclass(frozen=True)
class FaceMotion:
    """What a face does over time, as changes from its neutral frame; see `FrameNumbers`.

    Attributes:
        blendshapes: (f, 52) in −1…1.
        rotation_degrees: (f, 3)
        translation: (f, 2)
        scale: (f, 1)
        gaze: (f, 4)
        detail: (f, 468, 3)
        neutral: the frame that all else counts from.
        doubt: why that frame may be no neutral face, or "".
    """

    blendshapes: Array
    rotation_degrees: Array
    translation: Array
    scale: Array
    gaze: Array
    detail: Array
    neutral: int
    doubt: str

    def __len__(self) -> int:
        return len(self.blendshapes)

    def frame(self, number: int) -> FrameNumbers:
        """The numbers of one frame, (52,) and so on."""
        return FrameNumbers(
            self.blendshapes[number],
            self.rotation_degrees[number],
            self.translation[number],
            self.scale[number],
            self.gaze[number],
            self.detail[number],
        )


def measure_motion(
    landmarks: NDArray[np.floating],
    blendshapes: NDArray[np.floating],
    mesh: FaceMesh,
    rig: Rig,
    neutral: int | None = None,
    *,
    lips: str = "relative",
) -> FaceMotion:
    """What a face does in the frames of a clip.

    Args:
        landmarks: (f, 478, 3) of the face in each frame.
        blendshapes: (f, 52) of the landmarker's network.
        mesh: the canonical face.
        rig: that the numbers are to move.
        neutral: the frame in which the face does nothing; None for `choose_neutral`.
        lips: whether they count from where the neutral frame has them, or from shut ones, which
            is right where no frame is neutral.

    Raises:
        InputError: no frames, shapes that do not fit, NaN, or a neutral frame that is none.
        FaceError: landmarks that are no face.
    """
    points, numbers = _check_frames(landmarks, blendshapes)
    check_choice("Lips", lips, LIPS)
    if neutral is None:
        neutral = choose_neutral(points, numbers)
    Limits("Neutral frame", 0, len(points) - 1, integer=True).check(neutral)
    poses = fit_pose(points, mesh)
    head = to_head_space(points, poses)
    face_width = float(np.ptp(points[neutral, :, 0]))
    rotation, translation, scale = measure_change(poses, poses[neutral], face_width)
    gaze = _measure_gaze(points, neutral)
    numbers = np.clip(numbers - numbers[neutral], -1, 1)
    # How far the lips are apart is measured; mouthClose would shut them once more.
    numbers[:, [0, NAMES.index("mouthClose")]] = 0
    _write_looks(numbers, gaze)
    # Lids follow the gaze by themselves; only what they do beyond that is blink or wide.
    _write_lids(numbers, _measure_openings(head, neutral) / look_factors(gaze))
    rest = head[neutral, :VERTEX_COUNT]
    motion = head[:, :VERTEX_COUNT] - rest
    if lips == "absolute":
        motion = motion + rest - close_lips(rest, 1)
    detail = motion / mouth_scales(rest, mesh) - rig.displace(numbers)
    return FaceMotion(
        numbers,
        rotation,
        translation,
        scale,
        gaze,
        _calm_lids(detail),
        neutral,
        _doubt_neutral(np.asarray(blendshapes)[neutral], neutral),
    )


def choose_neutral(landmarks: NDArray[np.floating], blendshapes: NDArray[np.floating]) -> int:
    """The frame of landmarks (f, 478, 3) and blendshapes (f, 52) in which the face does least.

    The one with the least sum of blendshapes, gaze apart, among those with open eyes.
    """
    points, numbers = _check_frames(landmarks, blendshapes)
    openness = eye_gaps(points).min(1)
    is_open = openness >= OPEN_SHARE * np.median(openness)
    effort = numbers[:, MUSCLES].sum(1)
    return int(np.argmin(np.where(is_open, effort, np.inf)))


def eye_gaps(points: NDArray[np.floating]) -> Array:
    """Points (f, 478, 3) -> the heights of the left and the right eye as shares of their widths.

    (f, 2), of all pairs of the lids, so that one landmark that jumps makes no blink.
    """
    gaps = []
    for pairs, corners in zip(rings.LID_PAIRS, rings.EYE_CORNERS, strict=True):
        upper, lower = (list(side) for side in zip(*pairs, strict=True))
        height = np.linalg.norm(points[:, upper] - points[:, lower], axis=2).mean(1)
        width = np.linalg.norm(points[:, corners[0]] - points[:, corners[1]], axis=1)
        gaps.append(height / np.maximum(width, 1e-9))
    return np.stack(gaps, axis=1)


def _check_frames(
    landmarks: NDArray[np.floating], blendshapes: NDArray[np.floating]
) -> tuple[Array, Array]:
    points, numbers = check_landmarks(landmarks), np.asarray(blendshapes, np.float64)
    if points.ndim != 3 or not len(points) or points.shape[1] == VERTEX_COUNT:
        raise InputError(
            f"Landmarks: expected one or more frames of the shape (f, 478, 3), got {points.shape}. "
            "Choose a clip that shows a face."
        )
    if numbers.shape != (len(points), len(NAMES)) or not np.isfinite(numbers).all():
        raise InputError(
            f"Blendshapes: expected finite numbers of the shape ({len(points)}, {len(NAMES)}), got "
            f"{numbers.shape}. Measure them of the same frames as the landmarks."
        )
    return points, numbers


def _measure_openings(head: Array, neutral: int) -> Array:
    """(f, 2) of the eyes of a head (f, 478, 3): 0 shut, 1 as in the neutral frame."""
    gaps = eye_gaps(head)
    ratios = gaps / np.maximum(gaps[neutral], 1e-9)
    return np.asarray(np.clip((ratios - SHUT_RATIO) / (1 - SHUT_RATIO), 0, MAX_OPENING))


def _measure_gaze(points: Array, neutral: int) -> Array:
    """(f, 4) of landmarks (f, 478, 3), both eyes alike: single irises drift apart in blinks.

    In the image and not in the head, as that is where an iris is seen between its lids and drawn.
    """
    looks = np.asarray(measure_gaze(np.asarray(points, np.float32)), np.float64)
    change = looks - looks[neutral]
    change[:, 0] = LOOK_RANGE * np.tanh(SIDE_GAIN * change[:, 0] / LOOK_RANGE)
    return np.tile(change, 2)


def _write_lids(numbers: Array, openings: Array) -> None:
    """Blinks and wide eyes (f, 52) that open level eyes so far (f, 2); see `lid_openings`."""
    rest = 1 - SQUINT_OPENING * numbers[:, SQUINTS]
    numbers[:, WIDES] = np.clip((openings - rest) / WIDE_OPENING, 0, 1)
    numbers[:, BLINKS] = np.maximum(rest - openings, 0)


def _write_looks(numbers: Array, gaze: Array) -> None:
    """The eyeLook… of blendshapes (f, 52) from gaze (f, 4), so that both say the same."""
    left_x, left_y, right_x, right_y = np.clip(gaze.T / LOOK_RANGE, -1, 1)
    looks = {
        "eyeLookOutLeft": left_x,
        "eyeLookInLeft": -left_x,
        "eyeLookUpLeft": left_y,
        "eyeLookDownLeft": -left_y,
        "eyeLookOutRight": -right_x,
        "eyeLookInRight": right_x,
        "eyeLookUpRight": right_y,
        "eyeLookDownRight": -right_y,
    }
    for name, values in looks.items():
        numbers[:, NAMES.index(name)] = np.maximum(values, 0)


def _calm_lids(detail: Array) -> Array:
    """Detail (f, 468, 3) whose lids only go along with the corners of their eye.

    How far they are apart is told by the openings alone.
    """
    result = np.array(detail)
    for eye in rings.EYES:
        outer, inner = detail[:, eye[0]], detail[:, eye[8]]
        for place, vertices in enumerate(zip(eye[1:8], eye[:8:-1], strict=True), start=1):
            result[:, vertices] = (outer + (inner - outer) * place / 8)[:, None]
    return result


def _doubt_neutral(blendshapes: Array, neutral: int) -> str:
    """Why a frame with these blendshapes (52,) is no neutral face; "" if it is one."""
    strong = []
    for name, limit in MAX_CALM.items():
        values = [v for n, v in zip(NAMES, blendshapes, strict=True) if n.startswith(name)]
        if np.mean(values) > limit:
            strong.append(f"{name} {np.mean(values):.2f}")
    if not strong:
        return ""
    return (
        f"The calmest frame, {neutral}, is no neutral face ({', '.join(strong)}), and motion "
        "counts from it. Say at which second it is neutral, or take absolute lips."
    )
