"""`python -m actalker_core.training`: train the networks that the pack ships."""

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
from .curriculum import ABLATIONS, STAGES, Curriculum, build_ablations
from .evaluation import EvaluationCase, Evaluator, Scores, evaluate
from .lips.command import add_lips
from .report import format_table, plot_curves, read_scores, replace_section, write_scores
from .tgdm.command import add_tgdm, add_tgdm_measures

log = logging.getLogger("actalker_core")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of this package become one line and exit code 1."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    cv2.setNumThreads(1)  # rendering is small work; torch needs the cores
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
    """The command line's options."""
    root = argparse.ArgumentParser(prog="python -m actalker_core.training", description=__doc__)
    add = root.add_subparsers(required=True, metavar="command").add_parser
    run = add("run", help="train, from where the folder's checkpoints stand")
    run.add_argument("stages", nargs="*", help=f"of {', '.join(STAGES)}; all by default")
    run.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    run.set_defaults(run=_run)
    export = add("export", help="write the trained model as one .safetensors")
    export.add_argument("--out", type=Path, required=True)
    export.set_defaults(run=_export)
    evaluation = add("evaluate", help="measure a model on identities that it was never trained on")
    evaluation.add_argument("--model", type=Path, help="a checkpoint (the built-in model)")
    evaluation.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    evaluation.add_argument("--out", type=Path, default=Path("measures"), help="folder (measures)")
    evaluation.add_argument("--plot", type=Path, help="file of the curves (OUT/curves.png)")
    evaluation.set_defaults(run=_evaluate)
    ablate = add("ablate", help="train the paper's ablations at one budget and measure them")
    ablate.add_argument("names", nargs="*", help=f"of {', '.join(ABLATIONS)}; all by default")
    ablate.add_argument("--steps", type=int, default=2000, help="of the denoiser (2000)")
    ablate.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    ablate.set_defaults(run=_ablate)
    add_lips(add)
    add_tgdm(add)
    add_tgdm_measures(add)
    for command in (evaluation, ablate):
        command.add_argument("--cases", type=int, default=4, help="how many (4)")
        command.add_argument("--frames", type=int, default=50, help="of a case (50)")
        command.add_argument(
            "--page", type=Path, action="append", default=[], help="gets the table; repeatable"
        )
    for command in (run, export, ablate):
        command.add_argument("--folder", type=Path, default=Path("training"))
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--base", type=Path, help="stands in for stages that are not there")
    run.add_argument("--base-steps", type=int, default=0, help="taken by its denoiser")
    for command in (run, evaluation, export, ablate):
        command.add_argument("--workers", type=int, default=0, help="processes that help (0)")
    return root


def _run(options: argparse.Namespace) -> None:
    curriculum = _make_curriculum(options)
    curriculum.deadline = time.monotonic() + 60 * options.minutes
    is_done = curriculum.run(tuple(options.stages) or STAGES)
    log.info("Done." if is_done else "Stopped; the same command goes on from here.")


def _export(options: argparse.Namespace) -> None:
    _make_curriculum(options).export(options.out)
    log.info("%s: %.1f MB", options.out, options.out.stat().st_size / 1e6)


def _evaluate(options: argparse.Namespace) -> None:
    model = load_built_in() if options.model is None else load(options.model)
    columns = {f"seed {seed}": _score(model, options, seed) for seed in options.seeds}
    case = EvaluationCase(options.cases, options.frames, model.config.sampling.fps)
    plot_curves(Evaluator(model), case, options.plot or options.out / "curves.png")
    _publish("measures", "", columns, options, options.out)


def _ablate(options: argparse.Namespace) -> None:
    deadline = time.monotonic() + 60 * options.minutes
    curricula = build_ablations(_make_curriculum(options), options.steps)
    file_name = f"measures_{options.steps}_steps_{options.cases}x{options.frames}_frames.json"
    paths = {name: c.stage_folder("denoiser") / file_name for name, c in curricula.items()}
    for name in options.names or curricula:
        check_choice("ablation", name, tuple(curricula))
        if paths[name].is_file():
            continue
        curriculum = replace(curricula[name], deadline=deadline)
        if not curriculum.run(("denoiser",)):
            log.info("Stopped; the same command goes on from here.")
            return
        write_scores({name: _score(curriculum.load_model(), options)}, paths[name])
    budget = f"Budget: {options.steps} steps of the denoiser each. "
    columns = read_scores(paths.values())
    _publish("ablations", budget, columns, options, options.folder / "ablations")


def _score(model: ACTalker, options: argparse.Namespace, seed: int = 0) -> Scores:
    return evaluate(model, options.cases, options.frames, seed, options.workers)


def _publish(
    mark: str, budget: str, columns: dict[str, Scores], options: argparse.Namespace, folder: Path
) -> None:
    """Scores as JSON into a folder, as a table into the pages and onto the terminal."""
    write_scores(columns, folder / "measures.json")
    cases = f"Cases: {options.cases}, each of {options.frames} frames. Means:"
    text = f"{budget}{cases}\n\n{format_table(columns)}"
    sys.stdout.write(text + "\n")
    for page in options.page:
        replace_section(page, mark, text)


def _make_curriculum(options: argparse.Namespace) -> Curriculum:
    return Curriculum(
        options.folder,
        base=options.base,
        base_steps=getattr(options, "base_steps", 0),
        device=torch.device(options.device),
        workers=options.workers,
    )


if __name__ == "__main__":
    sys.exit(main())
