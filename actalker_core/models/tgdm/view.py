"""The square of an image that the network sees, of any size, and the way back into the image."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.planes import PixelBox

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]

VIEW_SHARE = 1.55
"""Side of the square in widths of the face, as in the images that the network learns from."""
WHOLE_SHARE = 2.3
"""A picture whose shorter side is at most so many widths of the face is seen up to its borders."""
SMALL_CHANGE, LARGE_CHANGE = 10.0, 30.0
"""Up to the one, of 255, a change is added to the picture; from the other on it replaces it."""
HOLD_SHARE = 1.15
"""Side of a square that follows a face, at least, in its greatest width or height in the clip."""
SMOOTH_FRAMES = 3
"""Standard deviation over which the centre of such a square is averaged."""
FEATHER_SHARE = 0.05
"""Width of the rim that is blended, as a share of the square's side."""


@dataclass(frozen=True)
class View:
    """A square of an image.

    Attributes:
        box: of the image.
        side_px: of the square as the network sees it.
        shape: height and width of the image.
    """

    box: PixelBox
    side_px: int
    shape: tuple[int, int]

    @classmethod
    def around(cls, landmarks: Floats, side_px: int, shape: tuple[int, int]) -> "View":
        """The square around a face; landmarks (n, 2 or more) in pixels of an image (H, W)."""
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        width, shorter = float(high[0] - low[0]), min(shape)
        side = shorter if shorter <= WHOLE_SHARE * width else round(VIEW_SHARE * width)
        side = max(min(side, shorter), 1)
        ends = np.array(shape[::-1]) - side
        left, top = np.clip(np.rint((low + high) / 2 - side / 2), 0, ends).astype(int).tolist()
        return cls(PixelBox(left, top, left + side, top + side), side_px, shape)

    @classmethod
    def follow(cls, landmarks: Floats, side_px: int, shape: tuple[int, int]) -> "list[View]":
        """Squares of one size that follow a face smoothly.

        Args:
            landmarks: (f, n, 2 or more) in pixels of the frames (H, W).
            side_px: of the squares as the network sees them.
            shape: H and W.
        """
        points = np.asarray(landmarks, np.float64)[..., :2]
        low, high = points.min(1), points.max(1)
        width = float(np.median(high[:, 0] - low[:, 0]))
        side = max(VIEW_SHARE * width, HOLD_SHARE * float((high - low).max()))
        side_of_box = max(min(round(side), min(shape)), 1)
        if min(shape) <= WHOLE_SHARE * width:
            side_of_box = min(shape)
        reach = np.arange(-3 * SMOOTH_FRAMES, 3 * SMOOTH_FRAMES + 1)
        weights = np.exp(-0.5 * (reach / SMOOTH_FRAMES) ** 2)
        places = np.clip(np.arange(len(points))[:, None] + reach, 0, len(points) - 1)
        centres = ((low + high) / 2)[places]
        centres = (centres * weights[:, None]).sum(1) / weights.sum()
        ends = np.array(shape[::-1]) - side_of_box
        corners = np.clip(np.rint(centres - side_of_box / 2), 0, ends).astype(int)
        return [
            cls(PixelBox(x, y, x + side_of_box, y + side_of_box), side_px, shape)
            for x, y in corners.tolist()
        ]

    @property
    def scale(self) -> float:
        """Pixels of the network for one of the image."""
        return self.side_px / self.box.shape[0]

    def cut(self, image: Image) -> Image:
        """(H, W, …) -> (side, side, …)."""
        part = np.ascontiguousarray(image[self.box.slices])
        return np.asarray(resize_pixels(part, (self.side_px, self.side_px)), np.uint8)

    def place(self, landmarks: Floats) -> NDArray[np.float64]:
        """(n, 3) of the image -> (n, 3) of the square."""
        points = np.asarray(landmarks, np.float64).copy()
        points[:, :2] -= self.box.corner
        return np.asarray(points * self.scale)

    def paste_change(self, image: Image, before: Floats, after: Floats, new_share: Floats) -> Image:
        """The image with what the network made of the square.

        A network of few pixels would blur a large picture. So what it changes is added to the
        picture, which keeps its fine detail. Where the picture shows nothing true it is
        replaced, and where much changes too: an edge that has moved would stay as a ghost.

        Args:
            image: (H, W, 3).
            before: (side, side, 3) what the network saw, in 0…255. after: what it made of it.
            new_share: (H, W) in 0…1 how far it is replaced.
        """
        out = image.copy()
        region = out[self.box.slices]
        if self.scale == 1:
            mix = after
        else:
            share = np.maximum(new_share[self.box.slices], self._measure_change(before, after))
            share = share[..., None]
            change = self._enlarge(after - before)
            mix = (region + change) * (1 - share) + self._enlarge(after) * share
        rim = self._feather()[..., None]
        # What changes by less than half a step is the same byte.
        mix = region + (mix - region) * rim
        region[:] = np.rint(mix).clip(0, 255).astype(np.uint8)
        return np.asarray(out)

    def _measure_change(self, before: Floats, after: Floats) -> NDArray[np.float32]:
        """(h, w) of the image, 1 near pixels that change much, 0 far from all that change."""
        change = np.abs(after - before).max(-1).astype(np.float32)
        share = np.clip((change - SMALL_CHANGE) / (LARGE_CHANGE - SMALL_CHANGE), 0, 1)
        near = cv2.GaussianBlur(cv2.dilate(share, np.ones((3, 3), np.uint8)), (0, 0), 1.0)
        return np.clip(self._enlarge(np.asarray(near, np.float32)), 0, 1)

    def _feather(self) -> NDArray[np.float32]:
        """(h, w) 0…1: softly to 0 at the sides that lie inside the image."""
        side = self.box.shape[0]
        height, width = self.shape
        rim = max(FEATHER_SHARE * side, 1.0)
        place = np.arange(side) + 0.5
        inside = np.ones(side)
        x, y = inside.copy(), inside.copy()
        for along, is_low, is_high in (
            (x, self.box.left > 0, self.box.right < width),
            (y, self.box.top > 0, self.box.bottom < height),
        ):
            low = np.clip(place / rim, 0, 1) if is_low else inside
            high = np.clip((side - place) / rim, 0, 1) if is_high else inside
            along[:] = low * high
        return np.asarray(y[:, None] * x, np.float32)

    def _enlarge(self, image: Floats) -> NDArray[np.float32]:
        return np.asarray(resize_pixels(image.astype(np.float32), self.box.shape), np.float32)


def resize_pixels(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """(h, w, …) -> of another height and width; the same where they are its own."""
    if image.shape[:2] == shape:
        return image
    how = cv2.INTER_AREA if shape[0] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=how))
