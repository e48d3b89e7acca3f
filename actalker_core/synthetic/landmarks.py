"""Where MediaPipe's landmarks are on a drawn face, and its blendshapes: known, not measured.

The landmarker knows people. It finds drawn faces, but follows their eyes and brows by a third of
the way. Here the outlines that are drawn are laid under the vertices that mean the same, and the
rest of the mesh follows them as smoothly as it can.
"""

import numpy as np

from ..faces.blendshapes import NAMES
from ..faces.topology import COUNT, LEFT_IRIS, RIGHT_IRIS
from ..geometry import rings
from ..geometry.basis import make_basis
from ..geometry.landmarks import IRIS_POINTS
from ..geometry.mesh import VERTEX_COUNT, FaceMesh
from .identities import FaceState, Identity, make_identity
from .rendering import (
    BROW_PX,
    EYE_Y,
    FACE_PX,
    NOSE_Y,
    SIDE_SIGNS,
    Array,
    Head,
    brow_line,
    eye_opening,
    eye_outline,
    face_outline,
    iris_centre,
    iris_radius,
    lip_outlines,
)

EYES = dict(zip(SIDE_SIGNS, (rings.RIGHT_EYE, rings.LEFT_EYE), strict=True))
BROWS = dict(zip(SIDE_SIGNS, (rings.RIGHT_BROW, rings.LEFT_BROW), strict=True))
IRISES = dict(zip(SIDE_SIGNS, (RIGHT_IRIS, LEFT_IRIS), strict=True))
PROFILE = {168: (-0.3, 0.92), 6: (-0.12, 0.98), 4: (NOSE_Y - 0.04, 1.18), 1: (NOSE_Y, 1.17)}
"""Vertices of the ridge of the nose -> y and z."""
NOSTRILS, WINGS = 2, {129: -1, 358: 1}
UPPER = [*range(24, 48), 0]
LOWER = [*range(24, -1, -1)]
"""Points of `lip_outlines`, from the image's left to its right."""
IRIS_TURNS = np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)])
"""Centre, and the rim to the right, up, left and down."""


class DrawnLandmarks:
    """Places landmarks on drawn faces.

    Args:
        mesh: the canonical face.
    """

    def __init__(self, mesh: FaceMesh) -> None:
        self._mesh = mesh
        oval = mesh.vertices[list(rings.OVAL), :2]
        low, high = oval.min(0), oval.max(0)
        around = (oval - (low + high) / 2) / ((high - low) / 2)
        self._oval_angles = np.arctan2(around[:, 1], around[:, 0])
        self._handles = list(self._place_handles(make_identity(0), FaceState()))
        self._basis = make_basis(mesh, self._handles)

    def place(self, identity: Identity, state: FaceState) -> Array:
        """(478, 3) in pixels of the image that `rendering.render_face` draws."""
        head = Head(identity, state)
        handles = self._place_handles(identity, state)
        targets = np.stack([handles[vertex] for vertex in self._handles])
        # The mesh is carried over by what its handles say in common before the rest of what they
        # say is spread, as only that bends it.
        model = np.column_stack([self._mesh.vertices, np.ones(VERTEX_COUNT)])
        common, *_ = np.linalg.lstsq(model[self._handles], targets, rcond=None)
        vertices = model @ common + self._basis @ (targets - model[self._handles] @ common)
        irises = np.zeros((COUNT - VERTEX_COUNT, 3))
        for side, first in IRISES.items():
            disc = iris_centre(identity, state, side) + iris_radius(identity) * IRIS_TURNS
            start = first - VERTEX_COUNT
            irises[start : start + IRIS_POINTS] = head.raise_points(disc)
        # Landmarks count depth away from the viewer.
        return np.asarray(head.place_points(np.concatenate([vertices, irises])) * (1, 1, -1))

    def _place_handles(self, identity: Identity, state: FaceState) -> dict[int, Array]:
        """Vertex -> (3,) in the face's coordinates."""
        head = Head(identity, state)
        flat: dict[int, Array] = {}
        outline = face_outline(identity)
        for vertex, angle in zip(rings.OVAL, self._oval_angles, strict=True):
            flat[vertex] = _walk_around(outline, angle)
        for side in SIDE_SIGNS:
            flat |= self._place_eye(identity, state, side)
            flat |= _place_brow(identity, state, side)
        flat |= self._place_lips(identity, state)
        size = identity.nose
        points = head.raise_points(np.stack(list(flat.values())))
        handles = dict(zip(flat, points, strict=True))
        handles |= {vertex: np.array([0.0, y, z]) for vertex, (y, z) in PROFILE.items()}
        handles[NOSTRILS] = np.array([0.0, NOSE_Y + 0.09 * size, 1.04])
        for vertex, sign in WINGS.items():
            handles[vertex] = np.array([0.15 * sign * size, NOSE_Y + 0.02, 0.98])
        return handles

    def _shares(self, vertices: list[int]) -> Array:
        """How far from the first to the last each vertex (n,) lies across the mesh, 0…1."""
        x = self._mesh.vertices[vertices, 0]
        return np.asarray(np.clip((x - x[0]) / (x[-1] - x[0]), 0, 1))

    def _place_eye(self, identity: Identity, state: FaceState, side: str) -> dict[int, Array]:
        _, width, height = eye_opening(identity, state, side)
        outline = eye_outline(SIDE_SIGNS[side] * identity.eye_gap, EYE_Y, width, height)
        upper, lower = outline[:16], outline[:15:-1]
        ring = EYES[side]
        result: dict[int, Array] = {}
        for row, lid in (([*ring[:9]], lower), ([ring[0], *ring[:7:-1]], upper)):
            vertices = row if side == "right" else row[::-1]  # from the image's left
            result |= _lay_along(vertices, lid, self._shares(vertices))
        return result

    def _place_lips(self, identity: Identity, state: FaceState) -> dict[int, Array]:
        outer, inner = lip_outlines(identity, state)
        result: dict[int, Array] = {}
        for rows, half in ((rings.UPPER_LIP_ROWS, UPPER), (rings.LOWER_LIP_ROWS, LOWER)):
            for depth, row in zip((0, 1 / 3, 2 / 3, 1), rows, strict=True):
                edge = (outer + depth * (inner - outer))[half]
                result |= _lay_along(list(row), edge, self._shares(list(row)))
        return result


def _place_brow(identity: Identity, state: FaceState, side: str) -> dict[int, Array]:
    line = brow_line(identity, state, side)
    thickness = BROW_PX * identity.brow / FACE_PX
    result: dict[int, Array] = {}
    for row, shift in ((BROWS[side][:5], thickness / 2), (BROWS[side][5:], -thickness / 2)):
        vertices = list(row if side == "right" else row[::-1])
        result |= _lay_along(
            vertices, line + np.array([0, shift]), np.linspace(0, 1, len(vertices))
        )
    return result


def _lay_along(vertices: list[int], line: Array, shares: Array) -> dict[int, Array]:
    """Vertices (n,) at shares (n,) of the width of a line (m, 2) from the image's left."""
    x = line[0, 0] + shares * (line[-1, 0] - line[0, 0])
    points = np.column_stack([x, np.interp(x, line[:, 0], line[:, 1])])
    return dict(zip(vertices, points, strict=True))


def _walk_around(outline: Array, angle: float) -> Array:
    """The point (2,) of a closed outline (n, 2) at an angle from the image's right."""
    place = angle / (2 * np.pi) * len(outline)
    first = int(np.floor(place))
    start, end = outline[first % len(outline)], outline[(first + 1) % len(outline)]
    return np.asarray(start + (place - first) * (end - start))


def name_blendshapes(state: FaceState) -> Array:
    """(52,) ARKit blendshapes that say what a state of a drawn face says, in 0…1."""
    closed = {side: 1 - np.clip(getattr(state, f"eye_{side}") / 0.8, 0, 1) for side in SIDE_SIGNS}
    numbers = {
        "jawOpen": 0.7 * state.open,
        "mouthPucker": state.round,
        **{f"eyeBlink{side.title()}": value for side, value in closed.items()},
        **_name_sides("mouthSmile", state.smile),
        **_name_sides("mouthFrown", -state.smile),
        **_name_sides("mouthStretch", state.wide),
        **_name_sides("browDown", -state.brows),
        **_name_sides("browOuterUp", state.brows),
        "browInnerUp": state.brows,
        "eyeLookOutLeft": state.gaze_x,
        "eyeLookInLeft": -state.gaze_x,
        "eyeLookInRight": state.gaze_x,
        "eyeLookOutRight": -state.gaze_x,
        **_name_sides("eyeLookUp", state.gaze_y),
        **_name_sides("eyeLookDown", -state.gaze_y),
    }
    return np.array([max(numbers.get(name, 0.0), 0.0) for name in NAMES])


def _name_sides(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}
