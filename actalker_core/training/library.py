"""What training is fed with: speech and driving clips as the encoders know them, takes as latents.

Drawing and encoding cost more than a training step, so that both are done once and kept.
"""

import logging
import math
import time
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from ..media import Audio
from ..models.actalker.config import ModelConfig
from ..models.actalker.encoders.audio import encode_audio, window_audio_states
from ..models.actalker.encoders.identity import encode_identity
from ..models.actalker.encoders.motion import encode_expression, encode_pose
from ..models.actalker.networks import ACTalker
from ..models.actalker.vae import encode_image
from ..synthetic.identities import HEAD_NAMES, FaceState, blend_states, make_identity
from ..synthetic.motion import random_motion
from ..synthetic.rendering import render_face, stack_images
from ..synthetic.speech import RATE_HZ, Speech, random_speech
from .autoencoder import feature_weights
from .takes import AUDIO, SETUPS, Take, random_portrait, random_setup, random_signal, setup_masks
from .watchers import loosely

log = logging.getLogger(__name__)

SPEECH_SECONDS = 12.0
MOTION_FRAMES = 20
"""Twice a take: the same drawing shows many more people than long clips would."""
HEADS_APART = 0.5
"""Of the takes have the head of another clip, so that the expression does not turn the head."""


@dataclass(frozen=True)
class Said:
    """Some frames of a speech: mouths (n, 3), and hidden states (n, states, layers, channels)."""

    mouth: NDArray[np.float64]
    windows: Tensor


@dataclass(frozen=True)
class Heard:
    """A speech and its hidden states (s, layers, channels)."""

    speech: Speech
    states: Tensor

    def part(self, first: int, frames: int, fps: float, reach: int) -> Said:
        """Some frames of it; `reach` is how many states each frame hears."""
        mouth = self.speech.interpolate_mouth((first + np.arange(frames)) / fps)
        return Said(
            mouth, window_audio_states(self.states, first + frames, fps, reach)[first:].half()
        )


@dataclass(frozen=True)
class Watched:
    """A driving clip: what happened, and what the encoders made of it."""

    states: list[FaceState]
    features: Tensor
    rotation_degrees: Tensor

    def part(self, first: int, frames: int) -> "Watched":
        """Some frames of it."""
        chosen = slice(first, first + frames)
        return Watched(self.states[chosen], self.features[chosen], self.rotation_degrees[chosen])

    def with_head_of(self, other: "Watched") -> "Watched":
        """The expression of this clip with the head pose of another of the same length."""
        both = zip(self.states, other.states, strict=True)
        states = [blend_states(own, its, HEAD_NAMES, 1) for own, its in both]
        return Watched(states, self.features, other.rotation_degrees)


@dataclass(frozen=True)
class Library:
    """Signals to choose from."""

    speeches: list[Heard]
    motions: list[Watched]


def hear(model: ACTalker, speech: Speech) -> Heard:
    """A speech through the audio encoder."""
    audio = Audio(speech.samples[None], RATE_HZ)
    return Heard(speech, encode_audio(model.audio_encoder, audio).states)


def watch(model: ACTalker, rng: np.random.Generator, frames: int) -> Watched:
    """A motion, performed by somebody, through the expression and the pose encoder."""
    fps = model.config.sampling.fps
    actor, states = make_identity(int(rng.integers(1 << 31))), random_motion(rng, frames, fps)
    shown = [render_face(actor, state) for state in states]
    pictures = stack_images([d.image for d in shown])
    first = loosely(rng, shown[0].face_box)
    boxes = [d.face_box for d in shown] if rng.random() < 0.5 else repeat(first)
    expression = encode_expression(model.expression_encoder, pictures, boxes, rate_hz=fps)
    pose = encode_pose(model.head_pose_encoder, pictures, first, rate_hz=fps)
    return Watched(states, expression.features, pose.rotation_degrees)


class Signals(Dataset[Heard | Watched]):
    """Speeches, then motions, each the same for its number."""

    def __init__(self, model: ACTalker, speeches: int, seed: int) -> None:
        self.model, self.speeches, self.seed = model, speeches, seed

    def __getitem__(self, number: int) -> Heard | Watched:
        """Said and heard, or played and watched."""
        rng = np.random.default_rng([self.seed, 10, number])
        if number < self.speeches:
            return hear(self.model, random_speech(rng, SPEECH_SECONDS))
        return watch(self.model, rng, MOTION_FRAMES)


def collect(model: ACTalker, speeches: int, motions: int, seed: int, workers: int = 0) -> Library:
    """A library, the same for a seed; without a GPU the workers encode."""
    signals = Signals(model, speeches, seed)
    numbers = range(speeches + motions)
    apart = workers if model.device.type == "cpu" else 0
    made = list(DataLoader(signals, sampler=numbers, batch_size=None, num_workers=apart))
    log.info("takes: library of %d speeches and %d motions", speeches, motions)
    return Library(made[:speeches], made[speeches:])


class DrawnTakes(Dataset[dict[str, Tensor]]):
    """Random takes of signals from the library, each by somebody new, as pictures.

    A take comes as a pair: two films that differ in what one signal says. With n frames it holds:
    pictures (1 + 2n, 3, 128, 128) in 0…1, the portrait first; face (4,), the box in it; weight
    (2, n, 1, 128, 128), how much each pixel counts; windows (2, n, states, layers, channels);
    features (2, n, e); rotation (n, 3) in degrees; gates (n, 2); setup, its place in `SETUPS`;
    differs, the signal (0 audio, 1 expression); masks (2, 128, 128) as bytes, of both signals.
    """

    def __init__(self, library: Library, config: ModelConfig, seed: int) -> None:
        self.library, self.config, self.seed = library, config, seed
        self.frames = config.unet.num_frames

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """The same for a number."""
        rng = np.random.default_rng([self.seed, 20, number])
        person, rest = random_portrait(rng)
        setup, gates = random_setup(rng, self.frames)
        said, watched = [self._speech(rng)] * 2, [self._motion(rng)] * 2
        if rng.random() < HEADS_APART:
            watched = [watched[0].with_head_of(self._motion(rng))] * 2
        differs = random_signal(rng, setup)
        if differs == AUDIO:
            said[1] = self._speech(rng)
        else:
            watched[1] = self._motion(rng).with_head_of(watched[0])
        shown = [render_face(person, rest)]
        for spoken, seen in zip(said, watched, strict=True):
            take = Take(person, rest, seen.states, spoken.mouth, gates, setup)
            shown += [render_face(person, state) for state in take.states()]
        face = loosely(rng, shown[0].face_box)
        weight = torch.from_numpy(np.stack([feature_weights(d) for d in shown[1:]]))
        return {
            "pictures": stack_images([d.image for d in shown]),
            "face": torch.tensor(face),
            "weight": weight[:, None].unflatten(0, (2, -1)),
            "windows": torch.stack([spoken.windows for spoken in said]),
            "features": torch.stack([seen.features for seen in watched]),
            "rotation": watched[0].rotation_degrees,
            "gates": torch.from_numpy(gates).float(),
            "setup": torch.tensor(SETUPS.index(setup)),
            "differs": torch.tensor(differs),
            "masks": torch.cat(setup_masks(setup, face))[:, 0].byte(),
        }

    def _speech(self, rng: np.random.Generator) -> Said:
        heard = self.library.speeches[int(rng.integers(len(self.library.speeches)))]
        fps, reach = self.config.sampling.fps, self.config.audio_projection.seq_len
        first = int(rng.integers(int(SPEECH_SECONDS * fps) - self.frames + 1))
        return heard.part(first, self.frames, fps, reach)

    def _motion(self, rng: np.random.Generator) -> Watched:
        watched = self.library.motions[int(rng.integers(len(self.library.motions)))]
        return watched.part(int(rng.integers(len(watched.states) - self.frames + 1)), self.frames)


def encode_take(model: ACTalker, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """A drawn take as the denoiser needs it.

    In place of the pictures there are: portrait (4, h, w) and target (2, n, 4, h, w), unscaled
    latents; identity (features,); the weight at their size.
    """
    pictures = drawn.pop("pictures").to(model.device)
    x0, y0, x1, y1 = drawn["face"].tolist()
    latents = encode_image(model.vae, pictures).cpu()
    size = latents.shape[2], latents.shape[3]
    weight = F.adaptive_avg_pool2d(drawn["weight"].flatten(0, 1), size)
    return drawn | {
        "portrait": latents[0],
        "target": latents[1:].unflatten(0, (2, -1)).half(),
        "identity": encode_identity(model.identity_encoder, pictures[0], (x0, y0, x1, y1))[0].cpu(),
        "weight": weight.unflatten(0, (2, -1)).half(),
    }


class EncodedTakes(Dataset[dict[str, Tensor]]):
    """The same takes as latents: without a GPU, whoever draws may as well encode."""

    def __init__(self, model: ACTalker, drawn: DrawnTakes) -> None:
        self.model, self.drawn = model, drawn

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """The same for a number."""
        return encode_take(self.model, self.drawn[number])


class Takes:
    """Takes in files of `PER_FILE`, made when they are missing."""

    PER_FILE = 100

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count(self) -> int:
        """How many files there are."""
        return len(list(self.folder.glob("*.pt")))

    def make(
        self,
        model: ACTalker,
        drawn: DrawnTakes,
        files: int,
        until: float = math.inf,
        workers: int = 0,
    ) -> bool:
        """Draw and encode until there are so many files, or it is late; whether all are there.

        Args:
            workers: processes that draw.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            path = self.folder / f"{number:04d}.pt"
            if path.is_file():
                continue
            if time.monotonic() >= until:
                return False
            numbers = range(number * self.PER_FILE, (number + 1) * self.PER_FILE)
            made = _made(model, drawn, numbers, workers)
            stacked = {name: torch.stack([take[name] for take in made]) for name in made[0]}
            torch.save(stacked, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            log.info("takes: %d of %d", (number + 1) * self.PER_FILE, files * self.PER_FILE)
        return True

    def read(self) -> dict[str, Tensor]:
        """All takes there are, each field stacked."""
        files = [torch.load(path, weights_only=True) for path in sorted(self.folder.glob("*.pt"))]
        return {name: torch.cat([file[name] for file in files]) for name in files[0]}


def _made(
    model: ACTalker, drawn: DrawnTakes, numbers: range, workers: int
) -> list[dict[str, Tensor]]:
    """Takes by their numbers, drawn by the workers and encoded where the model is."""
    apart = model.device.type == "cpu"
    takes: Dataset[dict[str, Tensor]] = EncodedTakes(model, drawn) if apart else drawn
    loader = DataLoader(takes, sampler=numbers, batch_size=None, num_workers=workers)
    return list(loader) if apart else [encode_take(model, take) for take in loader]
