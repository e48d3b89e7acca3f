"""`python -m actalker_core.training tgdm …`: train the second family, and measure it."""

import argparse
import logging
import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ...errors import check_choice
from ...faces import open_landmarker
from ...faces.landmarker_file import require_landmarker
from ...geometry.mesh import load_mesh
from ...learning.trainer import Objective, TrainConfig, Trainer
from ...media import VideoFrames, save_image
from ...models.tgdm.checkpoint import BUILT_IN, BUILT_IN_PATH, load_network, save_network
from ...models.tgdm.config import VARIANTS
from ...models.tgdm.footage import read_footage
from ...models.tgdm.network import TGDM
from ...models.tgdm.personal_objective import PersonalObjective
from ..report import read_scores, replace_section, write_scores
from .ablations import ABLATIONS, measure_ablation, train_ablation
from .clip_folder import FPS, read_folder
from .measures import Scores, format_measures, measure_people
from .objective import TGDMObjective
from .pairs import PairMaker
from .personal_measures import measure_personal
from .swap_measures import measure_swaps

log = logging.getLogger("actalker_core")

RECIPE = TrainConfig(
    steps=20_000,
    batch_size=8,
    learning_rate=1e-3,
    muon_rate=0.01,
    ema_decay=0.999,
    log_every=100,
)


def add_tgdm(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    train = add(
        "tgdm", help="train TGDM on drawn people, from where the folder's checkpoint stands"
    )
    train.add_argument("--clips", type=Path, help="folder of clips, one person each, instead")
    train.add_argument("--variant", default="built-in", help=f"of {', '.join(VARIANTS)} (built-in)")
    train.add_argument("--steps", type=int, default=RECIPE.steps, help=f"({RECIPE.steps})")
    train.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    train.add_argument("--folder", type=Path, default=Path("training/tgdm"))
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument("--workers", type=int, default=0, help="processes that draw pairs (0)")
    train.set_defaults(run=_train)


def add_tgdm_measures(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands that write the trained network and say what it reaches."""
    export = add("tgdm-export", help="write the trained TGDM as one .safetensors")
    export.add_argument(
        "--variant", default="built-in", help=f"of {', '.join(VARIANTS)} (built-in)"
    )
    export.add_argument("--folder", type=Path, default=Path("training/tgdm"))
    export.add_argument("--out", type=Path, default=BUILT_IN_PATH, help="(into the package)")
    export.set_defaults(run=_export)
    measures = add("tgdm-measure", help="measure TGDM on drawn people that it was never trained on")
    measures.add_argument("--file", default=BUILT_IN, help="that the network is in (built-in)")
    measures.add_argument("--people", type=int, default=12, help="(12)")
    measures.add_argument("--frames", type=int, default=25, help="of each (25)")
    measures.add_argument("--page", type=Path, help="gets the table")
    measures.set_defaults(run=_measure)
    swaps = add("tgdm-swap-measure", help="measure face swaps of drawn people")
    swaps.add_argument("--file", default=BUILT_IN, help="that the network is in (built-in)")
    swaps.add_argument("--pairs", type=int, default=6, help="of people (6)")
    swaps.add_argument("--frames", type=int, default=16, help="of each (16)")
    swaps.add_argument("--page", type=Path, help="gets the table")
    swaps.set_defaults(run=_measure_swaps)
    ablate = add("tgdm-ablate", help="train TGDM without each of its parts and measure it")
    ablate.add_argument("--minutes", type=float, default=8.0, help="of the processor, for each (8)")
    ablate.add_argument("--people", type=int, default=8, help="that are measured (8)")
    ablate.add_argument("--frames", type=int, default=25, help="of each (25)")
    ablate.add_argument("--folder", type=Path, default=Path("training/tgdm-ablations"))
    ablate.add_argument("--page", type=Path, help="gets the table")
    ablate.set_defaults(run=_ablate)
    personal = add("tgdm-personal-measure", help="measure personal weights on their clip")
    personal.add_argument("--clip", type=Path, required=True)
    personal.add_argument("--file", required=True, help="that `personal` wrote")
    personal.add_argument("--hold-out", type=float, default=0.34, help="as in training (0.34)")
    personal.add_argument("--frames", type=int, default=48, help="of those, at most (48)")
    personal.add_argument("--sheet", type=Path, help="image of moved, finished and truth")
    personal.set_defaults(run=_measure_personal)


def _export(options: argparse.Namespace) -> None:
    check_choice("Variant", options.variant, VARIANTS)
    network = TGDM(VARIANTS[options.variant])
    mesh = load_mesh(require_landmarker())
    trainer = Trainer(TGDMObjective(RECIPE, network, mesh), options.folder, torch.device("cpu"))
    trainer.swap_ema()
    save_network(network, options.out)
    log.info("%s: %d steps, %.1f MB", options.out, trainer.step, options.out.stat().st_size / 1e6)


def _measure(options: argparse.Namespace) -> None:
    network = load_network(options.file)
    maker = PairMaker(load_mesh(require_landmarker()))
    columns = measure_people(network, maker, options.people, options.frames)
    text = f"{options.people} people, {options.frames} frames of each. Means:\n\n"
    _publish("tgdm", text + format_measures(columns), options.page)


def _measure_swaps(options: argparse.Namespace) -> None:
    network = load_network(options.file)
    maker = PairMaker(load_mesh(require_landmarker()))
    columns = measure_swaps(network, maker, options.pairs, options.frames)
    text = f"{options.pairs} pairs of people, {options.frames} frames of each. Means:\n\n"
    _publish("tgdm-swaps", text + format_measures(columns), options.page)


def _ablate(options: argparse.Namespace) -> None:
    mesh = load_mesh(require_landmarker())
    columns: dict[str, Scores] = {}
    for name in ABLATIONS:
        folder = options.folder / name.replace(" ", "-")
        scores_file = folder / "measures.json"
        if not scores_file.is_file():  # a run that was stopped goes on with what is missing
            shutil.rmtree(folder, ignore_errors=True)  # half a training has no known time
            config, seconds = VARIANTS[BUILT_IN], 60 * options.minutes
            trainer = train_ablation(name, config, RECIPE, mesh, folder, seconds)
            scores = measure_ablation(trainer, options.people, options.frames)
            write_scores({name: scores}, scores_file)
        columns |= read_scores([scores_file])
    text = f"{options.minutes:g} minutes of one core each. Means of {options.people} people:\n\n"
    _publish("tgdm-ablations", text + format_measures(columns), options.page)


def _publish(mark: str, text: str, page: Path | None) -> None:
    """A table onto the terminal, and into its section of a page."""
    sys.stdout.write(text + "\n")
    if page is not None:
        replace_section(page, mark, text)


def _measure_personal(options: argparse.Namespace) -> None:
    network = load_network(options.file)
    landmarker = open_landmarker(None)
    mesh = load_mesh(landmarker.path)
    footage = read_footage(
        VideoFrames(options.clip, FPS),
        landmarker,
        mesh,
        network.config.side_px,
        hold_out=options.hold_out,
        fps=FPS,
    )
    objective = PersonalObjective(RECIPE, network, [footage], mesh)
    columns, gains, sheet = measure_personal(objective, landmarker, options.frames)
    text = f"{int(footage.held_out.sum())} of {len(footage)} frames held out. From the nearest:\n\n"
    text += format_measures(columns)
    text += "\n\nRegression less colour matched, from each source:\n\n"
    text += format_measures({f"frame {s}": g for s, g in zip(footage.sources, gains, strict=True)})
    sys.stdout.write(text + "\n")
    if options.sheet is not None:
        save_image(options.sheet, torch.from_numpy(sheet).movedim(-1, 0).float() / 255)


def _train(options: argparse.Namespace) -> None:
    check_choice("Variant", options.variant, VARIANTS)
    torch.manual_seed(RECIPE.seed)
    network = TGDM(VARIANTS[options.variant])
    config = replace(RECIPE, steps=options.steps)
    mesh = load_mesh(require_landmarker())
    objective: Objective
    if options.clips is None:
        objective = TGDMObjective(config, network, mesh)
    else:
        clips = read_folder(options.clips, open_landmarker(None), mesh, network.config.side_px)
        objective = PersonalObjective(config, network, clips, mesh, "tgdm-clips")
    trainer = Trainer(objective, options.folder, torch.device(options.device), options.workers)
    trainer.train(deadline=time.monotonic() + 60 * options.minutes)
    log.info("Done." if trainer.done else "Stopped; the same command goes on from here.")
