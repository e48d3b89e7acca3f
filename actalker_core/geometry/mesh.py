"""The canonical face of MediaPipe, out of `face_landmarker.task`.

Its 468 vertices are the first 468 of the landmarks. The 468 vertices are mirror symmetric, and the
face oval is the mesh's only border: eyes and mouth are filled with triangles.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..faces.task_file import read_geometry
from .rings import EYES, INNER_LIPS

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

VERTEX_COUNT, TRIANGLE_COUNT = 468, 898
PICTURE_AXES = (1.0, -1.0, -1.0)
"""The file's axes point right, up and towards the viewer; ours right, down and away."""

# Field numbers of the protobuf messages, by their names.
CANONICAL_MESH, ALIGNMENT = 1, 2
VERTEX_BUFFER, INDEX_BUFFER = 3, 4
LANDMARK_ID, WEIGHT = 1, 2
VARINT, SIXTYFOUR_BIT, LENGTH, THIRTYTWO_BIT = 0, 1, 2, 5
"""Wire types: how a field's value is written."""
FIXED_FORMATS = {SIXTYFOUR_BIT: "<d", THIRTYTWO_BIT: "<f"}


@dataclass(frozen=True)
class FaceMesh:
    """A face of nobody in particular, which looks at the viewer.

    Attributes:
        vertices: (468, 3) in cm, x to the image's right, y down, z away from the viewer.
        uv: (468, 2) in 0…1, from the left and from the top of a texture.
        triangles: (898, 3) vertices.
        alignment_idx: (33,) vertices that hardly move with the muscles, to fit the pose by.
        alignment_weights: (33,) how much each of them counts.
    """

    vertices: Array
    uv: Array
    triangles: Indices
    alignment_idx: Indices
    alignment_weights: Array

    @cached_property
    def skin_triangles(self) -> Indices:
        """(852, 3) those that neither fill the mouth nor an eye."""
        openings = np.any([self._fills(ring) for ring in (INNER_LIPS, *EYES)], axis=0)
        return np.asarray(self.triangles[~openings])

    @cached_property
    def outer_triangles(self) -> Indices:
        """(880, 3) those that do not fill the mouth: lips that touch must not drag each other."""
        return np.asarray(self.triangles[~self._fills(INNER_LIPS)])

    @cached_property
    def mirror(self) -> Indices:
        """(468,) for each vertex the one on the other side of the face."""
        reflection = self.vertices * (-1, 1, 1)
        distances = np.linalg.norm(reflection[:, None] - self.vertices, axis=2)
        return np.asarray(distances.argmin(1))

    def _fills(self, ring: tuple[int, ...]) -> NDArray[np.bool_]:
        """(898,) which triangles have all corners on a ring."""
        return np.asarray(np.isin(self.triangles, ring).all(1))


def load_mesh(task_path: Path) -> FaceMesh:
    """The canonical face of MediaPipe's `face_landmarker.task`, (468, 3) vertices.

    Raises:
        CheckpointError: the file is missing, damaged or another one.
    """
    # Its SHA-256 has been compared by now, so that what follows meets these very bytes.
    fields = list(_read_fields(read_geometry(task_path)))
    (message,) = (value for number, value in fields if number == CANONICAL_MESH)
    mesh = list(_read_fields(message))
    vertices = np.array([v for number, v in mesh if number == VERTEX_BUFFER]).reshape(-1, 5)
    triangles = np.array([v for number, v in mesh if number == INDEX_BUFFER], np.int64)
    alignment = [dict(_read_fields(value)) for number, value in fields if number == ALIGNMENT]
    return FaceMesh(
        vertices=vertices[:, :3] * PICTURE_AXES,
        uv=vertices[:, 3:],
        triangles=triangles.reshape(-1, 3),
        alignment_idx=np.array([point[LANDMARK_ID] for point in alignment], np.int64),
        alignment_weights=np.array([point[WEIGHT] for point in alignment], np.float64),
    )


def _read_fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: their number, and a number or bytes.

    Source: https://protobuf.dev/programming-guides/encoding/
    """
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, place = _read_varint(message, place)
            yield number, value
        elif wire_type == LENGTH:
            length, place = _read_varint(message, place)
            yield number, message[place : place + length]
            place += length
        else:
            form = FIXED_FORMATS[wire_type]
            yield number, struct.unpack_from(form, message, place)[0]
            place += struct.calcsize(form)


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    """A number in seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
