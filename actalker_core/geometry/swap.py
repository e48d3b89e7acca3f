"""The start of a face swap: one person's skin on another's geometry, in the other's light.

Pasted skin carries the source's highlights and covers fringes of hair, so it is only where an
inpainting starts from, never a result.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces import topology
from .mesh import FaceMesh
from .pose import check_landmarks
from .raster import (
    MIN_AREA_PX,
    double_areas,
    draw_ids,
    fill_outlines,
    fit_affine_maps,
    make_sample_maps,
    sample_image,
    visible_triangles,
)
from .rings import EYES, INNER_LIPS

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Floats = NDArray[np.floating]

RIM_SHARE = 0.06
"""Width of the rim that is blended, as a share of the face's height."""
LIGHT_SHARE = 0.10
"""Standard deviation of what counts as light, as a share of the face's height."""
MAX_STRETCH = 4.0
"""A triangle that covers so many times its area in the source shows next to nothing of it."""
LID_SOFTNESS_PX = 1.0


@dataclass(frozen=True)
class SwapStart:
    """What an inpainting starts from.

    Attributes:
        image: (H, W, 3) the target with the source's skin; outside the mask bit for bit.
        inpaint_mask: (H, W) 0…255 all that differs from the target or borders on it, to be
            painted anew.
        invented_mask: (H, W) 0…255 the part of it for which the source shows nothing: rim, eyes,
            the inside of the mouth, skin that is turned away.
    """

    image: Image
    inpaint_mask: Mask
    invented_mask: Mask


def start_swap(
    source: Image,
    source_landmarks: Floats,
    target: Image,
    target_landmarks: Floats,
    mesh: FaceMesh,
) -> SwapStart:
    """Put the skin of a source on the face of a target; eyes and the inside of the mouth stay.

    Args:
        source: (h, w, 3) whose skin.
        source_landmarks: (478, 3) in its pixels.
        target: (H, W, 3) whose geometry, light, eyes and mouth.
        target_landmarks: (478, 3) in its pixels.

    Raises:
        InputError: landmarks that no face has.
    """
    origin, points = check_landmarks(source_landmarks), check_landmarks(target_landmarks)
    shape = (target.shape[0], target.shape[1])
    height_px = float(np.linalg.norm((points[topology.FOREHEAD] - points[topology.CHIN])[:2]))
    rim_px = max(RIM_SHARE * height_px, 1.0)

    skin, is_shown = _move_skin(source, origin, points, mesh, shape)
    face = fill_outlines([topology.OVAL], points, shape)
    openings = fill_outlines([*EYES, INNER_LIPS], points, shape)
    is_inner = _erode(face, rim_px) > 0
    texture = _light_as(skin, target, is_shown & is_inner, LIGHT_SHARE * height_px)

    opacity = _soften(_erode(face, rim_px), rim_px / 3) * (face > 0)
    opacity = opacity * (1 - _soften(openings, LID_SOFTNESS_PX)) * is_shown
    image = target + (texture - target) * opacity[..., None]
    return SwapStart(
        np.asarray(np.rint(image).clip(0, 255), np.uint8),
        _dilate(face, rim_px),
        _dilate(face, rim_px) * ~(is_shown & is_inner),
    )


def _move_skin(
    source: Image, origin: Floats, points: Floats, mesh: FaceMesh, shape: tuple[int, int]
) -> tuple[Image, NDArray[np.bool_]]:
    """(H, W, 3) the source's skin where the target's is, and (H, W) where the source shows it."""
    count, triangles = len(mesh.vertices), mesh.skin_triangles
    origin_px, points_px = origin[:count, :2], points[:count, :2]
    areas, source_areas = double_areas(points_px, triangles), double_areas(origin_px, triangles)
    is_visible = visible_triangles(areas, source_areas)
    order = np.argsort(-points[triangles, 2].mean(1))
    ids = draw_ids(points_px, triangles, order[is_visible[order]], shape)
    y, x = (np.arange(side, dtype=np.float64) for side in shape)
    maps = make_sample_maps(ids, fit_affine_maps(points_px, origin_px, triangles), x, y)
    stretch = np.abs(areas) / np.maximum(np.abs(source_areas), MIN_AREA_PX)
    stretch *= (_size(origin_px) / _size(points_px)) ** 2  # faces of two sizes are compared
    is_shown = np.append(stretch < MAX_STRETCH, False)
    skin = sample_image(source, maps)
    return skin, np.asarray(is_shown[ids])


def _light_as(
    skin: Image, target: Image, is_skin: NDArray[np.bool_], sigma_px: float
) -> NDArray[np.float32]:
    """(H, W, 3) the skin with the target's low frequencies in place of its own, in Lab.

    Both are averaged over the same pixels, so that hair, eyes and lips of one side add nothing.
    """
    weight = is_skin.astype(np.float32)
    reach = cv2.GaussianBlur(weight, (0, 0), sigma_px)[..., None]
    fine, coarse = (
        cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (skin, target)
    )
    difference = cv2.GaussianBlur((coarse - fine) * weight[..., None], (0, 0), sigma_px)
    lab = (fine + difference / np.maximum(reach, 1e-3)).astype(np.float32)
    return np.asarray(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _size(points: Floats) -> float:
    """Height of a face in pixels, by which two are compared."""
    return float(np.linalg.norm(points[topology.FOREHEAD] - points[topology.CHIN]))


def _erode(mask: Mask, radius_px: float) -> Mask:
    return np.asarray(cv2.erode(mask, _make_disc(radius_px)), np.uint8)


def _dilate(mask: Mask, radius_px: float) -> Mask:
    return np.asarray(cv2.dilate(mask, _make_disc(radius_px)), np.uint8)


def _make_disc(radius_px: float) -> NDArray[np.uint8]:
    side = 2 * round(radius_px) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _soften(mask: Mask, sigma_px: float) -> NDArray[np.float32]:
    """(H, W) 0…1 with a soft border."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), sigma_px))
