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

from ..errors import ACTalkerError
from .course import STAGES, Course

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
    for command in (run, export):
        command.add_argument("--folder", type=Path, default=Path("training"))
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return whole


def _run(options: argparse.Namespace) -> None:
    course = _course(options)
    course.until = time.monotonic() + 60 * options.minutes
    done = course.run(tuple(options.stages) or STAGES)
    log.info("Done." if done else "Stopped; the same command goes on from here.")


def _export(options: argparse.Namespace) -> None:
    _course(options).export(options.out)
    log.info("%s: %.1f MB", options.out, options.out.stat().st_size / 1e6)


def _course(options: argparse.Namespace) -> Course:
    return Course(options.folder, device=torch.device(options.device))


if __name__ == "__main__":
    sys.exit(main())
