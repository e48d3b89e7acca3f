"""Draws the inside of a mouth: its own teeth, a driver's mouth, or one made up.

All three are textures under the lips. A mouth that opens fades from the photograph to them, so
that nothing switches from one frame to the next.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces.topology import LEFT_EYE, RIGHT_EYE
from .cavity import Cavity, draw_cavity, measure_cavity
from .planes import HeadPlane, PixelBox, blur, draw_polygon, sample_mask
from .pose import HeadPose, to_image
from .raster import draw_ids, fit_affine_maps, make_sample_maps, sample_image
from .rings import INNER_LIPS, LIP_PAIRS

Floats = NDArray[np.floating]

OPEN_CM, OPEN_FADE_CM = 0.05, 0.2
"""The gap between the lips at which the inside begins to be drawn, and by which it is there."""
OWN_GAP_CM, OWN_FADE_CM = 0.1, 0.15
"""The gap in the photograph from which its own teeth are seen, and until they are used alone."""
OWN_STRETCH_CM = 0.7
"""How far lips move until nothing is drawn out any more between them."""
DRIVER_SHRINK = 0.96
"""Of a driver's inner lips only the inside is taken: their rim is lip."""
SKIN_POINTS = (50, 280, 101, 330, 205, 425)
"""On the cheeks, for what light falls on two faces."""
MAX_GAIN = 2.5


@dataclass(frozen=True)
class Mouth:
    """The mouth of a portrait.

    Attributes:
        depth: of the teeth, in centimetres of the head.
        lips: (20, 2) the inner lips in the image at rest.
        own_share: 0…1 how far the photograph's own teeth are used.
        own_mask: (h, w) in 0…1 where in `own_box` they are.
        own_box: of the image around them.
        cavity: sizes and colours of what is made up.
        skin: (3,) mean colour of the cheeks.
    """

    depth: float
    lips: Floats
    own_share: float
    own_mask: NDArray[np.float32]
    own_box: PixelBox | None
    cavity: Cavity
    skin: Floats


@dataclass(frozen=True)
class MouthPixels:
    """A driver's frame, of which the inside of the mouth is shown.

    Attributes:
        image: (H, W, 3) in 0…255.
        landmarks: (478, 3) of the driver's face in it.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.floating]


def measure_mouth(image: NDArray[np.uint8], vertices: Floats, pose: HeadPose) -> Mouth:
    """The mouth of an image (H, W, 3), with its landmarks (478, 3) in the head."""
    lips = vertices[list(INNER_LIPS)]
    outline = to_image(lips, pose)[:, :2]
    own_share = float(np.clip((lip_gap(vertices) - OWN_GAP_CM) / OWN_FADE_CM, 0, 1))
    box = PixelBox.around(outline, 4, image.shape[:2])
    own_mask = np.zeros((2, 2), np.float32)
    if box is not None:
        # The rim of the opening is lip, or half lip: it stays with the lips.
        opening = cv2.erode(draw_polygon(outline, box), np.ones((3, 3)))
        own_mask = blur(opening, max(0.8, 0.04 * float(pose.scale)))
    eyes = [to_image(vertices[list(eye)], pose)[:, :2] for eye in (LEFT_EYE, RIGHT_EYE)]
    skin = skin_colour(image, to_image(vertices, pose))
    cavity = measure_cavity(image, vertices, pose, eyes)
    depth = float(lips[:, 2].mean()) + 0.5
    return Mouth(depth, outline, own_share, own_mask, box, cavity, skin)


def lip_gap(vertices: Floats) -> float:
    """The mean distance between the inner lips (468, 3), in centimetres; negative if they cross."""
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    return float((vertices[lower, 1] - vertices[upper, 1]).mean())


def part_lips(vertices: Floats) -> Floats:
    """(468, 3) -> (468, 3) with lips that cross meeting halfway instead."""
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    result = vertices.copy()
    cross = vertices[lower, 1] < vertices[upper, 1]
    middle = (vertices[lower, 1] + vertices[upper, 1]) / 2
    result[lower, 1] = np.where(cross, middle, vertices[lower, 1])
    result[upper, 1] = np.where(cross, middle, vertices[upper, 1])
    return np.asarray(result)


def skin_colour(image: NDArray[np.uint8], points: Floats) -> Floats:
    """(3,) the mean colour of the cheeks of a face (468, 3) in an image (H, W, 3)."""
    height, width = image.shape[:2]
    places = np.rint(points[list(SKIN_POINTS), :2]).astype(int)
    places = places.clip(0, [width - 1, height - 1])
    return np.asarray(image[places[:, 1], places[:, 0]].astype(np.float64).mean(0))


def draw_mouth(
    frame: NDArray[np.uint8],
    invented_mask: NDArray[np.uint8],
    photograph: NDArray[np.uint8],
    mouth: Mouth,
    vertices: Floats,
    rest: Floats,
    pose: HeadPose,
    rest_pose: HeadPose,
    driver: MouthPixels | None = None,
) -> None:
    """Draw the inside of the mouth into a frame (H, W, 3), and mark where it is.

    Args:
        frame: (H, W, 3), changed in place.
        invented_mask: (H, W), changed in place.
        photograph: (H, W, 3) at rest.
        vertices, rest: (468, 3) of the head now and at rest.
        pose, rest_pose: of the head now and at rest.
        driver: whose mouth is shown; None shows the photograph's own teeth, or made up ones.
    """
    lips = vertices[list(INNER_LIPS)]
    outline = to_image(lips, pose)[:, :2]
    box = PixelBox.around(outline, 3, frame.shape[:2])
    gap = lip_gap(vertices)
    change = float(np.abs(lips - rest[list(INNER_LIPS)]).max())
    strength = _smooth((gap - OPEN_CM) / OPEN_FADE_CM)
    if driver is None:
        strength *= _smooth(change / 0.15)
    if box is None or strength <= 0:
        return
    alpha = blur(draw_polygon(outline, box), 0.7) * np.float32(strength)
    patch = frame[box.slices].astype(np.float32)
    if driver is not None:
        inside = _take_driver(driver, mouth, outline, box)
    else:
        plane = HeadPlane.at_depth(pose, mouth.depth)
        x, y = plane.pixel_grid(box)
        inside = draw_cavity(
            mouth.cavity,
            x,
            y,
            vertices,
            rest,
            alpha / strength,
            float(pose.scale),
            mouth.own_share,
        )
        if mouth.own_share > 0:
            # Little opened, the corners are still those of the photograph, drawn out.
            start = mouth.own_share * (1 - _smooth(change / OWN_STRETCH_CM))
            inside += (patch - inside) * start
            inside = _lay_own_teeth(inside, photograph, mouth, rest_pose, x, y, vertices, rest)
    patch += (inside - patch) * alpha[..., None]
    frame[box.slices] = np.clip(np.rint(patch), 0, 255).astype(np.uint8)
    region = invented_mask[box.slices]
    np.maximum(region, np.rint(alpha * 255).astype(np.uint8), out=region)


def _lay_own_teeth(
    inside: NDArray[np.float32],
    photograph: NDArray[np.uint8],
    mouth: Mouth,
    rest_pose: HeadPose,
    x: Floats,
    y: Floats,
    vertices: Floats,
    rest: Floats,
) -> NDArray[np.float32]:
    """(h, w, 3) the photograph's own mouth over a made up one, at places (h, w) of the teeth.

    Its upper half is fixed to the skull, its lower half goes with the lower lip.
    """
    box = mouth.own_box
    if box is None:
        return inside
    plane = HeadPlane.at_depth(rest_pose, mouth.depth)
    drop = float((vertices[14] - rest[14])[1])
    top, bottom = float(rest[13, 1]), float(rest[14, 1])
    layers = []
    for shift in (drop, 0.0):
        ys = y - shift
        px = plane.matrix[0, 0] * x + plane.matrix[0, 1] * ys + plane.offset[0]
        py = plane.matrix[1, 0] * x + plane.matrix[1, 1] * ys + plane.offset[1]
        maps = px.astype(np.float32), py.astype(np.float32)
        colours = sample_image(photograph, maps).astype(np.float32)
        share = sample_mask(mouth.own_mask, maps[0] - box.left, maps[1] - box.top)[..., 0]
        layers.append((colours, share * mouth.own_share, (ys - top) / max(bottom - top, 0.1)))
    (low, low_share, low_height), (high, high_share, _) = layers
    # A driver's tongue or lower teeth lie in the lower part alone.
    low_share = low_share * np.clip((low_height - 0.55) / 0.25, 0, 1)
    inside = inside + (low - inside) * low_share[..., None]
    return np.asarray(inside + (high - inside) * high_share[..., None])


def _take_driver(
    driver: MouthPixels, mouth: Mouth, outline: Floats, box: PixelBox
) -> NDArray[np.float32]:
    """(h, w, 3) the inside of a driver's mouth, moved between the lips and lit like the face."""
    source = np.asarray(driver.landmarks, np.float64)[list(INNER_LIPS), :2]
    middle = source.mean(0)
    source = middle + (source - middle) * DRIVER_SHRINK
    strips = _lip_strips()
    # Outside the strips, where the rim is soft, the nearest colour is as good as any.
    wide_outline = outline.mean(0) + (outline - outline.mean(0)) * 1.15 - box.corner
    wide_source = source.mean(0) + (source - source.mean(0)) * 1.1
    ids = draw_ids(wide_outline, strips, np.arange(len(strips)), box.shape)
    grid = (np.arange(side, dtype=np.float64) for side in box.shape[::-1])
    maps = make_sample_maps(ids, fit_affine_maps(wide_outline, wide_source, strips), *grid)
    bad = ids == len(strips)
    maps[0][bad], maps[1][bad] = middle
    colours = sample_image(driver.image, maps, cv2.BORDER_REPLICATE).astype(np.float32)
    light = skin_colour(driver.image, np.asarray(driver.landmarks, np.float64))
    gain = np.clip(mouth.skin / np.maximum(light, 8), 1 / MAX_GAIN, MAX_GAIN)
    return np.asarray(colours * gain.astype(np.float32))


def _lip_strips() -> NDArray[np.int64]:
    """(18, 3) triangles between the upper and the lower inner lip, as places in `INNER_LIPS`."""
    upper = list(range(11))
    lower = [0, *range(19, 10, -1), 10]
    strips = []
    for i in range(10):
        strips += [(upper[i], lower[i], lower[i + 1]), (upper[i], lower[i + 1], upper[i + 1])]
    return np.array([strip for strip in strips if len(set(strip)) == 3])


def _smooth(x: float) -> float:
    x = min(max(float(x), 0.0), 1.0)
    return x * x * (3 - 2 * x)
