"""Pairs of drawn frames of one person: a source, and a target that geometry makes of it.

The target is the truth. What the network reads is made as it will be made for an artist: the
geometry moves the source by the numbers of the target. Both are known from the state, so that the
landmarker, which measures drawn faces badly, has no part in it.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...faces.topology import COUNT
from ...geometry.landmarks import move_landmarks
from ...geometry.mesh import FaceMesh
from ...geometry.numbers import FrameNumbers
from ...geometry.photograph import Photograph, RenderedFrame
from ...geometry.pose import measure_rotation
from ...geometry.retarget import measure_motion
from ...geometry.rig import Rig
from ...synthetic.identities import FaceState, Identity, make_identity
from ...synthetic.landmarks import DrawnLandmarks, name_blendshapes
from ...synthetic.motion import random_portrait_state, random_state
from ...synthetic.rendering import Rendering, render_face

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

PORTRAIT_PROBABILITY = 0.7
"""Of sources that look ahead at rest, as most portraits do."""
JITTER_PX = 0.4
"""How far landmarks miss on average, as a landmarker's do."""
LIGHT_PROBABILITY, MAX_GAIN, MAX_LIFT = 0.5, 0.15, 12.0
"""Of sources in another light than the target: factors and shifts of each colour."""


@dataclass(frozen=True)
class Pair:
    """What is read and what shall come of it.

    Attributes:
        source: (h, w, 3) the portrait.
        frame: it, moved by the numbers.
        landmarks: (478, 3) of the face in that frame.
        numbers: that moved it.
        turn_degrees: (3,) of the head in the source.
        target: the truth, with its outlines.
    """

    source: Image
    frame: RenderedFrame
    landmarks: Array
    numbers: FrameNumbers
    turn_degrees: Array
    target: Rendering


class PairMaker:
    """Draws pairs.

    Args:
        mesh: the canonical face.
    """

    def __init__(self, mesh: FaceMesh) -> None:
        self.mesh, self.rig = mesh, Rig(mesh)
        self.landmarks = DrawnLandmarks(mesh)

    def make(self, rng: np.random.Generator, identity_seed: int) -> Pair:
        """Two frames (h, w, 3) of a person in random states, with what goes wrong in practice."""
        identity = make_identity(identity_seed)
        is_portrait = rng.random() < PORTRAIT_PROBABILITY
        source = random_portrait_state(rng) if is_portrait else random_state(rng)
        return self.move(identity, source, random_state(rng), rng)

    def move(
        self,
        identity: Identity,
        source: FaceState,
        target: FaceState,
        rng: np.random.Generator | None = None,
    ) -> Pair:
        """The pair of frames (h, w, 3) of two states of a person.

        Args:
            rng: draws what goes wrong; without it nothing does.
        """
        states = (source, target)
        drawings = [render_face(identity, state) for state in states]
        points = np.stack([self.landmarks.place(identity, state) for state in states])
        image = drawings[0].image
        if rng is not None:
            points = points + jitter_points(rng)
            image = change_light(image, rng)
        blendshapes = np.stack([name_blendshapes(state) for state in states])
        motion = measure_motion(points, blendshapes, self.mesh, self.rig, neutral=0)
        photograph = Photograph(image, points[0], self.mesh, self.rig, blendshapes[0])
        numbers = motion.frame(1)
        return Pair(
            image,
            photograph.render(numbers),
            move_landmarks(photograph, points[0], numbers),
            # The network learns what the face does, not what changes from one source.
            replace(numbers, blendshapes=np.clip(numbers.blendshapes + blendshapes[0], -1, 1)),
            measure_rotation(photograph.pose.rotation),
            drawings[1],
        )


def jitter_points(rng: np.random.Generator) -> Array:
    """(2, 478, 3) errors of landmarks: neighbours err alike, and each a little by itself."""
    shared_error = rng.normal(0, JITTER_PX, (2, 1, 3))
    single_errors = rng.normal(0, JITTER_PX / 4, (2, COUNT, 3))
    return np.asarray(shared_error + single_errors)


def change_light(image: Image, rng: np.random.Generator) -> Image:
    """(h, w, 3) the same in another light, or as it is."""
    if rng.random() >= LIGHT_PROBABILITY:
        return image
    gain, lift = rng.uniform(-MAX_GAIN, MAX_GAIN, 3), rng.uniform(-MAX_LIFT, MAX_LIFT, 3)
    return np.asarray((image * (1 + gain) + lift).round().clip(0, 255), np.uint8)


def fill_outline(rendering: Rendering, part: str) -> NDArray[np.bool_]:
    """(h, w) the pixels of a part of a drawn face; see `Rendering.landmarks`."""
    mask = np.zeros(rendering.image.shape[:2], np.uint8)
    corners = np.rint((rendering.landmarks[part] - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=4)
    return mask > 0
