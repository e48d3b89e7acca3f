"""What the paper claims, measured on identities, voices and motions that were never trained on.

Do lips follow the speech and the face the clip, and does either disturb the other's region? All is
measured on pixels (see `inverse_rendering`); the ground truth is what was rendered and synthesised.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..control.regions import mouth_box
from ..faces import Face, Track
from ..faces.portrait import prepare_portrait
from ..media import Audio
from ..models.actalker.defaults import default_windows
from ..models.actalker.encode import encode_signals
from ..models.actalker.networks import ACTalker
from ..models.actalker.pipeline import generate
from ..models.actalker.plan import plan_video
from ..synthetic.identities import FaceState, Identity, make_identity
from ..synthetic.motion import random_motion, random_portrait_state
from ..synthetic.rendering import SIDE_PX, ImageArray, Rendering, render_face, stack_images
from ..synthetic.speech import RATE_HZ, Speech, random_speech
from .inverse_rendering import fit_states, mean_error_255

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

FIRST_SEED = 5_000_000
"""Of identities, voices and motions that training never uses."""
DRIVEN_NAMES = ("eyes", "brows", "smile", "yaw", "roll")
SEEDS_PER_CASE = 1000
"""More than are ever compared, so that no two cases have the same noise."""
DISTRACTOR_COUNT = 12
"""Identities that a frame must be further from than from the portrait's."""


@dataclass(frozen=True)
class EvaluationCase:
    """A portrait with speech and a driving clip, none of which was trained on.

    Attributes:
        number: the seed of everything. frames: length of the clip.
    """

    number: int
    frames: int
    fps: float

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([FIRST_SEED, self.number, part])

    @cached_property
    def identity(self) -> Identity:
        """The portrait's identity."""
        return make_identity(FIRST_SEED + self.number)

    @cached_property
    def rest(self) -> FaceState:
        """The portrait's state."""
        return random_portrait_state(self._rng(0))

    @cached_property
    def portrait(self) -> Rendering:
        """The portrait itself."""
        return render_face(self.identity, self.rest)

    def speech(self, index: int = 0) -> Speech:
        """A speech of the clip's length, another one for each index."""
        return random_speech(self._rng(10 + index), self.frames / self.fps + 0.5)

    def motion(self, index: int = 0) -> list[FaceState]:
        """The states of a driving clip, other ones for each index."""
        return random_motion(self._rng(20 + index), self.frames, self.fps)

    def mouth(self, index: int = 0) -> Array:
        """Open, wide and round of the mouth (f, 3) as the speech has them."""
        return self.speech(index).interpolate_mouth(np.arange(self.frames) / self.fps)

    def triangle_gate(self) -> tuple[str, Array]:
        """A gate that opens until the middle and shuts until the end: as text, and (f,)."""
        middle = self.frames / self.fps / 2
        gate = 1 - np.abs(np.arange(self.frames) / self.fps / middle - 1)
        return f"0s:0, {middle:g}s:1, {2 * middle:g}s:0", gate


@dataclass(frozen=True)
class DrivingVideo:
    """A rendered driving clip."""

    identity: Identity
    states: Sequence[FaceState]

    @cached_property
    def frames(self) -> list[Rendering]:
        """The frames with their ground truth."""
        return [render_face(self.identity, state) for state in self.states]

    @property
    def images(self) -> Tensor:
        """The frames (f, 3, 128, 128) in 0…1."""
        return stack_images([frame.image for frame in self.frames])

    @property
    def track(self) -> Track:
        """The box of the face in every frame."""
        boxes = np.array([frame.face_box for frame in self.frames], np.float32)
        return Track(boxes, None, np.ones(len(boxes), np.float32), (SIDE_PX, SIDE_PX))


@dataclass
class GeneratedVideo:
    """The frames of a result, and the states that are fitted to them once they are needed."""

    case: EvaluationCase
    images: list[ImageArray]

    @cached_property
    def states(self) -> list[FaceState]:
        """The state that is closest to each frame."""
        return fit_states(self.case.identity, self.case.rest, self.images)

    def measure(self, name: str) -> Array:
        """A field of the state over time (f,); `eyes` is the mean of both."""
        return state_track(self.states, name)


def state_track(states: Sequence[FaceState], name: str) -> Array:
    """A field of the states over time (f,); `eyes` is the mean of both."""
    if name == "eyes":
        return (state_track(states, "eye_left") + state_track(states, "eye_right")) / 2
    return np.array([getattr(state, name) for state in states])


class Evaluator:
    """Generates the videos of cases with a model.

    Args:
        seed: of the noise. Every case has its own, so that a mean over cases is one over noises.
        sampling: arguments of `generate` that differ from the model's own.
    """

    def __init__(self, model: ACTalker, seed: int = 0, **sampling: Any) -> None:
        self.model, self.seed, self.sampling = model, seed, sampling

    def generate_video(
        self,
        case: EvaluationCase,
        *,
        speech: Speech | None = None,
        driving: DrivingVideo | None = None,
        head: DrivingVideo | None = None,
        audio_gate: str = "1",
    ) -> GeneratedVideo:
        """Animate the portrait through the pipeline."""
        sampling = self.model.config.sampling
        face = Face(case.portrait.face_box, 1.0)
        image = stack_images([case.portrait.image])[0]
        signals = encode_signals(
            self.model,
            audio=None if speech is None else Audio(speech.samples[None], RATE_HZ),
            driving=None if driving is None else driving.images,
            driving_face=None if driving is None else driving.track,
            head=None if head is None else head.images,
            head_box=None if head is None else head.frames[0].face_box,
            max_frames=case.frames,
        )
        plan = plan_video(
            prepare_portrait(image, face, sampling.short_side_px),
            signals,
            sampling,
            max_frames=case.frames,
            audio_gate=audio_gate,
        )
        noise_seed = self.seed + SEEDS_PER_CASE * case.number
        chunks = generate(self.model, plan, seed=noise_seed, **self.sampling).chunks
        frames = (torch.cat(list(chunks)) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return GeneratedVideo(case, list(frames))


# Measures ----------------------------------------------------------------------------------------


Scores = dict[str, float]


class EvaluationDataset(Dataset[Scores]):
    """The scores of every case, and of a second clip of twice its length."""

    def __init__(self, model: ACTalker, cases: int, frames: int, seed: int) -> None:
        self.evaluator, self.cases, self.frames = Evaluator(model, seed), cases, frames

    def __len__(self) -> int:
        return self.cases

    def __getitem__(self, number: int) -> Scores:
        """The scores of one case."""
        fps = self.evaluator.model.config.sampling.fps
        lengths = (self.frames, 2 * self.frames)
        case, longer = (EvaluationCase(number, frames, fps) for frames in lengths)
        scores = dict(_score_control(self.evaluator, case))
        return scores | dict(_score_length(self.evaluator, longer))


def evaluate(
    model: ACTalker, cases: int = 4, frames: int = 50, seed: int = 0, workers: int = 0
) -> Scores:
    """All scores, each the mean over the cases; workers generate side by side, on the CPU."""
    dataset = EvaluationDataset(model, cases, frames, seed)
    rows: list[Scores] = []
    for number, row in enumerate(DataLoader(dataset, batch_size=None, num_workers=workers)):
        rows.append(row)
        text = ", ".join(f"{name} {value:.3g}" for name, value in row.items())
        log.info("case %d: %s", number, text)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _score_control(evaluator: Evaluator, case: EvaluationCase) -> Iterator[tuple[str, float]]:
    """Who follows which signal, and how much a signal leaks into the other's region."""
    identity = make_identity(FIRST_SEED + 1000 + case.number)
    driving = DrivingVideo(identity, case.motion())
    speech, mouth_open = case.speech(), case.mouth()[:, 0]
    generate_video = partial(evaluator.generate_video, case)

    video = generate_video(speech=speech)
    yield "lip sync, audio alone", correlation(video.measure("open"), mouth_open)

    video = generate_video(driving=driving)
    for name in DRIVEN_NAMES:
        score = correlation(video.measure(name), state_track(driving.states, name))
        yield f"following: {name}", score

    joint = generate_video(speech=speech, driving=driving)
    yield "lip sync, both signals", correlation(joint.measure("open"), mouth_open)
    for name in ("eyes", "yaw"):
        score = correlation(joint.measure(name), state_track(driving.states, name))
        yield f"following beside speech: {name}", score

    # Pairs with one head pose that differ in the speech alone, or in the face alone.
    frontal, other_face = (
        DrivingVideo(identity, [replace(s, yaw=0, pitch=0, roll=0) for s in case.motion(index)])
        for index in (0, 1)
    )
    head = DrivingVideo(identity, [FaceState()] * case.frames)
    video = generate_video(speech=speech, driving=frontal, head=head)
    other_speech_video = generate_video(speech=case.speech(1), driving=frontal, head=head)
    other_face_video = generate_video(speech=speech, driving=other_face, head=head)
    mouth, rest = region_masks(case.portrait)
    audio_effect = mean_difference(video, other_speech_video)
    expression_effect = mean_difference(video, other_face_video)
    yield "leak of audio", ratio(audio_effect[rest].mean(), audio_effect[mouth].mean())
    leak = ratio(expression_effect[mouth].mean(), expression_effect[rest].mean())
    yield "leak of expression", leak

    video = generate_video(speech=speech, driving=driving, audio_gate="0")
    yield "mouth left at gate 0", ratio(video.measure("open").std(), joint.measure("open").std())
    curve, gate = case.triangle_gate()
    video = generate_video(speech=speech, driving=driving, audio_gate=curve)
    yield "gate 0-1-0 followed", correlation(video.measure("open"), gate * mouth_open)


def _score_length(evaluator: Evaluator, case: EvaluationCase) -> Iterator[tuple[str, float]]:
    """A clip of many windows: does the identity stay, and do the windows show."""
    driving = DrivingVideo(make_identity(FIRST_SEED + 2000), case.motion())
    video = evaluator.generate_video(case, speech=case.speech(), driving=driving)
    error, accuracy = score_identity(video)
    yield "identity: difference of 255", error
    yield "identity: closest of 13 people", accuracy
    yield "window seams", measure_seams(evaluator.model, video.images)


def ratio(numerator: float, denominator: float) -> float:
    """One number over another; 1 where both are 0, as a still video is no success."""
    return float(numerator / denominator) if denominator > 0 else 1.0


def correlation(a: Array, b: Array) -> float:
    """Pearson's correlation of two tracks (f,); 0 where one of them stands still."""
    if a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def mean_difference(a: GeneratedVideo, b: GeneratedVideo) -> Array:
    """How much two videos differ (128, 128), on average over frames and colours."""
    pairs = zip(a.images, b.images, strict=True)
    return np.asarray(np.mean([np.abs(p.astype(float) - q).mean(2) for p, q in pairs], axis=0))


def region_masks(portrait: Rendering) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The mouth's region and the rest of the face box, (128, 128) each, as the paper's masks."""
    mouth, face = (np.zeros((SIDE_PX, SIDE_PX), bool) for _ in range(2))
    for canvas, box in (
        (mouth, mouth_box(Face(portrait.face_box, 1.0))),
        (face, portrait.face_box),
    ):
        x0, y0, x1, y1 = (max(round(edge), 0) for edge in box)
        canvas[y0:y1, x0:x1] = True
    return mouth, face & ~mouth


def score_identity(video: GeneratedVideo) -> tuple[float, float]:
    """Mean error of 255 from the portrait's identity, and how often no distractor is closer.

    Every fifth frame is compared with renderings of its state by that identity and by distractors.
    """
    identities = [video.case.identity]
    identities += [make_identity(FIRST_SEED + 3000 + i) for i in range(DISTRACTOR_COUNT)]
    frames = list(zip(video.images, video.states, strict=True))[::5]
    errors = np.array(
        [[mean_error_255(i, state, image) for i in identities] for image, state in frames]
    )
    is_closest = errors[:, 0] <= errors.min(axis=1)
    return float(errors[:, 0].mean()), float(is_closest.mean())


def measure_seams(model: ACTalker, images: Sequence[ImageArray]) -> float:
    """Change between images (h, w, 3) at the borders of the last step's windows, over the rest."""
    windows, steps = default_windows(model.config), model.config.sampling.steps
    starts = {frames[0] for frames in windows.at(steps - 1, len(images) + windows.padding)}
    changes = [np.abs(b.astype(float) - a).mean() for a, b in pairwise(images)]
    border = [m for i, m in enumerate(changes, start=1) if i in starts]
    inside = [m for i, m in enumerate(changes, start=1) if i not in starts]
    return float(np.mean(border) / np.mean(inside))
