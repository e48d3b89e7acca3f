"""What personal weights reach on frames of a clip that they never saw.

Held against the hardest rival without a network: the nearest of all frames that were learnt from,
moved by geometry, in the colours that fit the truth best.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...faces.face import FaceFinder
from ...faces.topology import OVAL
from ...geometry.raster import fill_outlines
from ...models.tgdm.footage import Footage
from ...models.tgdm.objective import geometry_of, stack_pairs
from ...models.tgdm.pairs import Pair
from ...models.tgdm.personal_objective import PersonalObjective
from ...models.tgdm.pipeline import draw_noise, to_pixels
from ...models.tgdm.sampling import Sampling, finish_images
from ...models.tgdm.view import View
from ..likeness import detail, psnr_db, ssim
from .measures import WAYS

Image = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Points = NDArray[np.float64]
Scores = dict[str, float]

BATCH = 8
SHEET_ROWS = 8


def measure_personal(
    objective: PersonalObjective, finder: FaceFinder, count: int
) -> tuple[dict[str, Scores], list[Scores], Image]:
    """Scores by way, gains by source, and rows (h, w, 3) of colour matched, finished and truth.

    Args:
        objective: of one clip of which frames are held out.
        finder: that landmarks are read back with.
        count: of frames measured, spread over those.

    Returns:
        Scores of what is moved and of every way of `WAYS`; for each source what the regression
        gains over what is moved from it in matched colours; the rows of the regression.
    """
    footage = objective.clips[0]
    held_out = np.flatnonzero(footage.held_out)
    frames = held_out[np.unique(np.linspace(0, len(held_out) - 1, count).round().astype(int))]
    nearest = [(find_nearest(footage, frame), int(frame)) for frame in frames]
    pairs, masks = make_pairs(objective, nearest)
    truth = [pair.target for pair in pairs]
    ways = {
        "moved": [pair.frame.image for pair in pairs],
        "moved, colour matched": [match_colour(pair.frame.image, pair.target) for pair in pairs],
    } | {name: finish_pairs(objective, pairs, sampling) for name, sampling in WAYS.items()}
    places = [find_points(image, finder) for image in truth]
    columns = {}
    for name, images in ways.items():
        columns[name] = compare(images, truth, masks)
        columns[name]["landmarks, px"] = measure_points(images, places, finder)
    rows = []
    for source in footage.sources:
        pairs, masks = make_pairs(objective, [(source, int(frame)) for frame in frames])
        targets = [pair.target for pair in pairs]
        rivals = [match_colour(pair.frame.image, pair.target) for pair in pairs]
        before = compare(rivals, targets, masks)
        images = finish_pairs(objective, pairs, Sampling())
        after = compare(images, targets, masks)
        gain = {name: after[name] - before[name] for name in after}
        distances = [measure_points(part, places, finder) for part in (images, rivals)]
        rows.append({**gain, "landmarks, px": distances[0] - distances[1]})
    numbers = np.linspace(0, len(frames) - 1, SHEET_ROWS).round().astype(int)
    parts = (ways["moved, colour matched"], ways["regression"], truth)
    sheet = np.concatenate([np.concatenate([part[i] for i in numbers]) for part in parts], axis=1)
    return columns, rows, np.asarray(sheet)


def find_nearest(footage: Footage, frame: int) -> int:
    """The frame that was learnt from whose face is most like that of another one."""
    learnt_frames = np.flatnonzero(~footage.held_out)
    steps = np.linalg.norm(footage.motion[learnt_frames] - footage.motion[frame], axis=1)
    return int(learnt_frames[steps.argmin()])


def make_pairs(
    objective: PersonalObjective, numbers: Sequence[tuple[int, int]]
) -> tuple[list[Pair], Masks]:
    """The pairs of sources and targets, and masks (f, h, w) of the target's face."""
    footage, side_px = objective.clips[0], objective.network.config.side_px
    pairs, masks = [], []
    for source, target in numbers:
        pairs.append(objective.make_pair(footage, source, target))
        image = footage.shots[source].image
        view = View.around(footage.shots[source].landmarks, side_px, image.shape[:2])
        points = view.place(footage.shots[target].landmarks)
        masks.append(fill_outlines([OVAL], points, (side_px, side_px)) > 0)
    return pairs, np.stack(masks)


def finish_pairs(
    objective: PersonalObjective, pairs: Sequence[Pair], sampling: Sampling
) -> list[Image]:
    """What the network makes of pairs, (h, w, 3) each."""
    network = objective.network
    weight = next(network.parameters())
    noise = draw_noise(0, network.config.side_px).to(weight)
    images: list[Image] = []
    with torch.inference_mode():
        for start in range(0, len(pairs), BATCH):
            batch = stack_pairs(pairs[start : start + BATCH])
            textures = network.texture_encoder(batch["source"].to(weight))
            geometry = geometry_of(batch).to(weight)
            out = finish_images(network, geometry, textures, sampling, noise)
            images += list(np.rint(to_pixels(out)).clip(0, 255).astype(np.uint8))
    return images


def find_points(image: Image, finder: FaceFinder) -> Points | None:
    """(478, 2) landmarks of the largest face of an image (h, w, 3); None without a face."""
    faces = finder.find(torch.from_numpy(image).movedim(-1, 0))
    if not faces or faces[0].landmarks is None:
        return None
    return np.asarray(faces[0].landmarks[:, :2], np.float64)


def measure_points(
    images: Sequence[Image], places: Sequence[Points | None], finder: FaceFinder
) -> float:
    """How far landmarks of images (h, w, 3) are from true places (478, 2) in the middle, in pixels.

    Images in which no face is found are infinitely far; those without a true place do not count.
    """
    distances = []
    for image, place in zip(images, places, strict=True):
        if place is not None:
            points = find_points(image, finder)
            error = math.inf if points is None else np.linalg.norm(points - place, axis=1).mean()
            distances.append(float(error))
    return float(np.median(distances)) if distances else math.nan


def match_colour(image: Image, truth: Image) -> Image:
    """The image (h, w, 3) with the factor and shift of each colour that bring it nearest."""
    pixels, goal = image.astype(float), truth.astype(float)
    mean, goal_mean = pixels.mean((0, 1)), goal.mean((0, 1))
    covariance = ((pixels - mean) * (goal - goal_mean)).mean((0, 1))
    gain = covariance / np.maximum(pixels.var((0, 1)), 1e-9)
    return np.asarray(((pixels - mean) * gain + goal_mean).round().clip(0, 255), np.uint8)


def compare(images: Sequence[Image], truth: Sequence[Image], masks: Masks) -> Scores:
    """Likeness of images (h, w, 3) and share of the truth's detail, in the face and the whole."""
    scores: Scores = {}
    for name, region in (("face", masks), ("whole", np.ones_like(masks))):
        scores[f"PSNR, {name}"] = psnr_db(images, truth, region)
        scores[f"SSIM, {name}"] = ssim(images, truth, region)
        scores[f"detail, {name}"] = detail(images, region) / detail(truth, region)
    return scores
