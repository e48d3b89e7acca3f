"""Carries the face's motion outwards: hair, ears and neck go along, the background stays.

Letters: k rings, n = 36 points of the face oval. A ring is the oval, pushed outwards in the image;
its points lie behind the face, the deeper the farther out, so that the skull turns as a whole.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..faces.topology import OVAL
from .pose import HeadPose, to_image

Floats = NDArray[np.float64]

RING_SHARES = np.array([0.07, 0.18, 0.33, 0.53, 0.76, 1.0])
"""How far out each ring lies, as a share of the reach; closer where more happens."""
REACH = 1.7
"""How far the motion reaches beyond the oval, in mean radii of the oval."""
MIN_REACH_SHARE = 0.45
"""Of the reach, where the border of the image is nearer than that: better to let the motion cross
the border, and something come in from outside, than to crush it into a few pixels."""
RIGID_SHARE, NECK_SHARE = 0.3, 0.75
"""Up to where hair moves like the skull; and where the neck comes to rest, below the chin."""
JAW_SHARE = 0.36
"""Up to where an expression moves what is around the face."""
SKULL_SLOPE, SKULL_DEPTH_CM = 1.2, 5.5
NECK_SLOPE, NECK_DEPTH_CM = 0.8, 4.0
"""How fast and how far the surface falls back beyond the oval."""


@dataclass(frozen=True)
class Extension:
    """Rings around a face at rest.

    Attributes:
        vertices: (k, n, 3) in centimetres of the head.
        rest: (k, n, 3) the same in the image.
        weights: (k, n) in 0…1, how far each follows the head.
        triangles: (t, 3) the outermost first; their corners count the 468 vertices of the face and
            then the rings.
    """

    vertices: Floats
    rest: Floats
    weights: Floats
    triangles: NDArray[np.int64]

    def place(self, face: Floats, shift: Floats, pose: HeadPose) -> Floats:
        """(468 + k·n, 3) all vertices in the image.

        Args:
            face: (468, 3) the vertices of the face in the image.
            shift: (468, 3) how far an expression moves them, in pixels.
            pose: of the head now.
        """
        head = to_image(self.vertices.reshape(-1, 3), pose).reshape(self.rest.shape)
        fade = np.clip(1 - RING_SHARES / JAW_SHARE, 0, 1)[:, None, None]
        rings = self.rest + (head - self.rest) * self.weights[..., None]
        rings += shift[list(OVAL)] * fade
        return np.concatenate([face, rings.reshape(-1, 3)])


def extend_face(vertices: Floats, pose: HeadPose, size: tuple[int, int]) -> Extension:
    """Lay rings around a face.

    Args:
        vertices: (468, 3) in centimetres of the head.
        pose: of the head in the image.
        size: H and W of the image.
    """
    oval = vertices[list(OVAL)]
    border = to_image(oval, pose)[:, :2]
    middle = border.mean(0)
    rays = border - middle
    radii = np.linalg.norm(rays, axis=1)
    rays = rays / np.maximum(radii, 1e-6)[:, None]
    spans = _reach(middle, rays, radii, size)
    shares = RING_SHARES[:, None]
    places = middle + rays * (radii + spans * shares)[..., None]

    # 0 straight down the picture, so that the neck is told from the hair.
    angles = np.arctan2(rays[:, 0], rays[:, 1])
    down = np.clip((np.cos(angles) - 0.45) / 0.4, 0, 1)
    distances = spans * shares / pose.scale
    skull = np.minimum(distances * SKULL_SLOPE, SKULL_DEPTH_CM)
    neck = np.minimum(distances * NECK_SLOPE, NECK_DEPTH_CM)
    depths = oval[:, 2] + skull * (1 - down) + neck * down
    # Of a place in the image and a depth of the head, the other two axes of the head follow.
    flat_axes, depth_axis = pose.rotation[:2, :2], pose.rotation[:2, 2]
    offsets = places - pose.translation[:2] - pose.scale * depths[..., None] * depth_axis
    across = offsets @ np.linalg.inv(pose.scale * flat_axes).T
    rings = np.concatenate([across, depths[..., None]], axis=-1)

    weights = _fall(shares, RIGID_SHARE, 1.0) * (1 - down) + _fall(shares, 0, NECK_SHARE) * down
    rest = to_image(rings.reshape(-1, 3), pose).reshape(rings.shape)
    return Extension(rings, rest, weights, _ring_triangles())


def _reach(middle: Floats, rays: Floats, radii: Floats, size: tuple[int, int]) -> Floats:
    """(n,) pixels from the oval to the last ring: to the border of the image, or before it."""
    height, width = size
    with np.errstate(divide="ignore", invalid="ignore"):
        to_side = np.where(rays[:, 0] > 0, width - 1 - middle[0], -middle[0]) / rays[:, 0]
        to_edge = np.where(rays[:, 1] > 0, height - 1 - middle[1], -middle[1]) / rays[:, 1]
    room = np.fmin(to_side, to_edge) - radii
    reach = REACH * radii.mean()
    return np.asarray(np.clip(room, MIN_REACH_SHARE * reach, reach))


def _fall(shares: Floats, start: float, end: float) -> Floats:
    """(k, 1) from 1 to 0 between two shares of the reach, smoothly at both ends."""
    x = 1 - np.clip((shares - start) / (end - start), 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _ring_triangles() -> NDArray[np.int64]:
    """(t, 3) between the oval and the first ring, and between each ring and the next."""
    count = len(OVAL)
    rows = [np.array(OVAL)]
    rows += [468 + count * i + np.arange(count) for i in range(len(RING_SHARES))]
    bands = []
    for inner, outer in pairwise(rows):
        next_inner, next_outer = np.roll(inner, -1), np.roll(outer, -1)
        bands += [
            np.stack([inner, outer, next_outer], axis=1),
            np.stack([inner, next_outer, next_inner], axis=1),
        ]
    return np.concatenate(bands[::-1])
