"""What personal weights reach on frames of a clip that they never saw.

Held against the hardest rival without a network: the nearest of all frames that were learnt from,
moved by geometry, in the colours that fit the truth best.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...faces.topology import OVAL
from ...geometry.raster import fill_outlines
from ...models.tgdm.footage import Footage
from ...models.tgdm.pairs import Pair
from ...models.tgdm.personal_objective import PersonalObjective
from ...models.tgdm.pipeline import to_pixels
from ...models.tgdm.view import View
from ..likeness import detail, psnr_db, ssim

Image = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Scores = dict[str, float]

BATCH = 8
SHEET_ROWS = 8


def measure_personal(
    objective: PersonalObjective, count: int
) -> tuple[dict[str, Scores], list[Scores], Image]:
    """Scores by way, scores by source, and rows (h, w, 3) of moved, finished and truth.

    Args:
        objective: of one clip of which frames are held out.
        count: of frames measured, spread over those.
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
        "finished": finish_pairs(objective, pairs),
    }
    columns = {name: compare(images, truth, masks) for name, images in ways.items()}
    rows = []
    for source in footage.sources:
        pairs, masks = make_pairs(objective, [(source, int(frame)) for frame in frames])
        targets = [pair.target for pair in pairs]
        rivals = [match_colour(pair.frame.image, pair.target) for pair in pairs]
        before = compare(rivals, targets, masks)
        after = compare(finish_pairs(objective, pairs), targets, masks)
        rows.append({name: after[name] - before[name] for name in after})
    numbers = np.linspace(0, len(frames) - 1, SHEET_ROWS).round().astype(int)
    parts = (ways["moved, colour matched"], ways["finished"], truth)
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


def finish_pairs(objective: PersonalObjective, pairs: Sequence[Pair]) -> list[Image]:
    """What the network makes of pairs, (h, w, 3) each."""
    images: list[Image] = []
    with torch.inference_mode():
        for start in range(0, len(pairs), BATCH):
            out = objective.finish(pairs[start : start + BATCH])[1]
            images += list(np.rint(to_pixels(out)).clip(0, 255).astype(np.uint8))
    return images


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
