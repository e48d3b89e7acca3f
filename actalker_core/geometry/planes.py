"""A plane across the head at one depth: where things are drawn that the mesh of the face lacks.

Eyeballs, lids and teeth are drawn flat, in centimetres of the head, so that they turn, lean and
grow with it.
"""

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .pose import HeadPose

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class HeadPlane:
    """Places of a plane in the image: pixels = matrix · centimetres + offset.

    Attributes:
        matrix: (2, 2).
        offset: (2,) where the middle of the head lies.
    """

    matrix: Floats
    offset: Floats

    @classmethod
    def at_depth(cls, pose: HeadPose, depth: float) -> "HeadPlane":
        """The plane at a depth in centimetres of the head as a pose holds it."""
        matrix = pose.scale * pose.rotation[:2, :2]
        offset = pose.translation[:2] + pose.scale * depth * pose.rotation[:2, 2]
        return cls(matrix, offset)

    def from_image(self, points: Floats) -> Floats:
        """(n, 2) pixels -> (n, 2) centimetres."""
        return np.asarray((points - self.offset) @ np.linalg.inv(self.matrix).T)

    def to_image(self, points: Floats) -> Floats:
        """(n, 2) centimetres -> (n, 2) pixels."""
        return np.asarray(points @ self.matrix.T + self.offset)

    def pixel_grid(self, box: "PixelBox") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(h, w) twice: x and y in centimetres of every pixel of a box."""
        inverse = np.linalg.inv(self.matrix)
        x = np.arange(box.left, box.right) - self.offset[0]
        y = np.arange(box.top, box.bottom)[:, None] - self.offset[1]
        return (
            (inverse[0, 0] * x + inverse[0, 1] * y).astype(np.float32),
            (inverse[1, 0] * x + inverse[1, 1] * y).astype(np.float32),
        )

    def sample(self, image: NDArray[np.uint8], x: Floats, y: Floats) -> NDArray[np.float32]:
        """(h, w, 3) the image (H, W, 3) at places (h, w) of the plane."""
        map_x = self.matrix[0, 0] * x + self.matrix[0, 1] * y + self.offset[0]
        map_y = self.matrix[1, 0] * x + self.matrix[1, 1] * y + self.offset[1]
        return sample_texture(image, map_x, map_y)


def sample_texture(texture: NDArray[Any], x: Floats, y: Floats) -> NDArray[np.float32]:
    """(h, w, c) a texture (H, W, c) at places (h, w) in its pixels; its edges go on outside."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    values = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32)


def sample_mask(mask: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
    """(h, w, 1) a mask (H, W) at places (h, w) in its pixels; 0 outside."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    values = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(values, np.float32)[..., None]


def blur(image: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    """(h, w) or (h, w, c) as floats, smoothed over so many pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


@dataclass(frozen=True)
class PixelBox:
    """A rectangle of whole pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, points: Floats, margin: float, shape: tuple[int, int]) -> "PixelBox | None":
        """What encloses points (n, 2) with a margin inside an image; None where that is nothing."""
        sides = []
        for coordinates, end in ((points[:, 0], shape[1]), (points[:, 1], shape[0])):
            low, high = float(coordinates.min()) - margin, float(coordinates.max()) + margin
            # Clipped before they become whole numbers: a point may lie very far outside.
            sides.append((floor(min(max(low, 0), end)), ceil(min(max(high + 1, 0), end))))
        (left, right), (top, bottom) = sides
        if right - left < 2 or bottom - top < 2:
            return None
        return cls(left, top, right, bottom)

    @property
    def corner(self) -> NDArray[np.float64]:
        """(2,) x and y of the first pixel."""
        return np.array([self.left, self.top], np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def intersection(self, box: "PixelBox") -> "PixelBox | None":
        """What lies in both boxes; None where that is nothing."""
        left, top = max(self.left, box.left), max(self.top, box.top)
        right, bottom = min(self.right, box.right), min(self.bottom, box.bottom)
        if right <= left or bottom <= top:
            return None
        return PixelBox(left, top, right, bottom)

    def inside(self, box: "PixelBox") -> tuple[slice, slice]:
        """For indexing an array (h, w, …) of a box that encloses this one."""
        return (
            slice(self.top - box.top, self.bottom - box.top),
            slice(self.left - box.left, self.right - box.left),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing an image (H, W, …)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def draw_polygon(points: Floats, box: PixelBox) -> NDArray[np.float32]:
    """(h, w) in 0…1 how far each pixel of a box lies in a polygon (n, 2) of the image."""
    alpha = np.zeros(box.shape, np.uint8)
    corners = np.rint((points - box.corner) * 16).astype(np.int32)
    cv2.fillPoly(alpha, [corners], (255,), cv2.LINE_AA, 4)
    return np.asarray(alpha / np.float32(255), np.float32)
