"""`swap`: a face of a picture on a face of a clip -> video that says so."""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import limits
from ..errors import MediaError
from ..faces import find_face, open_landmarker, track_face
from ..faces.face import to_pixels
from ..geometry.mesh import load_mesh
from ..media import (
    Audio,
    VideoFrames,
    check_video_path,
    has_audio,
    load_audio,
    load_image,
    read_nominal_fps,
    write_video,
)
from ..models.tgdm.checkpoint import BUILT_IN, load_network
from ..models.tgdm.pipeline import PLACES
from ..models.tgdm.sampling import Sampling
from ..models.tgdm.swap import Swap, SwapTarget, choose_frames, swap_frames
from . import types
from .arguments import add_landmarker
from .device import choose_device
from .progress import Bars

log = logging.getLogger(__name__)

LABEL = "face swapped by ACTalker for ComfyUI, TGDM"
METADATA = {"swap": LABEL, "comment": LABEL}
"""What every swapped video says of itself; the comment is what players show."""


def add_swap(parser: argparse.ArgumentParser) -> None:
    """The options of `swap`."""
    add, usual = parser.add_argument, Sampling()
    add("--source", type=types.parse_path, required=True, help="picture whose face is put on")
    add("--target", type=types.parse_path, required=True, help="clip that gets the face")
    add(
        "--out",
        type=types.parse_path,
        required=True,
        help="video to write: .mp4, .mov, .mkv or .webm, which say that a face is swapped; .gif "
        "and images cannot",
    )
    add("--tgdm", type=types.parse_place, default=BUILT_IN, help=f"or a file ({BUILT_IN})")
    for name, picture in (("--face", "target"), ("--source-face", "source")):
        text = f"of the {picture}: largest, left, right, centre, or an index (largest)"
        add(name, type=types.parse_face, default="largest", help=text)
    add(
        "--steps",
        type=types.integer_parser(limits.REFINE_STEPS),
        default=usual.steps,
        help=f"of diffusion after the first answer ({usual.steps})",
    )
    add(
        "--place",
        choices=PLACES,
        default=PLACES[0],
        help="what the network may change: all of the face, or what the source does not show of "
        f"it alone ({PLACES[0]})",
    )
    add("--seed", type=types.integer_parser(limits.SEED), default=0, help="of the noise (0)")
    add(
        "--frames",
        type=types.integer_parser(limits.FRAMES),
        help="at most so many frames (all)",
    )
    add(
        "--fps",
        type=types.number_parser(limits.FPS),
        help="frames per second (the target's)",
    )
    add("--device", default="auto", help="auto, cpu or cuda (auto)")
    add_landmarker(parser)


def run_swap(options: argparse.Namespace) -> None:
    """Picture + clip -> video."""
    fps = options.fps or read_nominal_fps(options.target)
    check_video_path(options.out, fps)
    device = choose_device(options.device)
    network = load_network(options.tgdm, device)
    with Bars() as bars:
        landmarker = open_landmarker(options.landmarker, report=bars.report)
        image = load_image(options.source)
        face = find_face(landmarker, image, options.source_face, "source")
        assert face.landmarks is not None  # the landmarker finds no face without them
        clip = TargetFrames(options.target, fps, options.frames)
        track = track_face(
            landmarker,
            clip.tensors,
            options.face,
            "target",
            lambda done: bars.report("Finding faces", done, options.frames),
            fps,
        )
        assert track.landmarks is not None
        target = SwapTarget(
            track.landmarks, landmarker.blendshapes(track.landmarks), choose_frames(track)
        )
        swap = Swap(
            network,
            load_mesh(landmarker.path),
            to_pixels(image),
            face.landmarks,
            Sampling(options.steps),
            options.seed,
            options.place,
        )
        chunks = (
            torch.from_numpy(frame).movedim(-1, 0)[None]
            for frame in swap_frames(swap, target, clip)
        )
        reported_chunks = bars.report_chunks(chunks, len(track), "Swapping")
        sound = read_sound(options.target, len(track) / fps)
        count = write_video(options.out, reported_chunks, fps, sound, METADATA)
    log.info("%s: %d frames at %g fps", options.out, count, fps)


@dataclass(frozen=True)
class TargetFrames:
    """The frames (H, W, 3) of a clip; each reading begins anew.

    Attributes:
        path: of the clip.
        fps: at which it is read.
        max_frames: at most so many; None for all.
    """

    path: Path
    fps: float
    max_frames: int | None

    @cached_property
    def tensors(self) -> Iterator[Tensor]:
        """The frames (3, H, W), once."""
        return islice(iter(VideoFrames(self.path, self.fps)), self.max_frames)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        frames = islice(iter(VideoFrames(self.path, self.fps)), self.max_frames)
        return map(to_pixels, frames)


def read_sound(path: Path, seconds: float) -> Audio | None:
    """The clip's own sound; None without one, or where it cannot be read."""
    try:
        return load_audio(path, seconds) if has_audio(path) else None
    except MediaError as error:  # the picture is what was asked for
        log.warning("The target's sound is left out: %s", error)
        return None
