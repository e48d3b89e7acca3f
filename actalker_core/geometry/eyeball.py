"""The eyeball behind the lids: its white behind the iris, and the whole of the iris."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .planes import HeadPlane, blur, sample_texture

Floats = NDArray[np.floating]

DENSITY = 2.0
"""Pixels of a texture per pixel of the image."""
RIM_CM = 0.05
"""How soft the rim of the iris is."""


@dataclass(frozen=True)
class Eyeball:
    """Textures (h, w, 3) over the plane of an eye.

    Attributes:
        corner: (2,) x and y of their first pixel, in centimetres.
        density: pixels in a centimetre.
        centre, radius: of the iris at rest, (2,) and in centimetres.
        white: without iris.
        iris: completed behind the lids.
        rest: what the photograph shows, completed behind the lids.
    """

    corner: Floats
    density: float
    centre: Floats
    radius: float
    white: NDArray[np.float32]
    iris: NDArray[np.float32]
    rest: NDArray[np.float32]

    def sample(self, texture: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
        """(h, w, 3) one of its textures at places (h, w) of the plane."""
        x, y = ((v - c) * self.density - 0.5 for v, c in zip((x, y), self.corner, strict=True))
        return sample_texture(texture, x, y)

    def iris_share(self, x: Floats, y: Floats) -> NDArray[np.float32]:
        """(h, w) in 0…1 how far places of the plane lie in the iris at rest."""
        return _disc(x, y, self.centre, self.radius * 1.08)


def _disc(x: Floats, y: Floats, centre: Floats, radius: float) -> NDArray[np.float32]:
    distance = np.hypot(x - centre[0], y - centre[1])
    return np.asarray(np.clip((radius - distance) / (2 * RIM_CM) + 0.5, 0, 1), np.float32)


def complete_eyeball(
    image: NDArray[np.uint8],
    plane: HeadPlane,
    corners: Floats,
    disc: Floats,
    half_width: float,
    scale: float,
    rim: float,
) -> Eyeball:
    """The eyeball in an image (H, W, 3).

    Args:
        corners: (16, 2) the lids in the plane, in centimetres.
        disc: (5, 2) centre and rim of the iris.
        half_width: of the eye, in centimetres.
        scale: pixels of the image in a centimetre.
        rim: how far the lids lie outside of what the eye shows, in centimetres.
    """
    density = max(16.0, DENSITY * scale)
    density = min(density, 200 / half_width)
    middle = (corners[0] + corners[8]) / 2
    size = np.ceil(np.array([2.6, 2.2]) * half_width * density).astype(int)
    corner = middle - size / 2 / density
    y, x = np.mgrid[: size[1], : size[0]]
    x, y = corner[0] + (x + 0.5) / density, corner[1] + (y + 0.5) / density

    order = np.argsort(corners[:9, 0])
    bottom = np.interp(x, corners[order, 0], corners[order, 1])
    upper = corners[[8, 9, 10, 11, 12, 13, 14, 15, 0]]
    order = np.argsort(upper[:, 0])
    top = np.interp(x, upper[order, 0], upper[order, 1])
    # Lashes and the wet rim of the lids are no part of the eyeball.
    margin = np.minimum(0.1, 0.2 * np.maximum(bottom - top, 0)) + rim
    inside = (y > top + margin) & (y < bottom - margin) & (bottom - top > 0.1 * half_width)
    centre = disc[0]
    radius = max(float(np.linalg.norm(disc[1:] - centre, axis=1).mean()), 0.15 * half_width)
    distance = np.hypot(x - centre[0], y - centre[1])

    photograph = plane.sample(image, x, y)
    white = _complete_white(photograph, inside & (distance > 1.22 * radius), x, y, half_width)
    iris = _complete_iris(photograph, inside & (distance < 1.3 * radius), distance, radius)
    share = _disc(x, y, centre, radius * 1.08)[..., None]
    backdrop = white + (iris - white) * share
    visible = blur(inside.astype(np.float32), 0.03 * density + 0.5)[..., None]
    rest = backdrop + (photograph - backdrop) * visible
    return Eyeball(corner, density, centre, radius, white, iris, rest)


def _complete_white(
    photograph: NDArray[np.float32],
    visible: NDArray[np.bool_],
    x: Floats,
    y: Floats,
    half_width: float,
) -> NDArray[np.float32]:
    """(h, w, 3) the white where it is visible, and a smooth surface through it elsewhere."""
    middle_x, middle_y = x.mean(), y.mean()
    across, down = (x - middle_x) / half_width, (y - middle_y) / half_width
    colours = photograph[visible]
    if len(colours) < 12:
        model = np.full_like(photograph, 1.0) * np.percentile(photograph, 85, axis=(0, 1))
        return np.asarray(model, np.float32)
    terms = np.stack([np.ones_like(across), across, across**2, down], axis=-1)
    rows = terms[visible]
    # Lashes and the corner's red are outliers: bright samples weigh more.
    light = colours.mean(1)
    weights = np.clip((light - np.percentile(light, 10)) / max(np.ptp(light), 1), 0.05, 1)
    ridge = np.diag([1e-3, 0.05, 0.05, 0.3]) * weights.sum()
    gram = rows.T @ (rows * weights[:, None]) + ridge
    mean = (colours * weights[:, None]).sum(0) / weights.sum()
    solution = np.linalg.solve(gram, rows.T @ ((colours - mean) * weights[:, None]))
    low, high = np.percentile(colours, [15, 95], axis=0)
    model = np.clip(terms @ solution + mean, low, high)
    # Darker towards the corners, where the ball turns away.
    model *= 1 - 0.18 * np.clip(np.abs(across), 0, 1)[..., None] ** 3
    sigma = 0.023 * photograph.shape[1]
    share = blur(cv2.erode(visible.astype(np.float32), np.ones((3, 3))), sigma)
    return np.asarray(model + (photograph - model) * share[..., None], np.float32)


def _complete_iris(
    photograph: NDArray[np.float32],
    visible: NDArray[np.bool_],
    distance: Floats,
    radius: float,
) -> NDArray[np.float32]:
    """(h, w, 3) the iris where it is visible, and elsewhere its mean at the same distance."""
    bins = 40
    rings = np.clip((distance / radius * 28).astype(int), 0, bins - 1)
    counts = np.bincount(rings[visible], minlength=bins)
    sums = np.stack(
        [np.bincount(rings[visible], photograph[visible][:, c], bins) for c in range(3)], axis=1
    )
    filled_bins = np.flatnonzero(counts > 2)
    if len(filled_bins) == 0:
        return np.asarray(photograph)
    means = sums[filled_bins] / counts[filled_bins, None]
    profile = np.stack(
        [np.interp(np.arange(bins), filled_bins, means[:, c]) for c in range(3)], axis=1
    )
    disc = blur(profile[rings], 1.2)
    share = blur(cv2.erode(visible.astype(np.float32), np.ones((3, 3))), 1.5)[..., None]
    return np.asarray(disc + (photograph - disc) * share, np.float32)
