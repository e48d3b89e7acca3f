"""Faces whose shapes are ellipses, and their regions drawn."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control.regions import draw_region, draw_style_masks
from actalker_core.faces import Box, Face, topology

SIZE = HEIGHT, WIDTH = 96, 80
BOX = (16.0, 14.0, 64.0, 78.0)

quick = settings(max_examples=30, deadline=None)

# Faces -------------------------------------------------------------------------------------------

SHAPES = {
    "lips": (topology.LIPS, (0.5, 0.78), (0.18, 0.06)),
    "right eye": (topology.RIGHT_EYE, (0.3, 0.4), (0.11, 0.05)),
    "left eye": (topology.LEFT_EYE, (0.7, 0.4), (0.11, 0.05)),
    "right brow": (topology.RIGHT_BROW, (0.3, 0.27), (0.14, 0.04)),
    "left brow": (topology.LEFT_BROW, (0.7, 0.27), (0.14, 0.04)),
    "oval": (topology.OVAL, (0.5, 0.5), (0.5, 0.5)),
}
"""Points, centre and radii of each shape, as shares of the face box."""


def make_face(box: Box, *, with_landmarks: bool = True) -> Face:
    """A face whose shapes are ellipses."""
    if not with_landmarks:
        return Face(box, 1.0)
    shares = np.full((topology.COUNT, 2), 0.5)
    for points, centre, radii in SHAPES.values():
        turn = 2 * np.pi * np.arange(len(points)) / len(points)
        shares[list(points)] = np.array(centre) + np.array(radii) * np.stack(
            [np.sin(turn), -np.cos(turn)], axis=1
        )
    shares[topology.NOSE_TIP], shares[topology.NOSE_BASE] = (0.5, 0.56), (0.5, 0.62)
    corner, size = np.array(box[:2]), np.array([box[2] - box[0], box[3] - box[1]])
    xy = corner + shares * size
    return Face(box, 1.0, np.concatenate([xy, np.zeros((len(xy), 1))], axis=1).astype(np.float32))


def shift_box(box: Box, dx: float, dy: float) -> Box:
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


FULL, BARE = make_face(BOX), make_face(BOX, with_landmarks=False)
TRACK = [make_face(shift_box(BOX, dx, dy)) for dx, dy in ((0, 0), (3, 1), (-9, 4), (50, 0))]
FACES = pytest.mark.parametrize("face", [FULL, BARE], ids=["landmarks", "bare"])
BOX_STYLES = ["released", "face", "paper", "halves"]
LANDMARK_PARTS = ["lips", "eyes", "brows", "oval"]
PARTS = ["all", "face", "mouth", "upper", "lower", *LANDMARK_PARTS]

BOXES = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    st.floats(-40, 70),
    st.floats(-40, 90),
    st.floats(8, 90),
    st.floats(8, 100),
)
LIKELY_FACES = st.builds(
    lambda x, y, w, ratio: make_face((x, y, x + w, y + ratio * w)),
    st.floats(-30, 60),
    st.floats(-30, 70),
    st.floats(20, 70),
    st.floats(1, 1.5),
)
ANY_FACES = st.builds(lambda box, full: make_face(box, with_landmarks=full), BOXES, st.booleans())


def draw_mask(text: str, faces: Face | Sequence[Face] = FULL) -> Tensor:
    return draw_region(text, faces, *SIZE)


def draw_both(style: str, faces: Face | Sequence[Face]) -> tuple[Tensor, Tensor]:
    return draw_style_masks(style, faces, *SIZE, with_audio=True, with_expression=True)


def is_inside(a: Tensor, b: Tensor) -> bool:
    return bool((a <= b).all())


def is_apart(a: Tensor, b: Tensor) -> bool:
    return not bool(torch.minimum(a, b).any())


def middle_row(mask: Tensor) -> float:
    return mask[0, 0].nonzero()[:, 0].double().mean().item()
