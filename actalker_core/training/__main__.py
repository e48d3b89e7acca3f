"""`python -m actalker_core.training`: train the built-in model, and measure it."""

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from ..checkpoint import load, load_built_in
from ..errors import ACTalkerError
from .course import STAGES, Course, ablations
from .evaluate import Scene, Studio, measure
from .report import draw_curves, put_into, table, write_measures

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
    measures = add("evaluate", help="measure a model on people it was never trained on")
    measures.add_argument("--model", type=Path, help="a checkpoint (the built-in model)")
    measures.add_argument("--scenes", type=int, default=4)
    measures.add_argument("--frames", type=int, default=50, help="of a scene (50)")
    measures.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    measures.add_argument("--out", type=Path, default=Path("measures"), help="folder (measures)")
    measures.add_argument(
        "--page", type=Path, action="append", default=[], help="whose table is replaced; repeatable"
    )
    measures.set_defaults(run=_evaluate)
    ablate = add("ablate", help="train the paper's ablations at one budget and measure them")
    ablate.add_argument("--steps", type=int, default=2000, help="of the denoiser (2000)")
    ablate.add_argument("--scenes", type=int, default=4)
    ablate.add_argument("--frames", type=int, default=50, help="of a scene (50)")
    ablate.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    ablate.add_argument("--page", type=Path, help="Markdown page whose table is replaced")
    ablate.set_defaults(run=_ablate)
    for command in (run, export, ablate):
        command.add_argument("--folder", type=Path, default=Path("training"))
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--workers", type=int, default=0, help="processes that draw (0)")
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
    columns = {
        f"seed {seed}": measure(model, options.scenes, options.frames, seed)
        for seed in options.seeds
    }
    write_measures(columns, options.out / "measures.json")
    scene = Scene(options.scenes + 1, options.frames, model.config.sampling.fps)
    draw_curves(Studio(model), scene, options.out / "curves.png")
    sys.stdout.write(table(columns) + "\n")
    for page in options.page:
        put_into(page, "measures", table(columns))


def _ablate(options: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * options.minutes
    columns = {}
    for name, course in ablations(_course(options), options.steps).items():
        course.until = until
        if not course.run(("diffusion",)):
            log.info("Stopped; the same command goes on from here.")
            return
        columns[name] = measure(course.model(), options.scenes, options.frames)
    write_measures(columns, options.folder / "ablations" / "measures.json")
    sys.stdout.write(table(columns) + "\n")
    if options.page is not None:
        put_into(options.page, "ablations", table(columns))


def _course(options: argparse.Namespace) -> Course:
    return Course(options.folder, device=torch.device(options.device), workers=options.workers)


if __name__ == "__main__":
    sys.exit(main())
