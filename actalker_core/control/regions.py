"""Region masks from the geometry of a face: which signal acts in which part of the image.

A mask is (f, 1, height, width) in 0…1 at the portrait's size, f = 1 for a whole clip or one per
frame. Masks may overlap: where they do, both signals act.
"""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FaceError, check_choice
from ..faces import topology
from ..faces.box import Box, box_centre, box_part, enlarge_box
from ..faces.face import Face
from ..limits import GROW_PX
from .grammar import Span

log = logging.getLogger(__name__)

STYLES = ("released", "face", "paper", "halves", "landmarks")
DEFAULT_STYLE = "paper"
"""Each of two signals gets its part of the face."""

FACE_SCALE = 1.2
"""The released model was trained on face boxes enlarged so many times; another may say another."""
MOUTH_IN_FACE = (0.22, 0.62, 0.78, 0.95)
"""Where the mouth lies in a face box, as shares of its width and height, when no landmarks say."""
MOUTH_SCALE = 1.3
"""The mouth's box is so many times as wide as the lips at rest."""
LIPS_REACH = 0.04
"""How far the mask of `landmarks` goes beyond the lips, as a share of the face's height."""
MAX_PARTS = 100
"""Of a written region."""


def box_mask(box: Box, height: int, width: int) -> Tensor:
    """Ones inside a box, zeros outside: (1, 1, height, width)."""
    x0, y0, x1, y1 = (max(round(edge), 0) for edge in box)
    mask = torch.zeros(1, 1, height, width)
    mask[..., y0:y1, x0:x1] = 1
    return mask


# Parts of a face ---------------------------------------------------------------------------------


def mouth_box(face: Face) -> Box:
    """From below the nose to above the chin, wider than the lips: room for a mouth that opens."""
    points = face.landmarks
    if points is None:
        return box_part(face.box, MOUTH_IN_FACE)
    lips = points[list(topology.LIPS), :2]
    (x0, y0), (x1, y1) = lips.min(0).tolist(), lips.max(0).tolist()
    nose, chin = float(points[topology.NOSE_BASE, 1]), float(points[topology.CHIN, 1])
    x0, _, x1, _ = enlarge_box((x0, y0, x1, y1), MOUTH_SCALE)
    return x0, (min(nose, y0) + y0) / 2, x1, (max(chin, y1) + y1) / 2


def _draw_face(face: Face, height: int, width: int, face_scale: float) -> Tensor:
    return box_mask(enlarge_box(face.box, face_scale), height, width)


def _draw_mouth(face: Face, height: int, width: int, face_scale: float) -> Tensor:
    return box_mask(mouth_box(face), height, width)


def _draw_half(face: Face, height: int, width: int, face_scale: float, *, upper: bool) -> Tensor:
    """The face box above or below its middle, which is the nose where there are landmarks."""
    x0, y0, x1, y1 = enlarge_box(face.box, face_scale)
    middle = box_centre(face.box)[1]
    if face.landmarks is not None:
        middle = float(face.landmarks[topology.NOSE_TIP, 1])
    return box_mask((x0, y0, x1, middle) if upper else (x0, middle, x1, y1), height, width)


def _draw_outlines(
    face: Face,
    height: int,
    width: int,
    face_scale: float,
    *,
    outlines: Sequence[Sequence[int]],
    convex: bool = False,
) -> Tensor:
    """Shapes whose outlines are landmarks; `convex` closes those that are not in order."""
    if face.landmarks is None:
        raise FaceError(
            "Lips, eyes, brows and oval need landmarks, and this face has none. Give MediaPipe's "
            "face_landmarker.task (docs/install-weights.md), or use mouth and face."
        )
    mask: NDArray[np.float32] = np.zeros((height, width), np.float32)
    for outline in outlines:
        points = face.landmarks[list(outline), :2].round().astype(np.int32)
        cv2.fillPoly(mask, [cv2.convexHull(points) if convex else points], (1.0,))
    return torch.from_numpy(mask)[None, None]


def _draw_all(face: Face, height: int, width: int, face_scale: float) -> Tensor:
    return torch.ones(1, 1, height, width)


PARTS: dict[str, Callable[[Face, int, int, float], Tensor]] = {
    "all": _draw_all,
    "face": _draw_face,
    "mouth": _draw_mouth,
    "upper": partial(_draw_half, upper=True),
    "lower": partial(_draw_half, upper=False),
    "lips": partial(_draw_outlines, outlines=[topology.LIPS]),
    "eyes": partial(_draw_outlines, outlines=[topology.LEFT_EYE, topology.RIGHT_EYE]),
    "brows": partial(
        _draw_outlines, outlines=[topology.LEFT_BROW, topology.RIGHT_BROW], convex=True
    ),
    "oval": partial(_draw_outlines, outlines=[topology.OVAL]),
}
"""What draws a part of a face, (1, 1, height, width), by its name; `face`, `upper` and `lower` are
of the enlarged face box."""


def draw_region(
    text: str,
    faces: Face | Sequence[Face],
    height: int,
    width: int,
    face_scale: float = FACE_SCALE,
) -> Tensor:
    """A mask written as parts: `lips`, `eyes+brows`, `oval-mouth`, `face&upper`, from the left.

    Args:
        faces: one for the clip, or one per frame.
        face_scale: how many times its box the face is, for `face`, `upper` and `lower`.

    Returns:
        (f, 1, height, width), f the number of faces.

    Raises:
        InputError: says which part is unknown.
        FaceError: a part needs landmarks that the face lacks.
    """
    names, signs = parse_region(text)
    sequence = _list_faces(faces)
    parts = {  # each drawn once, however often it is written
        name: torch.cat([PARTS[name](face, height, width, face_scale) for face in sequence])
        for name in dict.fromkeys(names)
    }
    mask = parts[names[0]]
    for sign, name in zip(signs, names[1:], strict=True):
        mask = {"+": unite_masks, "-": subtract_mask, "&": intersect_masks}[sign](mask, parts[name])
    return mask


def parse_region(text: str) -> tuple[list[str], list[str]]:
    """The parts of a written region, and the signs between them.

    Raises:
        InputError: says which part is unknown.
    """
    span = Span.from_text("Region", text)
    signs = re.findall(r"[-+&]", text)
    if len(signs) >= MAX_PARTS:
        raise span.error(f"at most {MAX_PARTS} parts")
    parts = span.split_strictly(r"[-+&]", " or ".join(PARTS))
    for part in parts:
        name = re.compile(rf"(?:{'|'.join(PARTS)})\b").match(part.source, part.start, part.end)
        if name and name.end() < part.end:
            rest = Span(part.kind, part.source, name.end(), part.end)
            raise rest.error("+ (and), - (without) or & (where both)")
        part.check_word(PARTS)
    return [part.text for part in parts], signs


def _list_faces(faces: Face | Sequence[Face]) -> Sequence[Face]:
    return [faces] if isinstance(faces, Face) else faces


# Masks of masks ----------------------------------------------------------------------------------


def intersect_masks(a: Tensor, b: Tensor) -> Tensor:
    """Where both masks (f, 1, height, width) are."""
    return torch.minimum(a, b)


def unite_masks(a: Tensor, b: Tensor) -> Tensor:
    """Where either mask (f, 1, height, width) is."""
    return torch.maximum(a, b)


def subtract_mask(a: Tensor, b: Tensor) -> Tensor:
    """Where the first mask (f, 1, height, width) is and the second is not."""
    return torch.minimum(a, 1 - b)


def grow_mask(mask: Tensor, pixels: int) -> Tensor:
    """A mask (f, 1, height, width) grown by pixels all around; a number below 0 shrinks it.

    Raises:
        InputError: more pixels than `limits.GROW_PX`.
    """
    if not GROW_PX.check(pixels):
        return mask
    sign = 1 if pixels > 0 else -1  # what is outside grows where the mask shrinks
    frames = [
        sign * _dilate(sign * frame.numpy(), abs(pixels)) for frame in mask[:, 0].float().cpu()
    ]
    return torch.from_numpy(np.stack(frames))[:, None]


def _dilate(mask: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """The highest value within a disc around each pixel of (height, width).

    A row of the disc is covered by two runs of a power of two, each run by two of half its length:
    OpenCV's time for a disc grows with its area, which takes seconds for large ones.
    """
    side, (height, width) = 2 * pixels + 1, mask.shape
    row_widths = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).sum(1).tolist()
    # runs[y, x] is the highest of `length` values from x on.
    runs, length = np.pad(mask, pixels, constant_values=-np.inf), 1
    result: NDArray[np.float32] = mask.copy()
    while length <= side:
        for y, row_width in enumerate(row_widths):
            if length <= row_width < 2 * length:
                left = pixels - row_width // 2
                for x in (left, left + row_width - length):
                    np.maximum(result, runs[y : y + height, x : x + width], out=result)
        runs = np.maximum(runs[:, :-length], runs[:, length:])
        length *= 2
    return result


def overlap_share(a: Tensor, b: Tensor) -> float:
    """How much of the smaller mask (f, 1, height, width) lies in the other: 0 apart, 1 inside."""
    a, b = torch.broadcast_tensors(a, b)
    smaller = min(float(a.sum()), float(b.sum()))
    return min(float(torch.minimum(a, b).sum()) / smaller, 1.0) if smaller else 0.0


# Styles ------------------------------------------------------------------------------------------


def draw_style_masks(
    style: str,
    faces: Face | Sequence[Face],
    height: int,
    width: int,
    *,
    with_audio: bool,
    with_expression: bool,
    face_scale: float = FACE_SCALE,
) -> tuple[Tensor, Tensor]:
    """Audio and expression mask of a portrait: (f, 1, height, width) each.

    A single signal gets the face box (with `landmarks`, the face's oval). Two signals share the
    image as `style` says: `released` gives both everything, as the released script does; `face`
    gives both the face box; `paper` gives the audio a box around the mouth and the expression
    the rest of the face box; `halves` the face box below and above the nose; `landmarks` the
    lips' shape and the rest of the oval.

    Args:
        faces: one for the clip, or one per frame.
        face_scale: how many times its box the face is.

    Raises:
        InputError: unknown style.
        FaceError: `landmarks` without landmarks.
    """
    check_choice("Masks", style, STYLES)
    draw = partial(draw_region, faces=faces, height=height, width=width, face_scale=face_scale)
    if not (with_audio and with_expression):
        mask = draw("oval" if style == "landmarks" else "face")
        return mask * with_audio, mask * with_expression
    if style == "landmarks":
        lips = torch.cat([_draw_lips(face, height, width) for face in _list_faces(faces)])
        return lips, subtract_mask(draw("oval"), lips)
    audio, expression = {
        "released": ("all", "all"),
        "face": ("face", "face"),
        "paper": ("mouth", "face-mouth"),
        "halves": ("lower", "upper"),
    }[style]
    return draw(audio), draw(expression)


def _draw_lips(face: Face, height: int, width: int) -> Tensor:
    """The lips and the skin that moves with them: (1, 1, height, width)."""
    reach_px = max(round(LIPS_REACH * (face.box[3] - face.box[1])), 1)
    return grow_mask(draw_region("lips", face, height, width), reach_px)
