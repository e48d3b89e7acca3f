"""The upper lid of a photograph, taken apart into skin and lashes.

A lid that closes shows several times the skin that an open one does. Were the photograph simply
stretched, its lashes would be smeared over the whole eye. So the skin is freed of dark lines once,
and the lashes are kept as a factor of brightness that is drawn at the edge of the lid.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .planes import HeadPlane, PixelBox, sample_texture

Floats = NDArray[np.floating]

BAND = 0.5
"""How far above its edge a lid is cleaned, in half eye widths."""
LINE = 0.34
"""The thickest dark line that is taken for lashes, in half eye widths."""
LID_LIGHT, MAX_LID_GAIN = 1.0, 1.7
"""How bright a shut lid is against the cheek below it, and how far it is made brighter for that."""
MIN_LENGTH = 0.3
"""Seen from the front, lashes are never shorter than this share."""
TURN = 0.85
"""The closure from which lashes point down; before it they would hide what the slit shows."""
SHUT_LASHES = -0.7
"""Lashes of a shut eye hang down, a little shortened."""


@dataclass(frozen=True)
class Lid:
    """An upper lid.

    Attributes:
        box: of the image where the lid lies.
        skin: (h, w, 3) of that box, without lashes.
        share: (h, w) in 0…1 where this skin replaces the photograph's.
        lashes: (v, u, 3) factors of brightness over the edge of the lid; rows go up from it.
        left: x of the first column, in centimetres.
        density: pixels of the lashes in a centimetre.
    """

    box: PixelBox
    skin: NDArray[np.uint8]
    share: NDArray[np.float32]
    lashes: NDArray[np.float32]
    left: float
    density: float

    def darkness(self, x: Floats, height: Floats, closure: float) -> NDArray[np.float32]:
        """(h, w, 3) factors of brightness by the lashes.

        Args:
            x: (h, w) places across the plane of the eye, in centimetres.
            height: (h, w) above the edge of the lid, in centimetres.
            closure: 0 open, lashes point up … 1 shut, they hang down.
        """
        up = height / _lash_length(closure)
        factors = sample_texture(self.lashes, (x - self.left) * self.density, up * self.density)
        # On the other side of the edge there is nothing but the softness of the line itself.
        behind = np.clip(1 + up * self.density / 1.5, 0, 1)[..., None]
        return np.asarray(1 + (factors - 1) * behind, np.float32)


def clean_lid(
    image: NDArray[np.uint8], plane: HeadPlane, corners: Floats, half_width: float, scale: float
) -> Lid:
    """The upper lid of an eye in an image (H, W, 3).

    Args:
        corners: (16, 2) the outline of the eye in its plane, in centimetres.
        half_width: of the eye, in centimetres.
        scale: pixels of the image in a centimetre.
    """
    upper = corners[[8, 9, 10, 11, 12, 13, 14, 15, 0]]
    upper = upper[np.argsort(upper[:, 0])]
    density = float(np.clip(scale, 12 / half_width, 120 / half_width))
    left = float(upper[0, 0] - 0.35 * half_width)
    columns = int((upper[-1, 0] - upper[0, 0] + 0.7 * half_width) * density)
    rows = int(2 * BAND * half_width * density)
    height, across = np.mgrid[:rows, :columns] / density
    across = across + left
    edge = np.interp(across, upper[:, 0], upper[:, 1])
    photograph = plane.sample(image, across, edge - height)
    skin = _take_off_lines(photograph, half_width * density)
    lower = corners[:9][np.argsort(corners[:9, 0])]
    below = np.interp(across, lower[:, 0], lower[:, 1]) + 0.15 * half_width + 0.4 * height
    cheek = plane.sample(image, across, below)
    skin *= _light_of_bulge(skin, cheek, height / (BAND * half_width))

    # At the end of the band both are the same, so that no seam can show.
    reach = height / (BAND * half_width)
    side = np.clip(
        np.minimum(across - upper[0, 0], upper[-1, 0] - across) / (0.3 * half_width) + 1, 0, 1
    )
    share = np.clip(1.6 * (1 - reach), 0, 1) * side
    share = (share * share * (3 - 2 * share)).astype(np.float32)
    lashes = np.clip((photograph + 4) / (skin + 4), 0.05, 1)
    lashes = (1 + (lashes - 1) * share[..., None]).astype(np.float32)
    lashes[-2:] = lashes[:, :1] = lashes[:, -1:] = 1

    rim = np.concatenate([upper, upper - [0, BAND * half_width]])
    rim = plane.to_image(np.concatenate([rim, rim.mean(0) + 1.3 * (rim - rim.mean(0))]))
    box = PixelBox.around(rim, 2, image.shape[:2])
    if box is None:
        empty = np.zeros((2, 2), np.float32)
        no_skin = np.zeros((2, 2, 3), np.uint8)
        return Lid(PixelBox(0, 0, 2, 2), no_skin, empty, np.ones_like(lashes), left, density)
    x, y = plane.pixel_grid(box)
    up = np.interp(x, upper[:, 0], upper[:, 1]) - y
    place = (x - left) * density, up * density
    skin_box = np.clip(np.rint(sample_texture(skin, *place)), 0, 255).astype(np.uint8)
    inside = (up > -0.12 * half_width).astype(np.float32)
    share_box = sample_texture(share, *place) * inside
    share_box[(x < left) | (x > left + columns / density)] = 0
    return Lid(box, skin_box, share_box, lashes, left, density)


def _lash_length(closure: float) -> float:
    """How long lashes look, as a share of those at rest; negative where they point down."""
    if closure <= TURN:
        return 1 + (MIN_LENGTH - 1) * closure / TURN
    return -MIN_LENGTH + (SHUT_LASHES + MIN_LENGTH) * (closure - TURN) / (1 - TURN)


def _light_of_bulge(
    skin: NDArray[np.float32], cheek: NDArray[np.float32], reach: Floats
) -> NDArray[np.float32]:
    """(v, u, 1) how much more light falls on a lid (v, u, 3) that is drawn over the eyeball.

    Of an open eye the lid lies in the fold's shadow. Shut it faces the light, as the cheek (v, u,
    3) under the eye does.

    Args:
        reach: (v, u) height above the edge of the lid, 1 where the lid is left alone.
    """
    middle = np.s_[: len(skin) // 2, skin.shape[1] // 4 : -skin.shape[1] // 4]
    lid_light, cheek_light = (float(np.median(v[middle].mean(-1))) for v in (skin, cheek))
    gain = np.clip(LID_LIGHT * cheek_light / max(lid_light, 8), 1, MAX_LID_GAIN)
    fall = np.clip(1.4 * (1 - reach), 0, 1)[..., None]
    return np.asarray(1 + (gain - 1) * fall, np.float32)


def _take_off_lines(patch: NDArray[np.float32], half_width_px: float) -> NDArray[np.float32]:
    """(v, u, 3) a patch without dark lines: each pixel as bright as what surrounds the line."""
    thickness = max(int(LINE * half_width_px) | 1, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thickness, 2 * thickness + 1))
    margin = 2 * thickness + 2
    wide = cv2.copyMakeBorder(patch, margin, margin, margin, margin, cv2.BORDER_REFLECT)
    # Brightness decides for all three channels, else edges of lines get coloured fringes.
    bright = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel)
    bright = cv2.GaussianBlur(bright, (0, 0), max(0.07 * half_width_px, 0.8))
    inner = bright[margin:-margin, margin:-margin]
    return np.asarray(inner, np.float32)
