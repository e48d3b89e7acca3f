"""Moves an image by its triangles: which triangle lies at each pixel, and from where it is sampled.

Letters: n points, t triangles, h w pixels. Points are x right, y down in pixels; a pixel's centre
has whole coordinates.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ids = NDArray[np.int32]
Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

SUBPIXEL_BITS = 4
"""Corners are rounded to a sixteenth of a pixel."""
MIN_AREA_PX = 0.02
"""Half of what a parallelogram must cover to be drawn; thinner triangles have no stable map."""


def double_areas(points: Floats, triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n, 2), (t, 3) -> (t,) twice the area of each triangle in pixels, with its sign.

    The sign says which side is seen; it changes when a triangle turns away.
    """
    a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
    p, q = b - a, c - a
    return np.asarray(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])


def visible_triangles(areas: Floats, source_areas: Floats) -> NDArray[np.bool_]:
    """(t,) those that show the same side as in the source, and are not too thin to be drawn.

    The sign is relative to the source, so that what a photograph shows from behind (the far side
    of a turned head) is drawn as long as it stays that way. Where the border of a mesh stays in
    place, every pixel inside keeps at least one of these: folds come in pairs.

    Args:
        areas, source_areas: (t,) of `double_areas`.
    """
    return np.asarray((areas * source_areas > 0) & (np.abs(areas) > 2 * MIN_AREA_PX))


def draw_ids(
    points: Floats,
    triangles: NDArray[np.integer],
    order: NDArray[np.integer],
    shape: tuple[int, int],
) -> Ids:
    """(h, w) the last triangle of an order that covers each pixel; t where there is none.

    Args:
        points: (n, 2).
        triangles: (t, 3).
        order: (k,) numbers of triangles, from the farthest to the nearest.
        shape: h and w.
    """
    ids = np.full(shape, len(triangles), np.int32)
    # Far outside they would overflow the fixed point numbers of OpenCV.
    reach = 8 * max(shape)
    places = np.clip(points, -reach, reach + max(shape)) * (1 << SUBPIXEL_BITS)
    corners = np.rint(places).astype(np.int32)[triangles[order]]
    fill = cv2.fillConvexPoly
    for i, polygon in zip(order.tolist(), list(corners), strict=True):
        fill(ids, polygon, i, 8, SUBPIXEL_BITS)
    return ids


def fit_affine_maps(
    points: Floats, source: Floats, triangles: NDArray[np.integer]
) -> NDArray[np.float32]:
    """(6, t + 1) for each triangle how its place in an image becomes its place in the source.

    Rows are ∂x/∂x, ∂x/∂y, x₀, ∂y/∂x, ∂y/∂y, y₀ of source = J · place + source₀. The last column
    is the identity, for pixels without a triangle. A column of each coefficient, because numpy
    takes by a thousand pixels from a column 2.5 times as fast as whole rows.
    """
    a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
    u, v, w = (source[triangles[:, i]].astype(np.float64) for i in range(3))
    p, q, r, s = b - a, c - a, v - u, w - u
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    area = np.where(np.abs(area) < 2 * MIN_AREA_PX, 1.0, area)[:, None]
    along_x = (q[:, 1:] * r - p[:, 1:] * s) / area
    along_y = (p[:, :1] * s - q[:, :1] * r) / area
    offset = u - along_x * a[:, :1] - along_y * a[:, 1:]
    maps = np.empty((6, len(triangles) + 1), np.float32)
    for axis in (0, 1):
        rows = maps[3 * axis : 3 * axis + 3]
        rows[0, :-1], rows[1, :-1], rows[2, :-1] = (
            along_x[:, axis],
            along_y[:, axis],
            offset[:, axis],
        )
        rows[:, -1] = (1.0, 0.0, 0.0) if axis == 0 else (0.0, 1.0, 0.0)
    return maps


def make_sample_maps(ids: Ids, affine_maps: NDArray[np.float32], x: Floats, y: Floats) -> Maps:
    """(h, w) twice: from which x and y of the source each place of a grid is sampled.

    Args:
        ids: (h, w) of `draw_ids`.
        affine_maps: (6, t + 1) of `fit_affine_maps`.
        x, y: (w,) and (h,) places of the grid's columns and rows, in the points' own unit.
    """
    columns, rows = x.astype(np.float32), y.astype(np.float32)[:, None]
    # `take` would convert other integers anew each time.
    places = ids.astype(np.intp)
    buffer = np.empty(ids.shape, np.float32)
    maps = []
    for along_x, along_y, offset in (affine_maps[:3], affine_maps[3:]):
        coordinate = np.take(along_x, places, mode="clip")
        coordinate *= columns
        np.take(along_y, places, out=buffer, mode="clip")
        buffer *= rows
        coordinate += buffer
        np.take(offset, places, out=buffer, mode="clip")
        coordinate += buffer
        maps.append(coordinate)
    return maps[0], maps[1]


def sample_image(
    image: NDArray[np.uint8], maps: Maps, border: int = cv2.BORDER_REFLECT_101
) -> NDArray[np.uint8]:
    """(h, w, 3) the image (H, W, 3) at each place of the maps (h, w), between pixels linearly."""
    colours = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(colours, np.uint8)


def fill_outlines(
    outlines: Sequence[Sequence[int]], points: Floats, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """(H, W) 255 inside closed outlines of points (n, 2) or (n, 3), 0 elsewhere."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        corners = np.rint(points[list(outline), :2] * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(mask, [corners], (255,), cv2.LINE_8, SUBPIXEL_BITS)
    return mask
