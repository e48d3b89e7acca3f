"""A folder of clips to train on, one person each."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import ACTalkerError, InputError
from ...faces.landmarker import Landmarker
from ...geometry.mesh import FaceMesh
from ...media import VideoFrames
from ...models.tgdm.footage import Footage, read_footage

log = logging.getLogger("actalker_core")

FPS = 25.0
SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
HOLD_OUT_EVERY = 3
"""Of so many clips one is held out whole; of fewer, such a share of the frames of each."""


def read_folder(
    folder: Path, landmarker: Landmarker, mesh: FaceMesh, side_px: int
) -> list[Footage]:
    """The clips of a folder in the order of their names; those that cannot serve are warned of.

    Raises:
        InputError: no clip can serve.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    clips: list[Footage] = []
    share = 0.0 if len(paths) >= HOLD_OUT_EVERY else 1 / HOLD_OUT_EVERY
    for path in paths:
        frames = VideoFrames(path, FPS)
        try:
            clips.append(
                read_footage(
                    frames, landmarker, mesh, side_px, hold_out=share, name=path.name, fps=FPS
                )
            )
        except ACTalkerError as error:
            log.warning("%s is left out: %s", path.name, error)
    if not clips:
        raise InputError(
            f"{folder}: expected clips that show a face, got none. Choose a folder with "
            f"{', '.join(SUFFIXES)}."
        )
    return clips if share else hold_out_clips(clips)


def hold_out_clips(clips: list[Footage]) -> list[Footage]:
    """The same clips, every third of which is never trained on."""
    return [
        replace(clip, held_out=np.full(len(clip), i % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1))
        for i, clip in enumerate(clips)
    ]
