"""From moved vertices to maps: where each pixel of a frame is sampled in the photograph.

Around the face the maps are smooth, so they are worked out on a coarse grid and interpolated;
over the face, where one thing hides another, for each pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .planes import PixelBox
from .raster import (
    Maps,
    double_areas,
    draw_ids,
    fit_affine_maps,
    make_sample_maps,
    visible_triangles,
)

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

STRETCH, FULL_STRETCH = 1.5, 2.2
"""How many pixels of a frame one of the photograph covers: from the first on it is drawn out, from
the second on what is seen is invented."""
SMEAR_BLUR = 0.007
"""Of the face's width: smooths the stripes of what is drawn out."""
MOVE_PX = 1e-3
"""What moves less stays as it is."""
COARSE_PX = 48
"""A grid step in pixels for each this many pixels of the face's width, rounded down to 1, 2, 4 …"""
FACE_MARGIN = 0.08
"""Around the face, in widths of it, every pixel is worked out: there rings may fold."""
JUMP_SHARE = 0.02
"""Of the face's width: where neighbours are sampled farther apart, one thing hides another."""


@dataclass(frozen=True)
class WarpMaps:
    """What a frame samples.

    Attributes:
        box: of the frame that moves.
        maps: (h, w) twice, x and y in the photograph for each of its pixels.
        smears: (h, w) up to 255 where the photograph is drawn out, or does not reach.
    """

    box: PixelBox
    maps: Maps
    smears: Pixels

    def crop(self, box: PixelBox) -> Maps:
        """(h, w) twice, the maps of another box; where nothing moves, its own pixels."""
        x = np.arange(box.left, box.right, dtype=np.float32)
        y = np.arange(box.top, box.bottom, dtype=np.float32)
        crops = np.meshgrid(x, y)
        overlap = self.box.intersection(box)
        if overlap is not None:
            for crop, coordinate in zip(crops, self.maps, strict=True):
                crop[overlap.inside(box)] = coordinate[overlap.inside(self.box)]
        return crops[0], crops[1]


class Warp:
    """A mesh over a photograph at rest.

    Args:
        rest: (n, 2) vertices in the image.
        rings: (r, 3) triangles around the face, the outermost first.
        face: (t, 3) triangles of the face.
        face_width: in pixels.
        size: H and W of the image.
    """

    def __init__(
        self,
        rest: Floats,
        rings: NDArray[np.int64],
        face: NDArray[np.int64],
        face_width: float,
        size: tuple[int, int],
    ) -> None:
        self._rest, self._size, self._face_width = rest, size, face_width
        self._rings, self._face = rings, face
        self._face_vertices = np.unique(face)
        self._triangles = np.concatenate([rings, face])
        self._rest_areas = double_areas(rest, self._triangles)
        self._step = int(2 ** np.floor(np.log2(np.clip(face_width / COARSE_PX, 1, 16))))

    def move(self, points: Floats) -> WarpMaps | None:
        """The maps for vertices (n, 3) in the image; None where nothing moves."""
        places = points[:, :2]
        is_moved = np.abs(places - self._rest).max(1) > MOVE_PX
        is_touched = is_moved[self._triangles].any(1)
        if not is_touched.any():
            return None
        is_corner = np.zeros(len(places), bool)
        is_corner[self._triangles[is_touched]] = True
        rim = np.concatenate([places[is_corner], self._rest[is_corner]])
        box = PixelBox.around(rim, 1, self._size)
        if box is None:
            return None
        areas = double_areas(places, self._triangles)
        is_visible = visible_triangles(areas, self._rest_areas)
        stretch = np.abs(areas) / np.maximum(np.abs(self._rest_areas), 0.5)
        smear = np.clip((stretch - STRETCH) / (FULL_STRETCH - STRETCH), 0, 1) * 255
        smear_table = np.append(smear, 0).astype(np.uint8)

        count = len(self._rings)
        depths = points[:, 2][self._face].mean(1)
        # Rings lie behind the face, the outermost first; the face is sorted from far to near.
        nearness = np.argsort(-depths, kind="stable") + count
        order = np.concatenate([np.arange(count), nearness])
        order = order[is_visible[order]]
        affine = fit_affine_maps(places, self._rest, self._triangles)
        margin = FACE_MARGIN * self._face_width
        face_box = PixelBox.around(places[self._face_vertices], margin, self._size)
        if face_box is not None:
            face_box = face_box.intersection(box)

        maps, smears = self._map_coarsely(places, order[order < count], affine, smear_table, box)
        if face_box is not None:
            near = order[self._touches(places, face_box)[order]]
            fine, ids = self._map_pixels(places, near, affine, face_box, 1, 0)
            inside = face_box.inside(box)
            for coordinate, values in zip(maps, fine, strict=True):
                coordinate[inside] = values
            smears[inside] = np.take(smear_table, ids, mode="clip")
        self._mark_outside(maps, smears)
        return WarpMaps(box, maps, smears)

    def _map_coarsely(
        self,
        places: Floats,
        order: NDArray[np.int64],
        affine: NDArray[np.float32],
        smear_table: Pixels,
        box: PixelBox,
    ) -> tuple[Maps, Pixels]:
        """The maps (h, w) of a box from every few pixels, and where they smear."""
        step, (height, width) = self._step, box.shape
        coarse, ids = self._map_pixels(places, order, affine, box, step, 1)
        smears = np.take(smear_table, ids, mode="clip")
        if step == 1:
            inside = np.s_[1 : 1 + height, 1 : 1 + width]
            return (coarse[0][inside].copy(), coarse[1][inside].copy()), smears[inside].copy()
        size = ids.shape[1] * step, ids.shape[0] * step
        inside = np.s_[step : step + height, step : step + width]
        x, y = (cv2.resize(v, size, interpolation=cv2.INTER_LINEAR)[inside] for v in coarse)
        wide_smears = cv2.resize(smears, size, interpolation=cv2.INTER_NEAREST)[inside]
        return (np.asarray(x, np.float32), np.asarray(y, np.float32)), np.asarray(wide_smears)

    def _map_pixels(
        self,
        places: Floats,
        order: NDArray[np.int64],
        affine: NDArray[np.float32],
        box: PixelBox,
        step: int,
        margin: int,
    ) -> tuple[Maps, NDArray[np.int32]]:
        """Maps and ids of a grid over a box, with a margin of so many cells.

        A cell's middle lies in the middle of its pixels, as `cv2.resize` expects.
        """
        first = box.corner - margin * step + (step - 1) / 2
        height, width = (-(-side // step) + 2 * margin for side in box.shape)
        ids = draw_ids((places - first) / step, self._triangles, order, (height, width))
        x, y = (first[axis] + step * np.arange(count) for axis, count in ((0, width), (1, height)))
        return make_sample_maps(ids, affine, x, y), ids

    def _touches(self, places: Floats, box: PixelBox) -> NDArray[np.bool_]:
        """(t,) which triangles may have pixels in a box."""
        a, b, c = (places[self._triangles[:, i]] for i in range(3))
        low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        return np.asarray(
            (high[:, 0] >= box.left - 1)
            & (low[:, 0] <= box.right)
            & (high[:, 1] >= box.top - 1)
            & (low[:, 1] <= box.bottom)
        )

    def _mark_outside(self, maps: Maps, smears: Pixels) -> None:
        """Mark what would be sampled outside the photograph."""
        # What is sampled lies between vertices at rest, so these say whether there is any.
        lows, highs = self._rest.min(0), self._rest.max(0)
        sides = self._size[::-1]
        for coordinate, low, high, side in zip(maps, lows, highs, sides, strict=True):
            if low < -0.5 or high > side - 0.5:
                is_inside = cv2.inRange(coordinate, np.array([-0.5]), np.array([side - 0.5]))
                smears |= ~np.asarray(is_inside, np.uint8)

    def soften(self, region: Pixels, warp: WarpMaps, face: Floats) -> None:
        """Smooth, in place, edges of what hides something behind it, and what is drawn out.

        An edge is where the jaw hides the neck; drawn out is the cheek that turns into view.

        Args:
            region: (h, w, 3) of the frame in the box of the maps.
            warp: its maps.
            face: (468, 2) vertices in the image.
        """
        box = PixelBox.around(face, 2, self._size)
        box = None if box is None else box.intersection(warp.box)
        if box is None:
            return
        inside = box.inside(warp.box)
        self._blur_smears(region[inside], warp.smears[inside])
        limit = max(2.5, JUMP_SHARE * self._face_width)
        edges = np.zeros(box.shape, np.uint8)
        for coordinate in warp.maps:
            values = np.ascontiguousarray(coordinate[inside])
            edges[:, 1:] |= cv2.absdiff(values[:, 1:], values[:, :-1]) > limit
            edges[1:] |= cv2.absdiff(values[1:], values[:-1]) > limit
        if not edges.any():
            return
        is_edge = cv2.dilate(edges, np.ones((2, 2), np.uint8), anchor=(1, 1)) > 0
        patch = region[inside]
        soft = cv2.GaussianBlur(patch, (3, 3), 0.7)
        patch[is_edge] = soft[is_edge]

    def _blur_smears(self, patch: Pixels, smears: Pixels) -> None:
        """Blur, in place, a patch (h, w, 3) as far as it is drawn out, (h, w)."""
        left, top, width, height = cv2.boundingRect(smears)
        if width == 0:
            return
        part = patch[top : top + height, left : left + width]
        share = smears[top : top + height, left : left + width] * np.float32(1 / 255)
        soft = cv2.GaussianBlur(part, (0, 0), max(SMEAR_BLUR * self._face_width, 0.5))
        part[:] = cv2.blendLinear(part, soft, 1 - share, share)
