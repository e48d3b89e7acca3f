"""Something to animate on a machine that has nothing: a drawn face, a hummed vowel, a nod."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import MediaError
from .media import Audio, write_video

Picture = NDArray[np.uint8]

SIZE_PX = 256
SECONDS = 2.0
RATE_HZ = 16_000
FPS = 25.0
FACE = (66.0, 50.0, 190.0, 206.0)
"""Box of the face at rest, in pixels."""

BACKGROUND, HAIR, SKIN, LIPS, DARK, WHITE = (
    (196, 170, 148),
    (52, 60, 88),
    (168, 196, 232),
    (96, 92, 190),
    (40, 36, 34),
    (245, 245, 245),
)  # BGR


def write_demo(folder: Path) -> tuple[Path, Path, Path]:
    """Draw portrait.png, hum speech.mp4 and film driving.mp4 into a folder; return their paths.

    Raises:
        MediaError: the folder cannot be written to.
    """
    portrait, speech, driving = (folder / n for n in ("portrait.png", "speech.mp4", "driving.mp4"))
    still = _pictures([draw_face(0, 0)]).expand(round(SECONDS * FPS), -1, -1, -1)
    write_video(speech, [still], FPS, hum(SECONDS))
    write_video(driving, [film(SECONDS)], FPS)
    if not cv2.imwrite(str(portrait), draw_face(0, 0)):
        raise MediaError(f"{portrait}: cannot be written. Choose another folder.")
    return portrait, speech, driving


def portrait() -> Tensor:
    """The face at rest: (3, 256, 256) in 0…1."""
    return _pictures([draw_face(0, 0)])[0]


def film(seconds: float, *, head: bool = True, face: bool = True) -> Tensor:
    """The face at `FPS`, turning its head, moving its mouth, or both: (f, 3, 256, 256) in 0…1."""
    times = np.arange(max(round(seconds * FPS), 1)) / FPS
    turns, mouths = head * np.sin(3 * times), face * (0.5 - 0.5 * np.cos(9 * times))
    return _pictures([draw_face(turn, mouth) for turn, mouth in zip(turns, mouths, strict=True)])


def draw_face(turn: float, mouth: float) -> Picture:
    """A face of 256×256, BGR; turn in −1…1 moves its features, mouth in 0…1 opens it."""
    canvas = np.full((SIZE_PX, SIZE_PX, 3), BACKGROUND, np.uint8)
    dx = round(14 * turn)
    _ellipse(canvas, (128, 108), (76, 88), HAIR)
    _ellipse(canvas, (128, 290), (110, 80), HAIR)
    _ellipse(canvas, (128, 128), (60, 76), SKIN)
    for side in (-24, 24):
        _ellipse(canvas, (128 + side + dx, 116), (13, 8), WHITE)
        _ellipse(canvas, (128 + side + dx, 116), (6, 6), DARK)
        _ellipse(canvas, (128 + side + dx, 99), (15, 3), HAIR)
    _ellipse(canvas, (128 + dx, 142), (6, 9), (140, 168, 210))
    _ellipse(canvas, (128 + dx, 174), (22, 5 + round(9 * mouth)), LIPS)
    _ellipse(canvas, (128 + dx, 174), (16, round(8 * mouth)), DARK)
    return canvas


def _ellipse(
    canvas: Picture, centre: tuple[int, int], axes: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)


def hum(seconds: float) -> Audio:
    """A vowel whose loudness and pitch move as in speech."""
    t = np.arange(max(round(seconds * RATE_HZ), 1)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.7 * t)) / RATE_HZ
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    loudness = np.clip(np.sin(2 * np.pi * 2.1 * t), 0, 1)
    return Audio((0.25 * voice * loudness)[None].astype(np.float32), RATE_HZ)


def _pictures(frames: list[Picture]) -> Tensor:
    """BGR pictures -> (n, 3, H, W) RGB in 0…1."""
    rgb = np.stack(frames)[..., ::-1].copy()
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255
