"""MediaPipe's landmarker with damage, or with networks in each other's place."""

import io
import random
import zipfile
from functools import cache
from pathlib import Path

import torch
from helpers.recorded_faces import TASK

from actalker_core.faces import open_finder
from fuzz.mutations import damage, repack

NAMES = ("face_detector", "face_landmarks_detector", "face_blendshapes")


@cache
def archive() -> bytes:
    """The real one where it lies; else an archive whose networks are none."""
    if TASK.is_file():
        return TASK.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in NAMES:
            file.writestr(f"{name}.tflite", b"\x1c\0\0\0TFL3" + bytes(2000))
    return content.getvalue()


def prepare() -> None:
    """Make what is damaged."""
    archive()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Open it, and look for a face where none is."""
    path = inside / "face_landmarker.task"
    path.write_bytes(rng.choice((damage, repack, repack))(rng, archive()))
    picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    finder = open_finder(path)
    faces = [*finder.find(picture), finder.find_near(picture, (8.0, 8.0, 56.0, 56.0))]
    for face in faces:
        assert face is None or all(abs(edge) < 1e4 for edge in face.box)
