"""The denoiser's training data: signals as the encoders give them, samples as latents.

Rendering and encoding cost more than a training step, so that both are done once and stored.
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
from ..synthetic.motion import random_motion, random_portrait_state
from ..synthetic.rendering import render_face, stack_images
from ..synthetic.speech import RATE_HZ, Speech, random_speech
from .autoencoder import pixel_weights
from .face_encoders import jitter_box
from .samples import AUDIO, MODES, Sample, draw_mode_masks, random_contrast, random_mode

log = logging.getLogger(__name__)

SPEECH_SECONDS = 12.0
MOTION_FRAMES = 20
"""Twice a sample: for the same work, many more identities than long clips would show."""
FOREIGN_HEAD_PROBABILITY = 0.5
"""Of samples whose head is another clip's, so that the expression does not turn the head."""

Fields = dict[str, Tensor]
"""The fields of a sample by name, as `SampleDataset` and `encode_sample` list them."""


@dataclass(frozen=True)
class SpeechFrames:
    """Frames of a speech: mouths (f, 3), and hidden states (f, states, layers, channels)."""

    mouth: NDArray[np.float64]
    windows: Tensor


@dataclass(frozen=True)
class EncodedSpeech:
    """A speech and its hidden states (s, layers, channels)."""

    speech: Speech
    states: Tensor

    def select_frames(self, first: int, frames: int, fps: float, seq_len: int) -> SpeechFrames:
        """Some frames of it, with `seq_len` states for each frame."""
        mouth = self.speech.interpolate_mouth((first + np.arange(frames)) / fps)
        windows = window_audio_states(self.states, first + frames, fps, seq_len)[first:]
        return SpeechFrames(mouth, windows.half())


@dataclass(frozen=True)
class EncodedMotion:
    """A driving clip as it was rendered, and as the encoders see it.

    Attributes:
        states: of each of f frames.
        features: (f, e) of the expression. rotation_degrees: (f, 3) of the head.
    """

    states: list[FaceState]
    features: Tensor
    rotation_degrees: Tensor

    def select_frames(self, first: int, frames: int) -> "EncodedMotion":
        """Some frames of it."""
        rows = slice(first, first + frames)
        return EncodedMotion(self.states[rows], self.features[rows], self.rotation_degrees[rows])

    def replace_head(self, head: "EncodedMotion") -> "EncodedMotion":
        """The expression of this clip with the head pose of another clip of the same length."""
        pairs = zip(self.states, head.states, strict=True)
        states = [blend_states(state, turn, HEAD_NAMES, 1) for state, turn in pairs]
        return EncodedMotion(states, self.features, head.rotation_degrees)


@dataclass(frozen=True)
class EncodedSignals:
    """Signals that samples are made of."""

    speeches: list[EncodedSpeech]
    motions: list[EncodedMotion]


def encode_speech(model: ACTalker, speech: Speech) -> EncodedSpeech:
    """Run the audio encoder over a speech."""
    audio = Audio(speech.samples[None], RATE_HZ)
    return EncodedSpeech(speech, encode_audio(model.audio_encoder, audio).states)


def encode_random_motion(model: ACTalker, rng: np.random.Generator, frames: int) -> EncodedMotion:
    """Run the expression and the pose encoder over a random motion of a random identity."""
    fps = model.config.sampling.fps
    identity, states = make_identity(int(rng.integers(1 << 31))), random_motion(rng, frames, fps)
    renderings = [render_face(identity, state) for state in states]
    images = stack_images([rendering.image for rendering in renderings])
    box = jitter_box(rng, renderings[0].face_box)
    # Half of the clips have the face followed, the others one box, as users have either.
    boxes = [r.face_box for r in renderings] if rng.random() < 0.5 else repeat(box)
    expression = encode_expression(model.expression_encoder, images, boxes, rate_hz=fps)
    pose = encode_pose(model.head_pose_encoder, images, box, rate_hz=fps)
    return EncodedMotion(states, expression.features, pose.rotation_degrees)


class SignalDataset(Dataset[EncodedSpeech | EncodedMotion]):
    """Speeches, then motions; the same for an index."""

    def __init__(self, model: ACTalker, speeches: int, seed: int) -> None:
        self.model, self.speeches, self.seed = model, speeches, seed

    def __getitem__(self, index: int) -> EncodedSpeech | EncodedMotion:
        """One signal."""
        rng = np.random.default_rng([self.seed, 10, index])
        if index < self.speeches:
            return encode_speech(self.model, random_speech(rng, SPEECH_SECONDS))
        return encode_random_motion(self.model, rng, MOTION_FRAMES)


def encode_signals(
    model: ACTalker, speeches: int, motions: int, seed: int, workers: int = 0
) -> EncodedSignals:
    """Random signals, the same for a seed; without a GPU the workers encode."""
    dataset = SignalDataset(model, speeches, seed)
    processes = workers if model.device.type == "cpu" else 0
    loader = DataLoader(
        dataset, sampler=range(speeches + motions), batch_size=None, num_workers=processes
    )
    signals = list(loader)
    log.info("samples: %d speeches and %d motions are encoded", speeches, motions)
    return EncodedSignals(signals[:speeches], signals[speeches:])


class SampleDataset(Dataset[Fields]):
    """Random pairs of videos of random identities; the same for an index.

    The two videos of a pair differ in what one signal says. With f frames a sample has:
    images (1 + 2·f, 3, 128, 128) in 0…1, the portrait first; face_box (4,) in it; weight
    (2, f, 1, 128, 128), how much each pixel counts; windows (2, f, states, layers, channels);
    features (2, f, e); rotation_degrees (f, 3); gates (f, 2); mode, an index of `MODES`;
    contrast, the signal that differs (0 audio, 1 expression); masks (2, 128, 128) as bytes, of
    both signals.
    """

    def __init__(self, signals: EncodedSignals, config: ModelConfig, seed: int) -> None:
        self.signals, self.config, self.seed = signals, config, seed
        self.frames = config.unet.num_frames

    def __getitem__(self, index: int) -> Fields:
        """The fields of one sample; see `SampleDataset`."""
        rng = np.random.default_rng([self.seed, 20, index])
        identity = make_identity(int(rng.integers(1 << 31)))
        rest = random_portrait_state(rng)
        mode, gates = random_mode(rng, self.frames)
        speeches, motions = [self._select_speech(rng)] * 2, [self._select_motion(rng)] * 2
        if rng.random() < FOREIGN_HEAD_PROBABILITY:
            motions = [motions[0].replace_head(self._select_motion(rng))] * 2
        contrast = random_contrast(rng, mode)
        if contrast == AUDIO:
            speeches[1] = self._select_speech(rng)
        else:
            motions[1] = self._select_motion(rng).replace_head(motions[0])
        renderings = [render_face(identity, rest)]
        for speech, motion in zip(speeches, motions, strict=True):
            sample = Sample(identity, rest, motion.states, speech.mouth, gates, mode)
            renderings += [render_face(identity, state) for state in sample.target_states()]
        face_box = jitter_box(rng, renderings[0].face_box)
        weight = torch.from_numpy(np.stack([pixel_weights(r) for r in renderings[1:]]))
        return {
            "images": stack_images([rendering.image for rendering in renderings]),
            "face_box": torch.tensor(face_box),
            "weight": weight[:, None].unflatten(0, (2, -1)),
            "windows": torch.stack([speech.windows for speech in speeches]),
            "features": torch.stack([motion.features for motion in motions]),
            "rotation_degrees": motions[0].rotation_degrees,
            "gates": torch.from_numpy(gates).float(),
            "mode": torch.tensor(MODES.index(mode)),
            "contrast": torch.tensor(contrast),
            "masks": torch.cat(draw_mode_masks(mode, face_box))[:, 0].byte(),
        }

    def _select_speech(self, rng: np.random.Generator) -> SpeechFrames:
        speech = self.signals.speeches[int(rng.integers(len(self.signals.speeches)))]
        fps, seq_len = self.config.sampling.fps, self.config.audio_projection.seq_len
        first = int(rng.integers(int(SPEECH_SECONDS * fps) - self.frames + 1))
        return speech.select_frames(first, self.frames, fps, seq_len)

    def _select_motion(self, rng: np.random.Generator) -> EncodedMotion:
        motion = self.signals.motions[int(rng.integers(len(self.signals.motions)))]
        first = int(rng.integers(len(motion.states) - self.frames + 1))
        return motion.select_frames(first, self.frames)


def encode_sample(model: ACTalker, sample: Fields) -> Fields:
    """A sample as the denoiser needs it.

    In place of the images there are: portrait (4, h, w) and target (2, f, 4, h, w), unscaled
    latents; identity (c,); the weight at their size (2, f, 1, h, w).
    """
    images = sample.pop("images").to(model.device)
    x0, y0, x1, y1 = sample["face_box"].tolist()
    latents = encode_image(model.vae, images).cpu()
    size = latents.shape[2], latents.shape[3]
    weight = F.adaptive_avg_pool2d(sample["weight"].flatten(0, 1), size)
    return sample | {
        "portrait": latents[0],
        "target": latents[1:].unflatten(0, (2, -1)).half(),
        "identity": encode_identity(model.identity_encoder, images[0], (x0, y0, x1, y1))[0].cpu(),
        "weight": weight.unflatten(0, (2, -1)).half(),
    }


class EncodedSampleDataset(Dataset[Fields]):
    """The same samples as latents: without a GPU, the process that renders may as well encode."""

    def __init__(self, model: ACTalker, samples: SampleDataset) -> None:
        self.model, self.samples = model, samples

    def __getitem__(self, index: int) -> Fields:
        """The fields of one sample; see `encode_sample`."""
        return encode_sample(self.model, self.samples[index])


class SampleStore:
    """Encoded samples in files of `SAMPLES_PER_FILE`, written where they are missing."""

    SAMPLES_PER_FILE = 100

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count_files(self) -> int:
        """How many files there are."""
        return len(list(self.folder.glob("*.pt")))

    def fill(
        self,
        model: ACTalker,
        samples: SampleDataset,
        files: int,
        deadline: float = math.inf,
        workers: int = 0,
    ) -> bool:
        """Render and encode until there are so many files; whether the deadline left time for all.

        Args:
            deadline: of `time.monotonic()`.
            workers: processes that render.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            path = self.folder / f"{number:04d}.pt"
            if path.is_file():
                continue
            if time.monotonic() >= deadline:
                return False
            first = number * self.SAMPLES_PER_FILE
            rows = _encode_samples(
                model, samples, range(first, first + self.SAMPLES_PER_FILE), workers
            )
            fields = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
            torch.save(fields, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            log.info("samples: %d of %d", first + len(rows), files * self.SAMPLES_PER_FILE)
        return True

    def read(self) -> Fields:
        """All samples, each field stacked to (b, …)."""
        files = [torch.load(path, weights_only=True) for path in sorted(self.folder.glob("*.pt"))]
        return {name: torch.cat([file[name] for file in files]) for name in files[0]}


def _encode_samples(
    model: ACTalker, samples: SampleDataset, indices: range, workers: int
) -> list[Fields]:
    """Samples by their indices, rendered by the workers and encoded where the model is."""
    is_cpu = model.device.type == "cpu"
    dataset: Dataset[Fields] = EncodedSampleDataset(model, samples) if is_cpu else samples
    loader = DataLoader(dataset, sampler=indices, batch_size=None, num_workers=workers)
    return list(loader) if is_cpu else [encode_sample(model, sample) for sample in loader]
