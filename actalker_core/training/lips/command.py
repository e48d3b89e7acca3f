"""`python -m actalker_core.training lips …`: make speech, train the network of lips, measure it."""

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ...control.motion.lips.network import WEIGHTS, load_network
from ...errors import InputError, check_choice
from ...learning.trainer import TrainConfig, Trainer
from ..report import replace_section
from .corpus import make_corpus, read_corpus
from .measures import format_scores, measure_all, network_reader
from .network import LipTrainee
from .objective import LipObjective
from .rivals import RIVALS
from .takes import TakeMaker
from .voices import HUMAN_HELD_OUT, LANGUAGES_HELD_OUT, TRAINING, VALIDATION

log = logging.getLogger("actalker_core")

RECIPE = TrainConfig(
    steps=12500, batch_size=12, learning_rate=2e-3, muon_rate=0.02, warmup_steps=20, log_every=100
)
VALID_SEED = 1
"""Of music and noise that no training step hears."""


def add_lips(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command with its actions to the command line."""
    lips = add("lips", help="the network of lips: make speech, train on it, measure")
    actions = lips.add_subparsers(required=True, metavar="action").add_parser
    corpus = actions("corpus", help="let espeak-ng, flite and festival speak; goes on from before")
    corpus.set_defaults(run=_make_corpus)
    train = actions("train", help="train, from where the folder's checkpoint stands")
    train.add_argument("--steps", type=int, default=RECIPE.steps, help=f"({RECIPE.steps})")
    train.set_defaults(run=_train)
    for action in (corpus, train):
        action.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    export = actions("export", help="write the trained network as one .safetensors")
    export.add_argument("--out", type=Path, default=WEIGHTS, help="(the package's own)")
    export.set_defaults(run=_export)
    measures = actions("measure", help="measure it on voices and languages that it never heard")
    measures.add_argument("--model", type=Path, default=WEIGHTS, help="(the package's own)")
    measures.add_argument(
        "--validation", action="store_true", help="on the voices that thresholds are chosen by"
    )
    measures.add_argument("--seconds", type=float, default=math.inf, help="of each case (all)")
    measures.add_argument(
        "--readers", nargs="+", default=["network"], help=f"of network, {', '.join(RIVALS)}"
    )
    measures.add_argument("--page", type=Path, action="append", default=[], help="gets the table")
    measures.set_defaults(run=_measure)
    for action in (corpus, train, export, measures):
        action.add_argument("--folder", type=Path, default=Path("training/lips"))


def _make_corpus(options: argparse.Namespace) -> None:
    is_done = make_corpus(options.folder / "corpus", options.minutes)
    log.info("Done." if is_done else "Stopped; the same command goes on from here.")


def _train(options: argparse.Namespace) -> None:
    trainer = _make_trainer(options.folder, options.steps)
    trainer.train(deadline=time.monotonic() + 60 * options.minutes)
    log.info("Done." if trainer.done else "Stopped; the same command goes on from here.")


def _export(options: argparse.Namespace) -> None:
    trainee = LipTrainee()
    checkpoint = options.folder / f"{LipObjective.name}.pt"
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: expected a checkpoint, got nothing. Train first.")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    trainee.load_state_dict(state["network"])
    trainee.export(options.out)
    log.info("%s: %.2f MB", options.out, options.out.stat().st_size / 1e6)


def _measure(options: argparse.Namespace) -> None:
    choices = {"network": network_reader(load_network(options.model)), **RIVALS}
    for name in options.readers:
        check_choice("reader", name, choices)
    readers = {name: choices[name] for name in options.readers}
    parts = [VALIDATION] if options.validation else [LANGUAGES_HELD_OUT, HUMAN_HELD_OUT]
    speeches = read_corpus(options.folder / "corpus", parts)
    table = format_scores(measure_all(speeches, readers, options.seconds))
    sys.stdout.write(table + "\n")
    for page in options.page:
        replace_section(page, "lips", table)


def _make_trainer(folder: Path, steps: int) -> Trainer:
    corpus = folder / "corpus"
    maker = TakeMaker(read_corpus(corpus, [TRAINING]))
    valid_maker = TakeMaker(read_corpus(corpus, [VALIDATION]), VALID_SEED)
    config = TrainConfig(**{**RECIPE.__dict__, "steps": steps})
    return Trainer(LipObjective(maker, valid_maker, config), folder, torch.device("cpu"))
