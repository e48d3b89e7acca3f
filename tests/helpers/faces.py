"""Faces that no image shows, and a finder that knows where they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from actalker_core.faces import Box, Face, SearchDepth, topology
from actalker_core.faces.box import box_iou

HEIGHT, WIDTH = 60, 80
Faces = Mapping[int, Sequence[Face]]


def face_at(x: float, y: float = 20.0, side: float = 20.0, with_landmarks: bool = True) -> Face:
    """A face with a corner there, and landmarks along its diagonal if it has them."""
    along = np.linspace(0, side, topology.COUNT, dtype=np.float32)
    landmarks = np.stack([x + along, y + along, -along], axis=1)
    return Face((x, y, x + side, y + side), 0.9, landmarks if with_landmarks else None)


class Script:
    """A finder that knows beforehand which frame shows what; frames are known by their grey."""

    def __init__(self, faces: Faces, small_faces: Faces | None = None) -> None:
        """`small_faces` are seen in no glance at the whole, but near their place."""
        self.faces, self.small_faces = faces, small_faces or {}

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        i = int(image[0, 0, 0])
        large, small = self.faces.get(i, []), self.small_faces.get(i, [])
        is_sought = depth == "all" or (depth == "largest" and not large)
        return [*large, *(small if is_sought else [])]

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        near = [face for face in self.find(image) if box_iou(face.box, box) > 0]
        return max(near, key=lambda face: box_iou(face.box, box), default=None)


def greys(count: int) -> list[Tensor]:
    return [torch.full((3, HEIGHT, WIDTH), i, dtype=torch.uint8) for i in range(count)]
