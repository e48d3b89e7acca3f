"""Something to animate on a machine that has nothing: drawn people and synthetic speech.

They come from the world that the built-in model was trained on, but are not among those it saw.
"""

import wave
from pathlib import Path

import numpy as np
from torch import Tensor

from ..faces.box import Box
from ..files.writing import check_writable, replace_file
from ..media import Audio, save_image, write_video
from .motion import random_motion
from .people import HEAD, State, draw_person, towards
from .pictures import as_frames
from .speech import RATE_HZ, random_speech
from .world import Drawn, draw

SECONDS = 4.0
FPS = 25.0
PERSON = 9_000_001
"""Whose portrait it is. The number after it plays in the driving clip."""


def write_demo(folder: Path) -> tuple[Path, Path, Path]:
    """Write portrait.png, speech.wav and driving.mp4 into a folder; return their paths.

    Raises:
        MediaError: the folder cannot be written to.
    """
    image, sound, driving = (folder / n for n in ("portrait.png", "speech.wav", "driving.mp4"))
    for path in (image, sound, driving):
        check_writable(path)
    write_video(driving, [film(SECONDS)], FPS)
    save_image(image, portrait())
    with replace_file(sound) as part:
        _write_wav(part, speech(SECONDS))
    return image, sound, driving


def portrait(person: int = PERSON) -> Tensor:
    """Somebody at rest: (3, 128, 128) in 0…1."""
    return as_frames([_portrait(person).picture])[0]


def face(person: int = PERSON) -> Box:
    """The box of the portrait's face, in pixels."""
    return _portrait(person).face


def speech(seconds: float, person: int = PERSON) -> Audio:
    """Babble in that person's voice, at 16 kHz."""
    said = random_speech(np.random.default_rng([person, 1]), max(seconds, 1 / FPS))
    return Audio(said.samples[None, : round(seconds * RATE_HZ)], RATE_HZ)


def film(seconds: float, person: int = PERSON, *, head: bool = True, face: bool = True) -> Tensor:
    """Somebody else, who turns the head, makes faces, or both: (f, 3, 128, 128) at `FPS`."""
    states = driving_states(seconds, person, head=head, face=face)
    return as_frames([draw(draw_person(person + 1), state).picture for state in states])


def driving_states(
    seconds: float, person: int = PERSON, *, head: bool = True, face: bool = True
) -> list[State]:
    """What happens in `film`."""
    frames = max(round(seconds * FPS), 1)
    states = random_motion(np.random.default_rng([person, 2]), frames, FPS)
    moving = [name for name in State.names() if (head if name in HEAD else face)]
    return [towards(State(), state, moving, 1) for state in states]


def driving_face(person: int = PERSON) -> Box:
    """The box of the face in the first frame of `film`, in pixels."""
    return draw(draw_person(person + 1), driving_states(1 / FPS, person)[0]).face


def _portrait(person: int) -> Drawn:
    return draw(draw_person(person), State())


def _write_wav(path: Path, audio: Audio) -> None:
    whole = (np.clip(audio.samples[0], -1, 1) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate_hz)
        file.writeframes(whole.tobytes())
