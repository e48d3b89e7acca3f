"""What the paper claims, measured: who follows what, who disturbs whom, on people never trained on.

Everything is read from pixels (see `reading`); the truth is what the world drew and said.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..control.regions import mouth_box
from ..faces import Face, Track
from ..media import Audio
from ..models.actalker.networks import ACTalker
from ..models.actalker.pipeline import Inputs, Settings, default_windows, generate
from ..synthetic.identities import FaceState, Identity, make_identity
from ..synthetic.motion import random_motion, random_portrait_state
from ..synthetic.rendering import SIDE_PX, ImageArray, Rendering, render_face, stack_images
from ..synthetic.speech import RATE_HZ, Speech, random_speech
from .reading import read_states

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

FIRST_SEED = 5_000_000
"""Of people, voices and motions that training never uses."""
FOLLOWED = ("eyes", "brows", "smile", "yaw", "roll")
USUAL = Settings(masks="paper")
SEEDS_PER_SCENE = 1000
"""More than are ever compared: apart by as much, the scenes' noises never meet."""
STRANGERS = 12
"""Other people that a frame must be further from than from the portrait's."""


@dataclass(frozen=True)
class Scene:
    """A portrait with speech and a driving clip, none of which was trained on.

    Attributes:
        number: decides everything. frames: length of the clip.
    """

    number: int
    frames: int
    fps: float

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([FIRST_SEED, self.number, part])

    @cached_property
    def person(self) -> Identity:
        """Whose portrait it is."""
        return make_identity(FIRST_SEED + self.number)

    @cached_property
    def rest(self) -> FaceState:
        """As in the portrait."""
        return random_portrait_state(self._rng(0))

    @cached_property
    def portrait(self) -> Rendering:
        """The portrait."""
        return render_face(self.person, self.rest)

    def speech(self, which: int = 0) -> Speech:
        """What is said; another number, something else."""
        return random_speech(self._rng(10 + which), self.frames / self.fps + 0.5)

    def motion(self, which: int = 0) -> list[FaceState]:
        """What the driving clip does."""
        return random_motion(self._rng(20 + which), self.frames, self.fps)

    def mouth(self, which: int = 0) -> Array:
        """(frames, 3) shapes of the mouth that the speech asks for."""
        return self.speech(which).interpolate_mouth(np.arange(self.frames) / self.fps)

    def rise_and_fall(self) -> tuple[str, Array]:
        """A gate that opens until the middle and shuts until the end: as text, and per frame."""
        middle = self.frames / self.fps / 2
        opened = 1 - np.abs(np.arange(self.frames) / self.fps / middle - 1)
        return f"0s:0, {middle:g}s:1, {2 * middle:g}s:0", opened


@dataclass(frozen=True)
class Performance:
    """Who plays in a driving clip, and what: the same performer may do something else."""

    performer: Identity
    states: Sequence[FaceState]

    @cached_property
    def frames(self) -> list[Rendering]:
        """The clip."""
        return [render_face(self.performer, state) for state in self.states]

    @property
    def pictures(self) -> Tensor:
        """(f, 3, 128, 128) in 0…1."""
        return stack_images([drawn.image for drawn in self.frames])

    @property
    def track(self) -> Track:
        """Where the face is."""
        boxes = np.array([drawn.face_box for drawn in self.frames], np.float32)
        return Track(boxes, None, np.ones(len(boxes), np.float32), (SIDE_PX, SIDE_PX))


@dataclass
class Filmed:
    """A result, and what is read from it when it is asked for."""

    scene: Scene
    pictures: list[ImageArray]

    @cached_property
    def states(self) -> list[FaceState]:
        """What is seen in each frame."""
        return read_states(self.scene.person, self.scene.rest, self.pictures)

    def read(self, name: str) -> Array:
        """A number of the state in each frame; `eyes` is the mean of both."""
        return track_of(self.states, name)


def track_of(states: Sequence[FaceState], name: str) -> Array:
    """One number over time."""
    if name == "eyes":
        return (track_of(states, "eye_left") + track_of(states, "eye_right")) / 2
    return np.array([getattr(state, name) for state in states])


class Studio:
    """Films scenes with a model.

    Args:
        seed: of the noise. Every scene has its own, so that a mean over scenes is one over noises.
        settings: how clips are made besides their length, gates and seed.
    """

    def __init__(self, model: ACTalker, seed: int = 0, settings: Settings = USUAL) -> None:
        self.model, self.settings, self.seed = model, settings, seed

    def film(
        self,
        scene: Scene,
        *,
        speech: Speech | None = None,
        driving: Performance | None = None,
        head: Performance | None = None,
        audio_gate: str = "1",
    ) -> Filmed:
        """Animate the portrait through the pipeline, as anybody would."""
        inputs = Inputs(
            portrait=stack_images([scene.portrait.image])[0],
            face=Face(scene.portrait.face_box, 1.0),
            audio=None if speech is None else Audio(speech.samples[None], RATE_HZ),
            driving=None if driving is None else driving.pictures,
            driving_face=None if driving is None else driving.track,
            head=None if head is None else head.pictures,
            head_box=None if head is None else head.frames[0].face_box,
        )
        settings = replace(
            self.settings,
            frames=scene.frames,
            audio_gate=audio_gate,
            seed=self.seed + SEEDS_PER_SCENE * scene.number,
        )
        chunks = generate(self.model, inputs, settings).chunks
        frames = (torch.cat(list(chunks)) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return Filmed(scene, list(frames))


# Measures ----------------------------------------------------------------------------------------


Measured = dict[str, float]


class Measures(Dataset[Measured]):
    """The scenes by their numbers, each with a second clip of twice its length."""

    def __init__(self, model: ACTalker, scenes: int, frames: int, seed: int) -> None:
        self.studio, self.scenes, self.frames = Studio(model, seed), scenes, frames

    def __len__(self) -> int:
        return self.scenes

    def __getitem__(self, number: int) -> Measured:
        """Those of one scene."""
        fps = self.studio.model.config.sampling.fps
        scene, longer = (Scene(number, frames, fps) for frames in (self.frames, 2 * self.frames))
        measured = dict(_measure_scene(self.studio, scene))
        return measured | dict(_measure_length(self.studio, longer))


def measure(
    model: ACTalker, scenes: int = 4, frames: int = 50, seed: int = 0, workers: int = 0
) -> Measured:
    """All measures, each the mean over the scenes; the workers film side by side, on the CPU."""
    clips = Measures(model, scenes, frames, seed)
    rows: list[Measured] = []
    for number, row in enumerate(DataLoader(clips, batch_size=None, num_workers=workers)):
        rows.append(row)
        log.info("scene %d: %s", number, _in_one_line(row))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _in_one_line(row: Measured) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in row.items())


def _measure_scene(studio: Studio, scene: Scene) -> Iterator[tuple[str, float]]:
    performer = make_identity(FIRST_SEED + 1000 + scene.number)
    acted = Performance(performer, scene.motion())
    spoken, truth = scene.speech(), scene.mouth()[:, 0]

    alone = studio.film(scene, speech=spoken)
    yield "lip sync, audio alone", correlation(alone.read("open"), truth)

    led = studio.film(scene, driving=acted)
    for name in FOLLOWED:
        yield f"following: {name}", correlation(led.read(name), track_of(acted.states, name))

    both = studio.film(scene, speech=spoken, driving=acted)
    yield "lip sync, both signals", correlation(both.read("open"), truth)
    for name in ("eyes", "yaw"):
        yield (
            f"following beside speech: {name}",
            correlation(both.read(name), track_of(acted.states, name)),
        )

    still = Performance(performer, [replace(s, yaw=0, pitch=0, roll=0) for s in acted.states])
    posed = Performance(performer, [FaceState()] * scene.frames)
    acted_anew = [replace(s, yaw=0, pitch=0, roll=0) for s in scene.motion(1)]
    first = studio.film(scene, speech=spoken, driving=still, head=posed)
    said_anew = studio.film(scene, speech=scene.speech(1), driving=still, head=posed)
    face_anew = studio.film(
        scene, speech=spoken, driving=Performance(performer, acted_anew), head=posed
    )
    mouth, rest = regions(scene.portrait)
    heard, seen = change(first, said_anew), change(first, face_anew)
    yield "leak of audio", share(heard[rest].mean(), heard[mouth].mean())
    yield "leak of expression", share(seen[mouth].mean(), seen[rest].mean())

    shut = studio.film(scene, speech=spoken, driving=acted, audio_gate="0")
    yield "mouth left at gate 0", share(shut.read("open").std(), both.read("open").std())
    curve, opened = scene.rise_and_fall()
    faded = studio.film(scene, speech=spoken, driving=acted, audio_gate=curve)
    yield "gate 0-1-0 followed", correlation(faded.read("open"), opened * truth)


def _measure_length(studio: Studio, scene: Scene) -> Iterator[tuple[str, float]]:
    """A clip of many windows: who is it at the end, and do the windows show."""
    acted = Performance(make_identity(FIRST_SEED + 2000), scene.motion())
    filmed = studio.film(scene, speech=scene.speech(), driving=acted)
    near, known = identity(filmed)
    yield "identity: difference of 255", near
    yield "identity: closest of 13 people", known
    yield "window seams", seam_ratio(studio.model, filmed.pictures)


def share(part: float, whole: float) -> float:
    """The one over the other; 1 where nothing moves, as nothing owns anything then."""
    return float(part / whole) if whole > 0 else 1.0


def correlation(a: Array, b: Array) -> float:
    """Pearson's; 0 where one of them stands still."""
    if a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def change(a: Filmed, b: Filmed) -> Array:
    """(128, 128) how much two results differ, on average over frames and colours."""
    off = [np.abs(p.astype(float) - q).mean(2) for p, q in zip(a.pictures, b.pictures, strict=True)]
    return np.asarray(np.mean(off, axis=0))


def regions(portrait: Rendering) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The mouth's region and the rest of the face box, as the paper's masks cut them."""
    mouth, face = (np.zeros((SIDE_PX, SIDE_PX), bool) for _ in range(2))
    for canvas, box in (
        (mouth, mouth_box(Face(portrait.face_box, 1.0))),
        (face, portrait.face_box),
    ):
        x0, y0, x1, y1 = (max(round(edge), 0) for edge in box)
        canvas[y0:y1, x0:x1] = True
    return mouth, face & ~mouth


def identity(filmed: Filmed) -> tuple[float, float]:
    """How far the frames are from the portrait's person (of 255), and how often it is closest.

    Every fifth frame is compared with drawings of the same state of that person and of strangers.
    """
    scene, near, known = filmed.scene, [], []
    strangers = [make_identity(FIRST_SEED + 3000 + i) for i in range(STRANGERS)]
    for picture, state in list(zip(filmed.pictures, filmed.states, strict=True))[::5]:
        away = [
            float(np.abs(render_face(person, state).image.astype(float) - picture).mean())
            for person in (scene.person, *strangers)
        ]
        near.append(away[0])
        known.append(away[0] <= min(away))
    return float(np.mean(near)), float(np.mean(known))


def seam_ratio(model: ACTalker, pictures: Sequence[ImageArray]) -> float:
    """Change between frames at the borders of the last step's windows, over that elsewhere."""
    windows, steps = default_windows(model.config), model.config.sampling.steps
    starts = {frames[0] for frames in windows.at(steps - 1, len(pictures) + windows.padding)}
    moved = [np.abs(b.astype(float) - a).mean() for a, b in pairwise(pictures)]
    border = [m for i, m in enumerate(moved, start=1) if i in starts]
    inside = [m for i, m in enumerate(moved, start=1) if i not in starts]
    return float(np.mean(border) / np.mean(inside))
