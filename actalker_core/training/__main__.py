"""`python -m actalker_core.training`: train the built-in model, and measure it."""

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from ..errors import ACTalkerError, check_choice
from ..models.actalker.checkpoint import load, load_built_in
from ..models.actalker.networks import ACTalker
from .course import ABLATIONS, STAGES, Course, ablations
from .evaluate import Measured, Scene, Studio, measure
from .report import draw_curves, put_into, read_measures, table, write_measures

log = logging.getLogger("actalker_core")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of this package become one line and exit code 1."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    cv2.setNumThreads(1)  # drawing is small work; torch needs the cores
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except ACTalkerError as error:
        log.error("Error: %s", error)
        return 1
    except KeyboardInterrupt:
        log.error("Interrupted; the last checkpoint stays.")
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(prog="python -m actalker_core.training", description=__doc__)
    add = whole.add_subparsers(required=True, metavar="command").add_parser
    run = add("run", help="train, from where the folder's checkpoints stand")
    run.add_argument("stages", nargs="*", help=f"of {', '.join(STAGES)}; all by default")
    run.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    run.set_defaults(run=_run)
    export = add("export", help="write what was learnt as one .safetensors")
    export.add_argument("--out", type=Path, required=True)
    export.set_defaults(run=_export)
    evaluate = add("evaluate", help="measure a model on people it was never trained on")
    evaluate.add_argument("--model", type=Path, help="a checkpoint (the built-in model)")
    evaluate.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    evaluate.add_argument("--out", type=Path, default=Path("measures"), help="folder (measures)")
    evaluate.set_defaults(run=_evaluate)
    ablate = add("ablate", help="train the paper's ablations at one budget and measure them")
    ablate.add_argument("names", nargs="*", help=f"of {', '.join(ABLATIONS)}; all by default")
    ablate.add_argument("--steps", type=int, default=2000, help="of the denoiser (2000)")
    ablate.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    ablate.set_defaults(run=_ablate)
    for command in (evaluate, ablate):
        command.add_argument("--scenes", type=int, default=4)
        command.add_argument("--frames", type=int, default=50, help="of a scene (50)")
        command.add_argument(
            "--page", type=Path, action="append", default=[], help="gets the table; repeatable"
        )
    for command in (run, export, ablate):
        command.add_argument("--folder", type=Path, default=Path("training"))
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--base", type=Path, help="stands in for stages that are not there")
    run.add_argument("--base-steps", type=int, default=0, help="of its denoiser; goes on from it")
    for command in (run, evaluate, export, ablate):
        command.add_argument("--workers", type=int, default=0, help="processes that help (0)")
    return whole


def _run(options: argparse.Namespace) -> None:
    course = _course(options)
    course.until = time.monotonic() + 60 * options.minutes
    done = course.run(tuple(options.stages) or STAGES)
    log.info("Done." if done else "Stopped; the same command goes on from here.")


def _export(options: argparse.Namespace) -> None:
    _course(options).export(options.out)
    log.info("%s: %.1f MB", options.out, options.out.stat().st_size / 1e6)


def _evaluate(options: argparse.Namespace) -> None:
    model = load_built_in() if options.model is None else load(options.model)
    columns = {f"seed {seed}": _measured(model, options, seed) for seed in options.seeds}
    scene = Scene(options.scenes, options.frames, model.config.sampling.fps)
    draw_curves(Studio(model), scene, options.out / "curves.png")
    _publish("measures", "", columns, options, options.out)


def _ablate(options: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * options.minutes
    courses = ablations(_course(options), options.steps)
    kept = f"measures_{options.steps}_steps_{options.scenes}x{options.frames}_frames.json"
    for name in options.names or courses:
        check_choice("ablation", name, tuple(courses))
        course = replace(courses[name], until=until)
        path = course.denoiser_home / kept
        if path.is_file():
            continue
        if not course.run(("diffusion",)):
            log.info("Stopped; the same command goes on from here.")
            return
        write_measures({name: _measured(course.model(), options)}, path)
    columns = read_measures(course.denoiser_home / kept for course in courses.values())
    budget = f"Budget: {options.steps} steps of the denoiser each. "
    _publish("ablations", budget, columns, options, options.folder / "ablations")


def _measured(model: ACTalker, options: argparse.Namespace, seed: int = 0) -> Measured:
    return measure(model, options.scenes, options.frames, seed, options.workers)


def _publish(
    mark: str, about: str, columns: dict[str, Measured], options: argparse.Namespace, folder: Path
) -> None:
    """Measures as JSON into a folder, as a table into the pages and onto the terminal."""
    write_measures(columns, folder / "measures.json")
    scenes = f"Scenes: {options.scenes}, each of {options.frames} frames. Means:"
    text = f"{about}{scenes}\n\n{table(columns)}"
    sys.stdout.write(text + "\n")
    for page in options.page:
        put_into(page, mark, text)


def _course(options: argparse.Namespace) -> Course:
    return Course(
        options.folder,
        base=options.base,
        base_steps=getattr(options, "base_steps", 0),
        device=torch.device(options.device),
        workers=options.workers,
    )


if __name__ == "__main__":
    sys.exit(main())
