"""Pairs of drawn frames: a source, and a target that geometry makes of it.

Where they are two people, the geometry lays the source's skin over the target. Landmarks and
blendshapes are known from the states, so that the landmarker, which measures drawn faces badly, has
no part in it.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.mesh import FaceMesh
from ...geometry.photograph import RenderedFrame
from ...geometry.planes import PixelBox
from ...geometry.retarget import measure_motion
from ...geometry.rig import Rig
from ...geometry.swap import start_swap
from ...models.tgdm.augmentation import blur_image, change_light, jitter_points
from ...models.tgdm.pairs import Pair, Shot, make_pair
from ...models.tgdm.view import View
from ...synthetic.identities import FaceState, Identity, make_identity, swap_texture
from ...synthetic.landmarks import DrawnLandmarks, name_blendshapes
from ...synthetic.motion import random_portrait_state, random_state
from ...synthetic.rendering import Rendering, render_face

PORTRAIT_PROBABILITY = 0.7
"""Of sources that look ahead at rest, as most portraits do."""
SWAP_PROBABILITY = 0.2
"""Of pairs of two people."""


@dataclass(frozen=True)
class DrawnPair(Pair):
    """A pair of drawn frames.

    Attributes:
        drawing: the truth with its outlines.
    """

    drawing: Rendering


class PairMaker:
    """Draws pairs.

    Args:
        mesh: the canonical face.
    """

    def __init__(self, mesh: FaceMesh) -> None:
        self.mesh, self.rig = mesh, Rig(mesh)
        self.landmarks = DrawnLandmarks(mesh)

    def make(
        self, rng: np.random.Generator, identity_seed: int, *, clean: bool = False
    ) -> DrawnPair:
        """Two frames (h, w, 3) of a person in random states.

        Args:
            clean: without what goes wrong in practice.
        """
        identity = make_identity(identity_seed)
        is_portrait = rng.random() < PORTRAIT_PROBABILITY
        source = random_portrait_state(rng) if is_portrait else random_state(rng)
        return self.move(identity, source, random_state(rng), None if clean else rng)

    def make_swap(
        self, rng: np.random.Generator, seeds: tuple[int, int], *, clean: bool = False
    ) -> DrawnPair:
        """Frames (h, w, 3) of two people, source and target, in random states; else as `make`."""
        source, target = (make_identity(seed) for seed in seeds)
        states = random_portrait_state(rng), random_state(rng)
        return self.swap(source, states[0], target, states[1], None if clean else rng)

    def swap(
        self,
        source: Identity,
        source_state: FaceState,
        target: Identity,
        target_state: FaceState,
        rng: np.random.Generator | None = None,
    ) -> DrawnPair:
        """The source's face on the target's frame (h, w, 3).

        The target wears no glasses: what lies before a face is known from a clip, not from here.

        Args:
            rng: draws what goes wrong; without it nothing does.
        """
        target = replace(target, glasses=0)
        image = render_face(source, source_state).image
        frame = render_face(target, target_state).image
        rest = FaceState()
        points = np.stack(
            [
                self.landmarks.place(source, source_state),
                self.landmarks.place(target, target_state),
            ]
        )
        if rng is not None:
            points = points + jitter_points(rng)
            image = blur_image(change_light(image, rng), rng)
        start = start_swap(image, points[0], frame, points[1], self.mesh)
        motion = measure_motion(
            np.stack([self.landmarks.place(target, rest), points[1]]),
            np.stack([name_blendshapes(rest), name_blendshapes(target_state)]),
            self.mesh,
            self.rig,
            neutral=0,
        )
        drawing = render_face(swap_texture(source, target), target_state)
        return DrawnPair(
            image,
            RenderedFrame(start.image, start.invented_mask),
            points[1],
            motion.frame(1),
            np.zeros(3),
            drawing.image,
            drawing,
        )

    def move(
        self,
        identity: Identity,
        source: FaceState,
        target: FaceState,
        rng: np.random.Generator | None = None,
    ) -> DrawnPair:
        """The pair of frames (h, w, 3) of two states of a person.

        Args:
            rng: draws what goes wrong; without it nothing does.
        """
        drawings = [render_face(identity, state) for state in (source, target)]
        shots = [
            Shot(drawing.image, self.landmarks.place(identity, state), name_blendshapes(state))
            for drawing, state in zip(drawings, (source, target), strict=True)
        ]
        height, width = drawings[0].image.shape[:2]
        view = View(PixelBox(0, 0, width, height), height, (height, width))
        pair = make_pair(shots[0], shots[1], self.mesh, self.rig, view, rng)
        return DrawnPair(**vars(pair), drawing=drawings[1])


def fill_outline(rendering: Rendering, part: str) -> NDArray[np.bool_]:
    """(h, w) the pixels of a part of a drawn face; see `Rendering.landmarks`."""
    mask = np.zeros(rendering.image.shape[:2], np.uint8)
    corners = np.rint((rendering.landmarks[part] - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=4)
    return mask > 0
