"""Images of a face's geometry, drawn from its landmarks: conditions for diffusion models.

Each shows how a head is held, what it expresses and where it looks, without a person's looks, on
black. Landmarks are those of `faces.topology`, (478, 3) in pixels: found in an image, or those of
a portrait or of the canonical face after numbers have moved them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import check_choice
from ..faces import topology
from .mesh import FaceMesh
from .pose import check_landmarks
from .raster import Ids, draw_ids, fill_outlines, fit_affine_maps, make_sample_maps
from .rings import INNER_LIPS
from .segments import SEGMENTS, segment_triangles

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]
Shape = tuple[int, int]

LIGHT = (-0.35, -0.5, -0.8)
"""From where the light comes: the viewer's left, above, and in front."""
AMBIENT, DIFFUSE = 0.22, 0.78
CLAY, EYE_WHITE, IRIS, PUPIL = (226, 214, 204), (250, 250, 250), (70, 95, 110), (12, 12, 12)
PUPIL_SHARE = 0.45
"""Of the radius of an iris."""
SUBPIXELS = 2
"""Each way, of what is drawn with soft edges."""
# fmt: off
SEGMENT_COLOURS = np.array([
    (236, 188, 150), (196, 132, 84), (190, 60, 70), (120, 30, 60), (40, 8, 60), (110, 70, 30),
    (70, 45, 20), (235, 235, 250), (200, 215, 235), (30, 120, 220), (20, 170, 130), (0, 0, 0),
], np.uint8)
# fmt: on
"""One for each of `SEGMENTS`, no two alike, and black for what is no face."""
LINES: tuple[tuple[tuple[int, ...], bool, tuple[int, int, int]], ...] = (
    (topology.OVAL, True, (10, 200, 10)),
    (topology.LIPS, True, (10, 180, 10)),
    (INNER_LIPS, True, (10, 180, 10)),
    (topology.LEFT_EYE, True, (10, 200, 180)),
    (topology.LEFT_BROW[:5], False, (10, 220, 180)),
    (topology.LEFT_BROW[5:], False, (10, 220, 180)),
    (topology.RIGHT_EYE, True, (180, 200, 10)),
    (topology.RIGHT_BROW[:5], False, (180, 220, 10)),
    (topology.RIGHT_BROW[5:], False, (180, 220, 10)),
)
PUPILS = ((topology.LEFT_IRIS, (10, 200, 250)), (topology.RIGHT_IRIS, (250, 200, 10)))
"""Points of each line, whether it is closed, and its colour; the landmarks of the pupils.

Source: the colours that https://huggingface.co/CrucibleAI/ControlNetMediaPipeFace was trained on.
"""
LINE_SHARE = 2 / 512
"""Width of a line as a share of the image's shorter side, as that was trained."""
MOUTH = SEGMENTS.index("mouth")
EYES = (
    (SEGMENTS.index("left eye"), SEGMENTS.index("left iris"), topology.LEFT_IRIS),
    (SEGMENTS.index("right eye"), SEGMENTS.index("right iris"), topology.RIGHT_IRIS),
)
NO_SEGMENT = len(SEGMENTS)


@dataclass(frozen=True)
class Drawing:
    """A face on the pixels of an image, from which all attributes are read.

    Attributes:
        landmarks: (478, 3) in pixels of the image.
        shape: height and width of the image.
        line_px: width of its lines.
    """

    mesh: FaceMesh
    landmarks: Floats
    shape: Shape
    line_px: float

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """(468, 3) the landmarks that the mesh has."""
        return np.asarray(self.landmarks[: len(self.mesh.vertices)], np.float64)

    @cached_property
    def ids(self) -> Ids:
        """(H, W) the nearest triangle at each pixel; the number of triangles where there is none.

        The inside of the mouth lies behind the lips, so it is drawn first.
        """
        triangles = self.mesh.triangles
        depth = self.points[triangles, 2].mean(1)
        depth[segment_triangles(self.mesh) == MOUTH] = np.inf
        return draw_ids(self.points[:, :2], triangles, np.argsort(-depth), self.shape)

    @cached_property
    def segments(self) -> NDArray[np.int64]:
        """(H, W) the number in `SEGMENTS` of each pixel, of irises too; `NO_SEGMENT` outside."""
        segments = np.append(segment_triangles(self.mesh), NO_SEGMENT)[self.ids]
        for eye, iris, centre in EYES:
            segments[self._disc(centre, 1.0) & (segments == eye)] = iris
        return np.asarray(segments)

    @cached_property
    def pupils(self) -> NDArray[np.bool_]:
        """(H, W) where a pupil is seen."""
        irises = [(self.segments == iris) & self._disc(c, PUPIL_SHARE) for _, iris, c in EYES]
        return np.asarray(irises[0] | irises[1])

    def interpolate(self, values: Floats) -> NDArray[np.float32]:
        """(H, W, c) numbers of the vertices (468, c) between them; 0 where there is no face."""
        triangles = self.mesh.triangles
        corners = np.arange(3 * len(triangles)).reshape(-1, 3)
        # Each triangle sampled from a right-angled one of side 1: there, a pixel's place is two
        # of its barycentric coordinates.
        unit = np.tile([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], (len(triangles), 1))
        maps = fit_affine_maps(self.points[triangles, :2].reshape(-1, 2), unit, corners)
        y, x = (np.arange(side, dtype=np.float64) for side in self.shape)
        second, third = (
            np.clip(share, 0, 1)[..., None] for share in make_sample_maps(self.ids, maps, x, y)
        )
        ids = np.minimum(self.ids, len(triangles) - 1)
        a, b, c = (np.asarray(values, np.float32)[triangles[:, i]][ids] for i in range(3))
        result = a + (b - a) * second + (c - a) * third
        return np.asarray(np.where((self.ids < len(triangles))[..., None], result, 0), np.float32)

    @cached_property
    def normals(self) -> NDArray[np.float64]:
        """(468, 3) of length 1, away from the head: the mean of the triangles around, by area."""
        triangles = self.mesh.triangles[segment_triangles(self.mesh) != MOUTH]
        a, b, c = (self.points[triangles[:, i]] for i in range(3))
        normals = np.zeros_like(self.points)
        for i in range(3):
            np.add.at(normals, triangles[:, i], np.cross(b - a, c - a))
        # The canonical face looks towards −z, so its own normals tell which way is outwards.
        rest = self.mesh.vertices[triangles]
        outwards = -np.sign(np.cross(rest[:, 1] - rest[:, 0], rest[:, 2] - rest[:, 0])[:, 2].sum())
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.asarray(outwards * normals / np.maximum(length, 1e-12))

    def _disc(self, centre: int, share: float) -> NDArray[np.bool_]:
        """(H, W) inside the outline of an iris, shrunk to a share of its size."""
        middle, outline = self.landmarks[centre], self.landmarks[centre + 1 : centre + 5]
        # Four points at a quarter turn tell an ellipse: two half axes across the image.
        axes = (outline[:2, :2] - outline[2:, :2]).T / 2 * share
        if abs(np.linalg.det(axes)) < 1e-9:
            return np.zeros(self.shape, np.bool_)
        y, x = np.mgrid[: self.shape[0], : self.shape[1]]
        offset = np.stack([x - middle[0], y - middle[1]])
        across = np.tensordot(np.linalg.inv(axes), offset, axes=1)
        return np.asarray((across**2).sum(0) <= 1)


def draw_shaded(drawing: Drawing) -> Image:
    """(H, W, 3) a face of clay with eyes, in the light of `LIGHT`; the mouth is open or shut."""
    fine = _enlarge(drawing, SUBPIXELS)
    light = np.array(LIGHT) / np.linalg.norm(LIGHT)
    brightness = fine.interpolate((fine.normals @ light)[:, None])[..., 0].clip(0)
    colours = np.zeros((*fine.shape, 3), np.float32)
    colours[fine.segments < NO_SEGMENT] = CLAY
    for eye, iris, _ in EYES:
        colours[fine.segments == eye] = EYE_WHITE
        colours[fine.segments == iris] = IRIS
    colours[fine.pupils] = PUPIL
    colours[fine.segments == MOUTH] = 0
    colours *= (AMBIENT + DIFFUSE * brightness)[..., None]
    height, width = drawing.shape
    return _to_bytes(cv2.resize(colours, (width, height), interpolation=cv2.INTER_AREA))


def draw_normals(drawing: Drawing) -> Image:
    """(H, W, 3) the direction of the surface: red to the image's right, green up, blue outwards.

    −1…1 becomes 0…255, as normal maps are usual in image generation.
    """
    normals = drawing.interpolate(drawing.normals * (1, -1, -1))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    colours = 127.5 * (normals / np.maximum(length, 1e-6) + 1)
    return _to_bytes(np.where(_is_surface(drawing), colours, 0))


def draw_uv(drawing: Drawing) -> Image:
    """(H, W, 3) the place in the texture of the canonical face: red is u, green is v."""
    colours = 255 * drawing.interpolate(np.pad(drawing.mesh.uv, ((0, 0), (0, 1))))
    return _to_bytes(np.where(_is_surface(drawing), colours, 0))


def draw_canonical(drawing: Drawing) -> Image:
    """(H, W, 3) the place on the canonical face: red is x, green y, blue z, over its whole size.

    A point of the face keeps its colour however the head moves.
    Source: projected normalised coordinate code, Zhu et al., arXiv 1511.07212.
    """
    vertices = drawing.mesh.vertices
    low, high = vertices.min(0), vertices.max(0)
    colours = 255 * drawing.interpolate((vertices - low) / (high - low))
    return _to_bytes(np.where(_is_surface(drawing), colours, 0))


def draw_semantic(drawing: Drawing) -> Image:
    """(H, W, 3) a colour of `SEGMENT_COLOURS` for each part of the face; irises show the gaze."""
    return np.asarray(SEGMENT_COLOURS[drawing.segments], np.uint8)


def draw_lines(drawing: Drawing) -> Image:
    """(H, W, 3) outlines of oval, lips, eyes and brows, and a square on each pupil."""
    image = np.zeros((*drawing.shape, 3), np.uint8)
    width = max(round(drawing.line_px), 1)
    pixels = np.rint(drawing.landmarks[:, :2]).astype(np.int32)
    for points, is_closed, colour in LINES:
        cv2.polylines(image, [pixels[list(points)]], is_closed, colour, width)
    for centre, colour in PUPILS:
        x, y = pixels[centre].tolist()
        cv2.rectangle(image, (x - width, y - width), (x + width - 1, y + width - 1), colour, -1)
    return image


ATTRIBUTES: dict[str, Callable[[Drawing], Image]] = {
    "shaded": draw_shaded,
    "normals": draw_normals,
    "uv": draw_uv,
    "canonical": draw_canonical,
    "semantic": draw_semantic,
    "lines": draw_lines,
}
"""Name -> what draws it."""


def draw_attribute(name: str, landmarks: Floats, mesh: FaceMesh, shape: Shape) -> Image:
    """(H, W, 3) one of `ATTRIBUTES` of a face with landmarks (478, 3) in pixels.

    Raises:
        InputError: no such attribute, or landmarks that no face has.
    """
    check_choice("Attribute", name, ATTRIBUTES)
    landmarks = check_landmarks(landmarks)
    image = np.zeros((*shape, 3), np.uint8)
    left, top, right, bottom = _find_window(landmarks, shape)
    if left < right and top < bottom:
        # Only the pixels around the face are drawn, as most of an image is none.
        near = landmarks - (left, top, 0)
        window = Drawing(mesh, near, (bottom - top, right - left), min(shape) * LINE_SHARE)
        image[top:bottom, left:right] = ATTRIBUTES[name](window)
    return image


def _find_window(landmarks: Floats, shape: Shape) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels that a face may touch."""
    margin = math.ceil(min(shape) * LINE_SHARE) + 2
    low, high = landmarks[:, :2].min(0) - margin, landmarks[:, :2].max(0) + margin
    size = (shape[1], shape[0])
    (left, top), (right, bottom) = (
        np.clip(corner, 0, size).astype(int).tolist() for corner in (np.floor(low), np.ceil(high))
    )
    return left, top, right, bottom


def draw_face_mask(landmarks: Floats, mesh: FaceMesh, shape: Shape) -> Image:
    """(H, W) 255 where a face with landmarks (478, 3) in pixels covers the image, its mouth too.

    Raises:
        InputError: landmarks that no face has.
    """
    return fill_outlines([topology.OVAL], check_landmarks(landmarks), shape)


def _enlarge(drawing: Drawing, times: int) -> Drawing:
    """The same on finer pixels; centres of pixels have whole coordinates."""
    landmarks = drawing.landmarks * times
    landmarks[:, :2] += (times - 1) / 2
    height, width = drawing.shape
    return Drawing(
        drawing.mesh, landmarks, (times * height, times * width), times * drawing.line_px
    )


def _is_surface(drawing: Drawing) -> NDArray[np.bool_]:
    """(H, W, 1) where there is a face, and not the inside of its mouth."""
    return np.asarray((drawing.segments < NO_SEGMENT) & (drawing.segments != MOUTH))[..., None]


def _to_bytes(colours: NDArray[Any]) -> Image:
    return np.asarray(np.rint(colours).clip(0, 255), np.uint8)
