"""Pairs of drawn frames: a source, and a target that geometry makes of it.

The target is the truth. What the network reads is made as it will be made for an artist: the
geometry moves the source by the numbers of the target, or lays the source's skin over the target
where they are two people. All of it is known from the states, so that the landmarker, which
measures drawn faces badly, has no part in it.
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
from ...geometry.swap import start_swap
from ...synthetic.identities import FaceState, Identity, make_identity, swap_texture
from ...synthetic.landmarks import DrawnLandmarks, name_blendshapes
from ...synthetic.motion import random_portrait_state, random_state
from ...synthetic.rendering import Rendering, render_face

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

PORTRAIT_PROBABILITY = 0.7
"""Of sources that look ahead at rest, as most portraits do."""
SWAP_PROBABILITY = 0.2
"""Of pairs of two people."""
JITTER_PX = 0.4
"""How far landmarks miss on average, as a landmarker's do."""
LIGHT_PROBABILITY, MAX_GAIN, MAX_LIFT = 0.5, 0.15, 12.0
"""Of sources in another light than the target: factors and shifts of each colour."""
BLUR_PROBABILITY, MAX_BLUR_PX = 0.2, 0.8
"""Of sources out of focus: standard deviation of the blur."""
OCCLUDER_PROBABILITY, MAX_OCCLUDERS, MAX_OCCLUDER_SHARE = 0.3, 3, 0.25
"""Of moved photographs in which something covers the face: how many, and their diameter as a share
of the image. The network has to fetch what they hide from the source."""
TOLD_PROBABILITY = 0.5
"""Of occluders that the mask of invented pixels tells of."""


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

    def make(self, rng: np.random.Generator, identity_seed: int, *, clean: bool = False) -> Pair:
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
    ) -> Pair:
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
    ) -> Pair:
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
        return Pair(
            image,
            RenderedFrame(start.image, start.invented_mask),
            points[1],
            motion.frame(1),
            np.zeros(3),
            render_face(swap_texture(source, target), target_state),
        )

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
            image = blur_image(change_light(image, rng), rng)
        blendshapes = np.stack([name_blendshapes(state) for state in states])
        motion = measure_motion(points, blendshapes, self.mesh, self.rig, neutral=0)
        photograph = Photograph(image, points[0], self.mesh, self.rig, blendshapes[0])
        numbers = motion.frame(1)
        frame = photograph.render(numbers)
        return Pair(
            image,
            frame if rng is None else cover_parts(frame, rng),
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


def blur_image(image: Image, rng: np.random.Generator) -> Image:
    """(h, w, 3) the same out of focus, or as it is."""
    if rng.random() >= BLUR_PROBABILITY:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, MAX_BLUR_PX)), np.uint8)


def cover_parts(frame: RenderedFrame, rng: np.random.Generator) -> RenderedFrame:
    """The frame (h, w, 3) with ellipses of one colour before the face, or as it is."""
    if rng.random() >= OCCLUDER_PROBABILITY:
        return frame
    side = frame.image.shape[0]
    occluder = np.zeros((side, side), np.uint8)
    image, invented_mask = frame.image.copy(), frame.invented_mask.copy()
    for _ in range(rng.integers(1, MAX_OCCLUDERS + 1)):
        place = rng.uniform(0.2, 0.8, 2) * side
        axes = rng.uniform(0.05, MAX_OCCLUDER_SHARE, 2) * side
        ellipse = (place.tolist(), axes.tolist(), rng.uniform(0, 180))
        occluder[:] = 0
        cv2.ellipse(occluder, ellipse, (1,), thickness=-1)
        image[occluder > 0] = rng.integers(256, size=3)
        if rng.random() < TOLD_PROBABILITY:
            invented_mask[occluder > 0] = 255
    return RenderedFrame(image, invented_mask)


def fill_outline(rendering: Rendering, part: str) -> NDArray[np.bool_]:
    """(h, w) the pixels of a part of a drawn face; see `Rendering.landmarks`."""
    mask = np.zeros(rendering.image.shape[:2], np.uint8)
    corners = np.rint((rendering.landmarks[part] - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=4)
    return mask > 0
