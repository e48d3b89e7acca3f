"""What each optional acceleration saves and what it costs: `make bench-acceleration`.

Clips of the built-in model, people and speech that it was never trained on. Time is that of a
whole clip, from portrait and sound to pictures, of all ways in turn in one process. Each way makes
one clip before the clock runs: in its first, torch.compile compiles for minutes, for which it wants
a C++ compiler.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actalker_core.diffusion.guidance import GuidanceInterval
from actalker_core.models.actalker.checkpoint import load_built_in
from actalker_core.models.actalker.networks import ACTalker, choose_weight_dtype
from actalker_core.ops.layers import lay_channels_last
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.training.evaluation import (
    FIRST_SEED,
    DrivingVideo,
    EvaluationCase,
    Evaluator,
    GeneratedVideo,
    correlation,
    mean_difference,
    ratio,
    region_masks,
)
from actalker_core.training.likeness import psnr_db, ssim
from actalker_core.training.report import replace_section
from benchmarks.harness import median_seconds, say
from benchmarks.harness import table as markdown

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MARK = "acceleration"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Way:
    """One acceleration.

    Attributes:
        sampling: arguments of `generate` that it changes.
        prepare: what it changes of the model.
    """

    sampling: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[ACTalker], object] = lambda model: model


@dataclass(frozen=True)
class Amount:
    """How much is measured: scenes, frames of each, frames of the clip that is timed, how often."""

    cases: int = 2
    frames: int = 25
    timed_frames: int = 10
    repeats: int = 15


def weights_in_8_bits(model: ACTalker) -> None:
    """What fp8 keeps of the weights; here they compute as before."""
    for name, weight in model.unet.named_parameters():
        dtype = choose_weight_dtype(f"unet.{name}", torch.float8_e4m3fn, weight.ndim)
        weight.data = weight.data.to(dtype).to(weight.dtype)


EXACT = "exact"
WAYS = {
    EXACT: Way(),
    "6 of 12 steps": Way({"steps": 6}),
    "6 steps, align-your-steps": Way({"steps": 6, "schedule": "align-your-steps"}),
    "guidance from 10 to 0.1": Way({"interval": GuidanceInterval(guide_from=10.0, guide_to=0.1)}),
    "guidance of every 2nd step": Way({"interval": GuidanceInterval(reuse_every=2)}),
    "guidance of every 3rd step": Way({"interval": GuidanceInterval(reuse_every=3)}),
    "channels-last": Way(prepare=lambda model: lay_channels_last(model.unet)),
    "torch.compile": Way(prepare=lambda model: model.unet.compile()),
    "weights in 8 bits": Way(prepare=weights_in_8_bits),
}


def studio_of(way: Way) -> Evaluator:
    model = load_built_in(CPU, torch.float32)
    way.prepare(model)
    return Evaluator(model, **way.sampling)


# Films -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VideoSet:
    """One scene: as anybody would make it, and twice with all still but the face.

    Attributes:
        both: with speech and a driving clip.
        still, face_anew: the same speech, two clips that differ in the face alone.
    """

    combination: GeneratedVideo
    still: GeneratedVideo
    face_anew: GeneratedVideo


def generate_video(evaluator: Evaluator, case: EvaluationCase) -> VideoSet:
    performer = make_identity(FIRST_SEED + 1000 + case.number)
    rest_video = DrivingVideo(performer, [FaceState()] * case.frames)
    clip = partial(evaluator.generate_video, case, speech=case.speech())
    return VideoSet(
        clip(driving=DrivingVideo(performer, case.motion())),
        clip(driving=_still(performer, case.motion()), head=rest_video),
        clip(driving=_still(performer, case.motion(1)), head=rest_video),
    )


def _still(performer: Any, states: list[FaceState]) -> DrivingVideo:
    return DrivingVideo(performer, [replace(s, yaw=0, pitch=0, roll=0) for s in states])


def lip_sync(videos: VideoSet) -> float:
    return correlation(videos.combination.measure("open"), videos.combination.case.mouth()[:, 0])


def leak(videos: VideoSet) -> float:
    mouth, rest = region_masks(videos.combination.case.portrait)
    difference = mean_difference(videos.still, videos.face_anew)
    return ratio(difference[mouth].mean(), difference[rest].mean())


# Table -------------------------------------------------------------------------------------------


def seconds_of(studios: dict[str, Evaluator], amount: Amount) -> dict[str, float]:
    """Medians."""
    case = EvaluationCase(
        0, amount.timed_frames, next(iter(studios.values())).model.config.sampling.fps
    )
    driving = DrivingVideo(make_identity(FIRST_SEED + 1000), case.motion())
    assert driving.frames  # drawn before the clock runs
    signals = {"speech": case.speech(), "driving": driving}
    calls = {name: partial(s.generate_video, case, **signals) for name, s in studios.items()}
    return median_seconds(calls, amount.repeats)


def qualities(
    evaluator: Evaluator, exact: list[VideoSet], cases: list[EvaluationCase]
) -> list[str]:
    """PSNR, SSIM, lip sync and leak, each the mean over the scenes."""
    videos = [generate_video(evaluator, case) for case in cases]
    pairs = [
        (f.combination.images, e.combination.images) for f, e in zip(videos, exact, strict=True)
    ]
    return [
        f"{np.mean([psnr_db(a, b) for a, b in pairs]):.1f} dB",
        f"{np.mean([ssim(a, b) for a, b in pairs]):.3f}",
        f"{np.mean([lip_sync(f) for f in videos]):.2f}",
        f"{np.mean([leak(f) for f in videos]):.2f}",
    ]


def table(ways: dict[str, Way], amount: Amount) -> str:
    """Markdown; the first way is what the others are held against."""
    studios = {name: studio_of(way) for name, way in ways.items()}
    times = seconds_of(studios, amount)
    first = next(iter(studios))
    fps = studios[first].model.config.sampling.fps
    cases = [EvaluationCase(number, amount.frames, fps) for number in range(amount.cases)]
    exact = [generate_video(studios[first], case) for case in cases]
    rows = []
    for name, evaluator in studios.items():
        row = (name, f"{times[name] / times[first]:.2f}", *qualities(evaluator, exact, cases))
        say(" | ".join(row))
        rows.append(row)
    return markdown(("", "time", "PSNR", "SSIM", "lip sync", "leak of expression"), rows)


def main(page: Path = PAGE) -> None:
    """Measure, print and keep the table."""
    replace_section(page, MARK, table(WAYS, Amount()))
