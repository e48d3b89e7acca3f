"""The commands and their options."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .. import __version__, limits
from ..control.edits import EDITS
from ..errors import MAX_QUOTE_LENGTH, to_one_line
from . import arguments, commands, motion_arguments, personal, photographs, refinement, swaps, types
from .demo_media import write_demo_media
from .engine import DRIVERS, PHOTOGRAPH, choose_engine

VIDEO_HELP = "video to write: .mp4, .mov, .mkv, .webm, .gif, or images: frames/%%05d.png"

log = logging.getLogger("actalker_core")

Run = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """Complains in one line that any terminal can take, and repeats no endless words."""

    def error(self, message: str) -> NoReturn:
        """See argparse."""
        words = (
            f"{word[:MAX_QUOTE_LENGTH]}…" if len(word) > MAX_QUOTE_LENGTH else word
            for word in message.split(" ")
        )
        super().error(to_one_line(" ".join(words)))


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(
        prog="python -m actalker_core",
        description="Animate one portrait with speech, driving clips and words.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    add = parser.add_subparsers(required=True, metavar="command").add_parser

    def command(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        subparser = add(name, help=text, description=text)
        subparser.set_defaults(run=run)
        return subparser

    _add_generate(command("generate", _run_generate, "portrait + signals -> video"))
    _add_animate(command("animate", photographs.run_animate, "photograph + what moves it -> video"))
    swaps.add_swap(command("swap", swaps.run_swap, "a face onto the face of a clip -> video"))
    personal.add_personal(
        command("personal", personal.run_personal, "clip of one person -> weights for --refine")
    )
    _add_inspect(command("inspect", commands.run_inspect, "all that drives a clip -> one image"))
    _add_signals(command("signals", commands.run_signals, "media -> signals, edited and saved"))
    _add_bank(command("bank", commands.run_bank, "face images -> a bank of expressions for --text"))
    _add_faces_command(command("faces", commands.run_faces, "list the faces of an image as JSON"))
    _add_convert(command("convert", commands.run_convert, "released folder -> one .safetensors"))
    info = command("info", commands.run_info, "describe a converted .safetensors")
    info.add_argument("file", type=types.parse_path)
    download = command("download", commands.run_download, "fetch the face landmarker (3.8 MB)")
    arguments.add_landmarker(download)
    _add_demo(command("demo", _run_demo, "a photograph talks, and a drawn person by the model"))
    return parser


def _run_demo(options: argparse.Namespace) -> None:
    """A photograph talks; where nobody brings one, a drawn person does before it."""
    drawing, photograph = write_demo_media(options)
    if options.portrait is None and options.audio is None:
        commands.run_generate(build_parser().parse_args(["generate", *drawing]))
    photographs.run_animate(build_parser().parse_args(["animate", *photograph]))


def _run_generate(options: argparse.Namespace) -> None:
    """By the model that is named, else by the best that is there."""
    options.model = options.model or choose_engine()
    if options.model != PHOTOGRAPH:
        commands.run_generate(options)
        return
    paths = ["--portrait", str(options.portrait), "--out", str(options.out)]
    usual, animation = (
        build_parser().parse_args([name, *paths]) for name in ("generate", "animate")
    )
    for name, value in vars(options).items():
        if hasattr(animation, name):
            setattr(animation, name, value)
        elif value != getattr(usual, name) and name != "model":
            log.warning("A photograph has no --%s; it is left out.", name.replace("_", "-"))
    photographs.run_animate(animation)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=types.parse_path, required=True, help=VIDEO_HELP)
    arguments.add_media(parser)
    arguments.add_signals(parser)
    arguments.add_model(parser, with_photograph=True)
    arguments.add_clip(parser)
    arguments.add_faces(parser)
    arguments.add_control(parser)
    arguments.add_text(parser)
    arguments.add_paste(parser)
    arguments.add_sampling(parser)
    _add_drive_by(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=types.parse_path, default=Path("demo"), help="folder (demo)")
    add("--portrait", type=types.parse_path, help="your photograph (one that matplotlib brings)")
    add("--audio", type=types.parse_path, help="your speech (babble)")
    arguments.add_landmarker(parser)


def _add_drive_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drive-by",
        choices=DRIVERS,
        default=DRIVERS[0],
        help="expression and head follow the clip, or the portrait moved by numbers: those of "
        f"animate's sources ({DRIVERS[0]})",
    )
    motion_arguments.add_motion(parser)
    parser.set_defaults(region=None)


def _add_animate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=types.parse_path, required=True, help=VIDEO_HELP)
    arguments.add_media(parser)
    arguments.add_words(parser)
    motion_arguments.add_motion(parser)
    arguments.add_gates(parser)
    motion_arguments.add_change(parser)
    refinement.add_refinement(parser)
    arguments.add_length(parser)
    arguments.add_faces(parser)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=types.parse_path, required=True, help="image to write: .png, .jpg or .webp"
    )
    arguments.add_media(parser)
    arguments.add_signals(parser)
    arguments.add_model(parser)
    arguments.add_clip(parser)
    arguments.add_faces(parser)
    arguments.add_control(parser)
    arguments.add_text(parser)
    arguments.add_sampling(parser)
    _add_drive_by(parser)


def _add_signals(parser: argparse.ArgumentParser) -> None:
    add, edits = parser.add_argument, "; ".join(f"{n}={v[2]}" for n, v in EDITS.items())
    add("--out", type=types.parse_path, required=True, help=".safetensors to write")
    arguments.add_files(parser)
    arguments.add_signals(parser)
    add(
        "--fps",
        type=types.number_parser(limits.FPS),
        help="at which clips are read (the model's)",
    )
    add(
        "--frames",
        type=types.integer_parser(limits.FRAMES),
        help="read at most so many frames of clips",
    )
    add("--edit", action="append", default=[], help=f"[signal.]edit=value, in order: {edits}")
    add("--blend", type=types.parse_path, help="saved signals to blend with")
    add("--blend-curve", default="0.5", help="0 is this, 1 the other; written as a gate (0.5)")
    add(
        "--text-seconds",
        type=types.number_parser(limits.SECONDS),
        help="how long --text lasts (1 s after its end)",
    )
    arguments.add_driving_faces(parser)
    arguments.add_text(parser)
    arguments.add_model(parser)


def _add_bank(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "folder",
        type=types.parse_path,
        nargs="?",
        help="images of faces; joy.txt captions joy.png",
    )
    add("--out", type=types.parse_path, required=True, help=".safetensors to write")
    add("--signals", type=types.parse_path, help="saved signals instead of images")
    add("--captions", help="what they express when: 0s: neutral; 2s: joyful")
    add("--clip", type=types.parse_path, help="folder of a CLIP model that indexes the images")
    arguments.add_landmarker(parser)
    arguments.add_model(parser)


def _add_faces_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=types.parse_path)
    arguments.add_landmarker(parser)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=types.parse_path, help="folder with the released files")
    add("--out", type=types.parse_path, required=True, help=".safetensors to write")
    add(
        "--svd",
        type=types.parse_path,
        help="SVD-xt-1.1: diffusers folder or .safetensors (in the folder)",
    )
    add(
        "--dtype",
        choices=tuple(commands.DTYPES),
        default="fp16",
        help="of the stored weights (fp16)",
    )
