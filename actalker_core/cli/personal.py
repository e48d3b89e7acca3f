"""`personal`: a clip of one person -> weights of TGDM for that person."""

import argparse
import logging
import math
import time
from dataclasses import replace
from pathlib import Path

import torch

from .. import limits
from ..faces import open_landmarker
from ..files.writing import check_suffix, check_writable
from ..geometry.mesh import load_mesh
from ..media import VideoFrames, save_image
from ..models.photograph.plan import DEFAULT_FPS
from ..models.tgdm.checkpoint import BUILT_IN
from ..models.tgdm.config import VARIANTS
from ..models.tgdm.footage import read_footage
from ..models.tgdm.personal import RECIPE, Progress, open_start, train_personal
from ..models.tgdm.personal_objective import PersonalObjective
from . import arguments, types
from .device import choose_device
from .progress import Bars

log = logging.getLogger(__name__)

SAMPLES_FILE = "samples.png"
SAMPLE_SECONDS = 60.0


def add_personal(parser: argparse.ArgumentParser) -> None:
    """What is learnt from, how long, and what is written."""
    add = parser.add_argument
    add("--clip", type=types.parse_path, required=True, help="video of one person, 10 s or more")
    add("--out", type=types.parse_path, required=True, help=".safetensors to write")
    add(
        "--steps",
        type=types.integer_parser(limits.TRAINING_STEPS),
        default=RECIPE.steps,
        help=f"in total; the rate of learning falls towards the last ({RECIPE.steps})",
    )
    add(
        "--minutes",
        type=types.number_parser(limits.TRAINING_MINUTES),
        help="stop after so long; the same command goes on (none)",
    )
    add(
        "--folder",
        type=types.parse_path,
        help="of checkpoint, log and samples (me.training beside me.safetensors)",
    )
    add(
        "--variant",
        choices=tuple(VARIANTS),
        default=BUILT_IN,
        help=f"of the network; all but {BUILT_IN} start from chance ({BUILT_IN})",
    )
    add("--start", type=types.parse_path, help="a file of TGDM to start from (the built-in one)")
    add(
        "--hold-out",
        type=types.number_parser(limits.HOLD_OUT_SHARE),
        default=0.0,
        help="share of the frames, those that move most, that are only measured (0)",
    )
    add(
        "--face",
        type=types.parse_face,
        default="largest",
        help="largest, left, right, centre, or an index, in the first frame (largest)",
    )
    arguments.add_landmarker(parser)
    add("--device", default="auto", help="auto, cpu or cuda (auto)")


def run_personal(options: argparse.Namespace) -> None:
    """A clip of one person -> a file for `animate --refine tgdm:FILE`."""
    check_suffix(options.out, (".safetensors",))
    check_writable(options.out)
    device = choose_device(options.device)
    network = open_start(options.variant, options.start)
    if options.start is None and options.variant != BUILT_IN:
        log.warning("%s: nothing is shipped for it, so it starts from chance.", options.variant)
    folder: Path = options.folder or options.out.with_suffix(".training")
    minutes = math.inf if options.minutes is None else options.minutes
    with Bars() as bars:
        landmarker = open_landmarker(options.landmarker, report=bars.report)
        mesh = load_mesh(landmarker.path)
        clip = read_footage(
            VideoFrames(options.clip, DEFAULT_FPS),
            landmarker,
            mesh,
            network.config.side_px,
            hold_out=options.hold_out,
            choice=options.face,
            fps=DEFAULT_FPS,
            on_frame=lambda done: bars.report("Finding faces", done, None),
        )
        objective = PersonalObjective(replace(RECIPE, steps=options.steps), network, [clip], mesh)
        is_done = train_personal(
            objective,
            options.out,
            folder,
            device,
            deadline=time.monotonic() + 60 * minutes,
            on_progress=SampleWriter(folder / SAMPLES_FILE, bars),
        )
    end = "done" if is_done else "stopped; the same command goes on from here"
    log.info("%s: %s. Samples are in %s.", options.out, end, folder / SAMPLES_FILE)


class SampleWriter:
    """Shows how far the training is, and draws samples now and then."""

    def __init__(self, path: Path, bars: Bars) -> None:
        self._path, self._bars = path, bars
        self._due_at = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """See `train_personal`."""
        self._bars.report("Training", progress.step, progress.steps)
        if time.monotonic() >= self._due_at or progress.step == progress.steps:
            image = torch.from_numpy(progress.draw_samples()).movedim(-1, 0).float() / 255
            save_image(self._path, image)
            self._due_at = time.monotonic() + SAMPLE_SECONDS
