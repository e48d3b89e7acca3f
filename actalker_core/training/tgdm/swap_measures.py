"""What a face swap of two drawn people reaches: there the truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.swap import start_swap
from ...models.tgdm.network import TGDM
from ...models.tgdm.swap import Swap, SwapTarget, swap_frames
from ...synthetic.identities import FaceState, Identity, make_identity, swap_texture
from ...synthetic.landmarks import name_blendshapes
from ...synthetic.motion import random_motion, random_portrait_state
from ...synthetic.rendering import Rendering, render_face
from ..evaluation import correlation, state_track
from ..inverse_rendering import fit_states
from ..likeness import psnr_db, ssim
from .measures import FIRST_PERSON, FPS, READ_BACK, WAYS, average
from .pairs import PairMaker, fill_outline

Image = NDArray[np.uint8]
Scores = dict[str, float]


@dataclass(frozen=True)
class DrawnSwap:
    """A picture of one person, a clip of another, and the clip with the one's face.

    Attributes:
        source: (h, w, 3) the picture.
        source_points: (478, 3) landmarks in it.
        target: the clip's face.
        frames: (h, w, 3) of the clip.
        truth: the frames with the source's face.
        identity: of the truth.
        states: of the frames.
    """

    source: Image
    source_points: NDArray[np.float64]
    target: SwapTarget
    frames: Sequence[Image]
    truth: Sequence[Rendering]
    identity: Identity
    states: Sequence[FaceState]


def draw_swap(maker: PairMaker, number: int, frames: int) -> DrawnSwap:
    """Two people that are never trained on; the target wears no glasses, as in training."""
    rng = np.random.default_rng([FIRST_PERSON, number, 2])
    source = make_identity(FIRST_PERSON + 2 * number)
    target = replace(make_identity(FIRST_PERSON + 2 * number + 1), glasses=0)
    rest = random_portrait_state(rng)
    states = random_motion(rng, frames, FPS)
    identity = swap_texture(source, target)
    return DrawnSwap(
        render_face(source, rest).image,
        maker.landmarks.place(source, rest),
        SwapTarget(
            np.stack([maker.landmarks.place(target, state) for state in states]),
            np.stack([name_blendshapes(state) for state in states]),
            np.ones(frames, bool),
        ),
        [render_face(target, state).image for state in states],
        [render_face(identity, state) for state in states],
        identity,
        states,
    )


def measure_swap(example: DrawnSwap, images: Sequence[Image]) -> Scores:
    """Whose face frames (h, w, 3) show and what it does, against the truth.

    `identity` is how far the face has gone from the target's (0) to the source's (1): the share
    of their difference, pixel by pixel, that is in it.
    """
    truth = [drawing.image for drawing in example.truth]
    masks = np.stack([fill_outline(drawing, "face") for drawing in example.truth])
    difference, change = (
        (np.stack(pictures).astype(float) - np.stack(example.frames))[masks]
        for pictures in (truth, images)
    )
    fitted_states = fit_states(example.identity, example.states[0], images)
    is_changed = np.any(np.stack(images) != np.stack(example.frames), -1)
    return {
        "identity": float((difference * change).sum() / (difference**2).sum()),
        "PSNR, face": psnr_db(images, truth, masks),
        "SSIM, face": ssim(images, truth, masks),
        **{
            f"read back, {name}": correlation(
                state_track(fitted_states, name), state_track(example.states, name)
            )
            for name in READ_BACK
        },
        "changed of the picture": float(is_changed.mean()),
        "of it beyond the face": float((is_changed & ~masks).mean()),
    }


def measure_swaps(network: TGDM, maker: PairMaker, pairs: int, frames: int) -> dict[str, Scores]:
    """Mean scores over pairs of people: the target as it is, geometry's swap, and every way."""
    columns: dict[str, list[Scores]] = {}
    for number in range(pairs):
        example = draw_swap(maker, number, frames)
        ways = {"target": list(example.frames), "geometry": start_swaps(example, maker)}
        for name, sampling in WAYS.items():
            swap = Swap(network, maker.mesh, example.source, example.source_points, sampling)
            ways[name] = list(swap_frames(swap, example.target, example.frames))
        for name, images in ways.items():
            columns.setdefault(name, []).append(measure_swap(example, images))
    return {name: average(rows) for name, rows in columns.items()}


def start_swaps(example: DrawnSwap, maker: PairMaker) -> list[Image]:
    """The frames (h, w, 3) that the network starts from."""
    return [
        start_swap(example.source, example.source_points, frame, points, maker.mesh).image
        for frame, points in zip(example.frames, example.target.landmarks, strict=True)
    ]
