"""What TGDM reaches on drawn people, motions and sources that it was never trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models.tgdm.network import TGDM
from ...models.tgdm.objective import geometry_of, stack_pairs
from ...models.tgdm.pipeline import draw_noise, to_pixels
from ...models.tgdm.sampling import Sampling, finish_images
from ...synthetic.identities import FaceState, make_identity
from ...synthetic.motion import random_motion, random_portrait_state
from ..evaluation import correlation, state_track
from ..inverse_rendering import fit_states
from ..likeness import detail, flicker, psnr_db, ssim
from .objective import HELD_OUT
from .pairs import DrawnPair, PairMaker, fill_outline

Image = NDArray[np.uint8]
Scores = dict[str, float]

FIRST_PERSON = HELD_OUT + 1_000
"""People of the measures are not those of the validation."""
FPS = 25.0
MIN_OPEN_PX = 24
"""Frames whose mouth shows fewer pixels of its inside do not count for it."""
LIPS_PX = 2
"""What is inside of the mouth begins so far within its outline."""
READ_BACK = ("eyes", "open", "yaw")
WAYS = {"regression": Sampling(), "diffusion": Sampling(4)}
BATCH = 8
DIGITS = {"steps": 0, "PSNR": 1, "SSIM": 3}
"""Behind the point, by the first word of a measure; others have two."""


@dataclass(frozen=True)
class DrawnVideo:
    """A person in motion: what is read, and the truth.

    Attributes:
        pairs: of one source and each frame.
        rest: state of the source.
        states: of the frames.
        person: seed of the identity.
    """

    pairs: Sequence[DrawnPair]
    rest: FaceState
    states: Sequence[FaceState]
    person: int

    @property
    def targets(self) -> list[Image]:
        """The true frames (h, w, 3)."""
        return [pair.target for pair in self.pairs]


def draw_video(maker: PairMaker, person: int, frames: int) -> DrawnVideo:
    """A video of a person that is never trained on, from one portrait of it."""
    rng = np.random.default_rng([FIRST_PERSON, person])
    identity = make_identity(FIRST_PERSON + person)
    rest = random_portrait_state(rng)
    states = random_motion(rng, frames, FPS)
    pairs = [maker.move(identity, rest, state) for state in states]
    return DrawnVideo(pairs, rest, states, FIRST_PERSON + person)


def finish_video(
    network: TGDM, video: DrawnVideo, sampling: Sampling, seed: int = 0
) -> list[Image]:
    """The frames (h, w, 3) of a video as the network finishes them."""
    batch = stack_pairs(video.pairs)
    geometry = geometry_of(batch)
    weight = next(network.parameters())
    noise = draw_noise(seed, network.config.side_px).to(weight)
    images: list[Image] = []
    with torch.inference_mode():
        textures = network.texture_encoder(batch["source"][:1].to(weight))
        for start in range(0, len(video.pairs), BATCH):
            part = geometry.select(slice(start, start + BATCH)).to(weight)
            images += _round(finish_images(network, part, textures, sampling, noise))
    return images


def measure_video(video: DrawnVideo, images: Sequence[Image]) -> Scores:
    """Likeness, detail, steadiness and read-back of frames (h, w, 3) against the truth."""
    scores = measure_likeness(video, images)
    identity = make_identity(video.person)
    fitted_states = fit_states(identity, video.rest, images)
    for name in READ_BACK:
        truth = state_track(video.states, name)
        scores[f"read back, {name}"] = correlation(state_track(fitted_states, name), truth)
    return scores


def measure_likeness(video: DrawnVideo, images: Sequence[Image]) -> Scores:
    """Likeness, detail and steadiness of frames (h, w, 3) against the truth."""
    targets = video.targets
    scores: Scores = {}
    for name, masks in list_regions(video).items():
        if not masks.any():
            continue
        scores[f"PSNR, {name}"] = psnr_db(images, targets, masks)
        if name != "inside the mouth":  # smaller than a window of SSIM
            scores[f"SSIM, {name}"] = ssim(images, targets, masks)
        scores[f"detail, {name}"] = detail(images, masks) / detail(targets, masks)
    scores["flicker"] = flicker(images) / flicker(targets)
    return scores


def list_regions(video: DrawnVideo) -> dict[str, NDArray[np.bool_]]:
    """Masks (f, h, w) by the name of the region."""
    drawings = [pair.drawing for pair in video.pairs]
    face = np.stack([fill_outline(drawing, "face") for drawing in drawings])
    mouths = np.stack([fill_outline(drawing, "mouth") for drawing in drawings])
    inner = np.stack([_erode(mouth) for mouth in mouths])
    inner[inner.sum((1, 2)) < MIN_OPEN_PX] = False
    lids = [fill_outline(d, "eye_left") | fill_outline(d, "eye_right") for d in drawings]
    fine = np.stack([_dilate(lid) for lid in lids]) | mouths
    hair = ~face & (np.arange(face.shape[1])[:, None] < face.shape[1] // 2)
    return {
        "face": face,
        "whole": np.ones_like(face),
        "inside the mouth": inner,
        "mouth and lids": fine,
        "hair and background": hair,
    }


def measure_people(network: TGDM, maker: PairMaker, people: int, frames: int) -> dict[str, Scores]:
    """Mean scores over people: of the still, the moved photograph, and every way of `WAYS`."""
    columns: dict[str, list[Scores]] = {}
    for person in range(people):
        video = draw_video(maker, person, frames)
        ways = {
            "still": [pair.source for pair in video.pairs],
            "moved photograph": [pair.frame.image for pair in video.pairs],
        }
        for name, sampling in WAYS.items():
            ways[name] = finish_video(network, video, sampling)
        for name, images in ways.items():
            columns.setdefault(name, []).append(measure_video(video, images))
    return {name: average(rows) for name, rows in columns.items()}


def format_measures(columns: dict[str, Scores]) -> str:
    """A Markdown table, a column for each way."""
    rows = [["measure", *columns], ["---"] * (len(columns) + 1)]
    for name in next(iter(columns.values())):
        digits = DIGITS.get(name.split(",")[0], 2)
        rows.append([name, *(f"{column[name]:.{digits}f}" for column in columns.values())])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def average(rows: Sequence[Scores]) -> Scores:
    """Means by name, of those rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def _round(images: Tensor) -> list[Image]:
    """(b, 3, h, w) in −1…1 -> (h, w, 3) of bytes each."""
    return list(np.rint(to_pixels(images)).clip(0, 255).astype(np.uint8))


def _erode(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kernel = np.ones((2 * LIPS_PX + 1,) * 2, np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel) > 0)


def _dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
