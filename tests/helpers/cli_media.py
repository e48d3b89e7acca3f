"""Small media and what is made of them, for the tests of the command line."""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.cli import main

FACES = ("--face-box", "whole", "--driving-box", "whole")
SMALL = ("--model", "built-in", "--size", "64", "--steps", "1")
UNGUIDED = ("--appearance-scale", "1", "--audio-scale", "1", "--expression-scale", "1")
"""One of the four passes is enough."""
BRIEF = ("--frames", "2")
FPS = 12.5
AUDIO_FRAMES, DRIVING_FRAMES = 7, 5
"""That the media last at this rate."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Media:
    """What an artist brings: 0.6 s of speech and 0.4 s of a driving clip."""

    folder: Path

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True)
class Video:
    """A finished video: images (f, h, w, 3), frames per second, seconds of sound.

    Frames are those before coding, (f, 3, h, w): a coder may store equal images differently.
    """

    images: Pixels
    fps: float
    audio_seconds: float
    frames: Tensor | None = None


Animate = Callable[..., Video]
"""Runs `generate`; see the fixture of this name."""


def watch(path: Path) -> Video:
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    seconds = Fraction(0)
    with av.open(str(path)) as container:
        if container.streams.audio:
            seconds = sum((Fraction(f.samples, f.rate) for f in container.decode(audio=0)), seconds)
    return Video(np.stack(images), rate, float(seconds))


def write_picture(path: Path, rgb: NDArray[np.generic]) -> None:
    cv2.imwrite(str(path), rgb.astype(np.uint8)[..., ::-1])


def write_speech(path: Path) -> None:
    t = np.arange(round(0.6 * 16_000)) / 16_000
    voice = 0.4 * np.sin(2 * np.pi * 150 * t * (1 + t)) * np.sin(2 * np.pi * 4 * t)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((voice * 32767).astype("<i2").tobytes())


def moving(frames: int) -> torch.Tensor:
    """A bright bar that walks over a dark picture."""
    clip = torch.full((frames, 3, 64, 64), 0.2)
    for i in range(frames):
        clip[i, :, 10:50, 5 * i : 5 * i + 12] = 0.9
    return clip


def request_of(
    media: Media, out: Path, signals: str, *options: str, faces: tuple[str, ...] = FACES
) -> list[str]:
    """`generate` with "audio", "driving" or both, and more options."""
    request = ["generate", "--portrait", media["portrait.png"], "--out", str(out), *SMALL, *faces]
    for name, file in (("audio", "speech.wav"), ("driving", "driving.mp4")):
        if name in signals:
            request += [f"--{name}", media[file]]
    return [*request, *UNGUIDED, *options]


def same_frames(a: Video, b: Video) -> bool:
    assert a.frames is not None
    assert b.frames is not None
    return torch.equal(a.frames, b.frames)


def read_error(arguments: list[str], caplog: pytest.LogCaptureFixture) -> str:
    """What a failing command says, which must be one line."""
    caplog.clear()
    assert main(arguments) == 1
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "\n" not in errors[0]
    assert not any(record.exc_info for record in caplog.records)
    return errors[0]
