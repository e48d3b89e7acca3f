"""A clip of one person -> a network that knows this person."""

import hashlib
import math
import time
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from comfy_api.latest import io
from PIL import Image

from ...actalker_core import limits
from ...actalker_core.errors import InputError, quote
from ...actalker_core.files.archive import read_format
from ...actalker_core.models.tgdm.checkpoint import FORMAT, load_network
from ...actalker_core.models.tgdm.footage import Footage, read_footage
from ...actalker_core.models.tgdm.personal import RECIPE, Progress, open_start, train_personal
from ...actalker_core.models.tgdm.personal_objective import PersonalObjective
from ..common import checks, convert, files, sockets
from ..common.defaults import to_option
from ..common.node_text import list_warnings, show, show_warnings
from ..common.progress import PREVIEW_PX, Bar, StageBar, show_stages
from ..face.motion import READING
from ..face.portrait import check_landmark_face, landmark_face_inputs
from .bridge.network import make_room, read_network

TRAINING = "Training"
STAGES = {READING: 5.0, TRAINING: 100.0}
"""Stage -> its part of the time."""
SAMPLE_SECONDS = 20.0
"""Between two pictures of what the network makes by now."""
LOSS_STEPS = 20
"""Of whose losses the mean is shown."""
DIGEST_LETTERS = 8

stops: Counter[str | None] = Counter()
"""How often the training of a name was stopped before its end: it then goes on when it is queued
again, where ComfyUI would take the result that it has."""


def check_name(name: str) -> Path:
    """Where the network of a name goes.

    Raises:
        InputError: a name that is no plain file name, or that of another kind of file.
    """
    path = files.new_model_path(name)
    files.training_folder(path.stem, "0" * DIGEST_LETTERS)
    if path.exists() and (kind := read_format(path)) != FORMAT:
        raise InputError(
            f"File name: expected a new name or that of a file of TGDM, got {quote(path.name)}, "
            f"whose format is {quote(kind)}. Choose another name."
        )
    return path


class TrainPersonal(checks.Node):
    """Frames -> network, samples."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Train Personal",
            "model",
            "Learns from a clip of one person how mouth, lids and hair of this person look. It may "
            "be stopped at any time, and goes on when it is queued again.",
            [
                sockets.frames_input(
                    "frames", "A clip of one person, 10 s or more: IMAGE, or VIDEO."
                ),
                sockets.driving_fps_input(),
                checks.with_check(
                    io.String.Input(
                        "file_name",
                        default="me",
                        tooltip="Name in models/actalker; a file of TGDM of that name is replaced.",
                    ),
                    check_name,
                ),
                sockets.own_input(
                    "steps",
                    limits.TRAINING_STEPS,
                    "In total; the rate of learning falls towards the last.",
                    meaning=f"{RECIPE.steps:,}",
                ),
                sockets.own_input(
                    "minutes",
                    limits.TRAINING_MINUTES,
                    "Stop after so long; queued again it goes on.",
                    1.0,
                    meaning="all steps",
                ),
                *landmark_face_inputs("Which face of the clip, if it shows several."),
            ],
            [
                sockets.TGDM.Output("tgdm", tooltip="What it learnt, for Refine With TGDM."),
                io.Image.Output(
                    "samples", tooltip="In each row: source, moved by geometry, finished, truth."
                ),
            ],
            aliases=["fine-tune", "finetune", "train", "learn person", "personalise", "tgdm"],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            advanced=["face_index"],
        )

    @classmethod
    def fingerprint_inputs(cls, file_name: str | None, **_: object) -> int:
        """Another one once the training was stopped, so that it goes on."""
        return stops[file_name]

    @classmethod
    @show_warnings
    def execute(
        cls,
        frames: Any,
        frames_per_second: float,
        file_name: str,
        steps: int,
        minutes: float,
        face: str,
        face_index: int,
    ) -> io.NodeOutput:
        """Read the clip, then learn from it."""
        out = check_name(file_name)
        all_steps = to_option(steps, limits.TRAINING_STEPS, meaning="the usual") or RECIPE.steps
        limit = to_option(minutes, limits.TRAINING_MINUTES, meaning="all steps")
        choice = check_landmark_face(face, face_index)
        clip = convert.stream_frames(frames, frames_per_second)
        # ComfyUI runs nodes where nothing can learn.
        with show_stages(cls, STAGES) as bar, torch.inference_mode(False), torch.enable_grad():
            network, mesh = open_start(), files.open_face_mesh()
            footage = read_footage(
                clip,
                files.open_landmarker(),
                mesh,
                network.config.side_px,
                choice=choice,
                fps=clip.fps,
                on_frame=Bar(clip.count, READING).count,
            )
            config = replace(RECIPE, steps=all_steps)
            objective = PersonalObjective(config, network, [footage], mesh)
            device = make_room()
            bar.remark(f"{len(footage):,} frames, up to {all_steps:,} steps on {device.type}")
            reporter = Reporter(bar, math.inf if limit is None else 60 * limit)
            folder = files.training_folder(out.stem, digest_footage(footage))
            is_done = train_personal(objective, out, folder, device, on_progress=reporter)
            stops[file_name] += not is_done
            objective.network = load_network(out, device)
            samples = torch.from_numpy(objective.draw_samples())
        images = convert.to_image(samples.movedim(-1, 0)[None] / 255)
        end = "" if is_done else " It was stopped: queue it again to go on."
        lines = [*list_warnings(), f"Written: {out}.{end}", *filter(None, [reporter.line])]
        return io.NodeOutput(read_network(out), images, ui=show(cls, "\n".join(lines)))


def digest_footage(footage: Footage) -> str:
    """A few letters that tell one clip from another, so that none goes on from another's."""
    digest = hashlib.sha256()
    for shot in footage.shots:
        digest.update(shot.image.tobytes())
    return digest.hexdigest()[:DIGEST_LETTERS]


class Reporter:
    """Shows how far a training is, its loss and its pictures, and ends it when its time is over.

    Args:
        limit_s: seconds that it may take.
    """

    def __init__(self, bar: StageBar, limit_s: float) -> None:
        self.line = ""
        self._stages_bar, self._bar = bar, Bar(1, TRAINING)
        self._start_s, self._limit_s = time.monotonic(), limit_s
        self._losses: deque[float] = deque(maxlen=LOSS_STEPS)
        self._due_s = self._start_s

    def __call__(self, progress: Progress) -> bool:
        """See `train_personal`."""
        now_s = time.monotonic()
        self._losses.append(progress.loss)
        self.line = f"Step {progress.step:,} of {progress.steps:,}: loss {fmean(self._losses):.4f}"
        self._stages_bar.remark(self.line)
        preview = None
        if now_s >= self._due_s:
            preview = ("JPEG", Image.fromarray(progress.draw_samples()), PREVIEW_PX)
            self._due_s = time.monotonic() + SAMPLE_SECONDS
        time_share = (now_s - self._start_s) / self._limit_s
        share = max(progress.step / progress.steps, time_share)
        self._bar.report(TRAINING, min(share, 1.0), 1.0, preview)
        return time_share < 1
