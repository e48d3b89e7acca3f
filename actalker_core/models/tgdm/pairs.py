"""Pairs of frames of one person: a source, and a target that geometry makes of it.

The target is the truth. What the network reads is made as it is made for an artist: the geometry
moves the source by the numbers of the target.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.landmarks import move_landmarks
from ...geometry.mesh import FaceMesh
from ...geometry.numbers import FrameNumbers
from ...geometry.photograph import Photograph, RenderedFrame
from ...geometry.pose import measure_rotation
from ...geometry.retarget import measure_motion
from ...geometry.rig import Rig
from .augmentation import blur_image, change_light, cover_parts, jitter_points
from .view import View

Image = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """What is read and what shall come of it.

    Attributes:
        source: (h, w, 3) the portrait.
        frame: it, moved by the numbers.
        landmarks: (478, 3) of the face in that frame.
        numbers: that moved it.
        turn_degrees: (3,) of the head in the source.
        target: (h, w, 3) the truth.
    """

    source: Image
    frame: RenderedFrame
    landmarks: Array
    numbers: FrameNumbers
    turn_degrees: Array
    target: Image


@dataclass(frozen=True)
class Shot:
    """A frame of a person.

    Attributes:
        image: (H, W, 3)
        landmarks: (478, 3) of the face in it, in pixels.
        blendshapes: (52,) of that face.
    """

    image: Image
    landmarks: NDArray[np.floating]
    blendshapes: NDArray[np.floating]


def make_pair(
    source: Shot,
    target: Shot,
    mesh: FaceMesh,
    rig: Rig,
    view: View,
    rng: np.random.Generator | None = None,
) -> Pair:
    """The pair of two frames (H, W, 3) of a person.

    Args:
        view: what the network sees of both.
        rng: draws what goes wrong; without it nothing does.
    """
    image, points = source.image, np.stack([source.landmarks, target.landmarks])
    if rng is not None:
        unit_px = 1 / view.scale
        points = points + jitter_points(rng, unit_px)
        image = blur_image(change_light(image, rng), rng, unit_px)
    blendshapes = np.stack([source.blendshapes, target.blendshapes])
    numbers = measure_motion(points, blendshapes, mesh, rig, neutral=0).frame(1)
    photograph = Photograph(image, points[0], mesh, rig, blendshapes[0])
    frame = photograph.render(numbers)
    square = RenderedFrame(view.cut(frame.image), view.cut(frame.invented_mask))
    return Pair(
        view.cut(image),
        square if rng is None else cover_parts(square, rng),
        view.place(move_landmarks(photograph, points[0], numbers)),
        # The network learns what the face does, not what changes from one source.
        replace(numbers, blendshapes=np.clip(numbers.blendshapes + blendshapes[0], -1, 1)),
        measure_rotation(photograph.pose.rotation),
        view.cut(target.image),
    )
