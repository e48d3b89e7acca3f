"""Something to animate on a machine that has no media: drawn faces and synthetic speech.

They are made as those that the built-in model was trained on, of seeds that training never used.
"""

import wave
from pathlib import Path

import matplotlib
import numpy as np
from torch import Tensor

from ..errors import MediaError
from ..faces.box import Box
from ..files.writing import check_writable, replace_file
from ..media import Audio, save_image, write_video
from .identities import HEAD_NAMES, FaceState, blend_states, make_identity
from .motion import random_motion
from .rendering import render_face, stack_images
from .speech import RATE_HZ, random_speech

SECONDS = 4.0
FPS = 25.0
SEED = 9_000_001
"""Of the portrait's identity. The driving clip has the identity of the number after it."""


def write_demo(folder: Path) -> tuple[Path, Path, Path]:
    """Write portrait.png, speech.wav and driving.mp4 into a folder; return their paths.

    Raises:
        MediaError: the folder cannot be written to.
    """
    image, sound, driving = (folder / n for n in ("portrait.png", "speech.wav", "driving.mp4"))
    for path in (image, sound, driving):
        check_writable(path)
    write_video(driving, [render_driving_frames(SECONDS)], FPS)
    save_image(image, render_portrait())
    with replace_file(sound) as part:
        _write_wav(part, make_speech(SECONDS))
    return image, sound, driving


def find_photograph() -> Path:
    """A portrait in the public domain that matplotlib brings: Grace Hopper, by the US Navy.

    Raises:
        MediaError: this matplotlib is packed without its samples.
    """
    path = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    if not path.is_file():
        raise MediaError(
            f"{path}: expected the portrait that matplotlib brings, got none. Name one: "
            "--portrait me.jpg."
        )
    return path


def render_portrait(seed: int = SEED) -> Tensor:
    """A face at rest: (3, 128, 128) in 0…1."""
    return stack_images([render_face(make_identity(seed), FaceState()).image])[0]


def locate_face(seed: int = SEED) -> Box:
    """The box of the portrait's face, in pixels."""
    return render_face(make_identity(seed), FaceState()).face_box


def make_speech(seconds: float, seed: int = SEED) -> Audio:
    """Babble in the voice of a seed: (1, samples) at 16 kHz."""
    speech = random_speech(np.random.default_rng([seed, 1]), max(seconds, 1 / FPS))
    return Audio(speech.samples[None, : round(seconds * RATE_HZ)], RATE_HZ)


def render_driving_frames(
    seconds: float, seed: int = SEED, *, head: bool = True, face: bool = True
) -> Tensor:
    """Frames (f, 3, 128, 128) at `FPS` in which another identity moves head, face, or both."""
    states = make_driving_states(seconds, seed, head=head, face=face)
    return stack_images([render_face(make_identity(seed + 1), state).image for state in states])


def make_driving_states(
    seconds: float, seed: int = SEED, *, head: bool = True, face: bool = True
) -> list[FaceState]:
    """The state of each frame of `render_driving_frames`."""
    frames = max(round(seconds * FPS), 1)
    states = random_motion(np.random.default_rng([seed, 2]), frames, FPS)
    names = [name for name in FaceState.names() if (head if name in HEAD_NAMES else face)]
    return [blend_states(FaceState(), state, names, 1) for state in states]


def locate_driving_face(seed: int = SEED) -> Box:
    """The box of the face in the first frame of `render_driving_frames`, in pixels."""
    return render_face(make_identity(seed + 1), make_driving_states(1 / FPS, seed)[0]).face_box


def _write_wav(path: Path, audio: Audio) -> None:
    samples = (np.clip(audio.samples[0], -1, 1) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate_hz)
        file.writeframes(samples.tobytes())
