"""The options of every command."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .. import __version__, limits
from ..control.edits import EDITS
from ..control.regions import DEFAULT_STYLE, PARTS, STYLES
from ..diffusion.schedules import DEFAULT_SCHEDULE, SCHEDULES
from ..diffusion.windows import MODES
from ..errors import MAX_QUOTE_LENGTH, to_one_line
from ..faces import DEFAULT_PATH
from ..faces.portrait import DEFAULT_FEATHER_PX
from ..models.actalker.checkpoint import BUILT_IN
from ..models.actalker.encoders.audio import CUTS, DEFAULT_CUT
from ..models.actalker.plan import EXTENSIONS
from ..ops.selective_scan import CHOICES
from . import commands, types

VIDEO_HELP = "video to write: .mp4, .mov, .mkv, .webm, .gif, or images: frames/%%05d.png"

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
        arguments = add(name, help=text, description=text)
        arguments.set_defaults(run=run)
        return arguments

    _add_generate(command("generate", commands.run_generate, "portrait + signals -> video"))
    _add_inspect(command("inspect", commands.run_inspect, "all that drives a clip -> one image"))
    _add_signals(command("signals", commands.run_signals, "media -> signals, edited and saved"))
    _add_bank(command("bank", commands.run_bank, "face images -> a bank of expressions for --text"))
    _add_faces_command(command("faces", commands.run_faces, "list the faces of an image as JSON"))
    _add_convert(command("convert", commands.run_convert, "released folder -> one .safetensors"))
    info = command("info", commands.run_info, "describe a converted .safetensors")
    info.add_argument("file", type=types.parse_path)
    download = command("download", commands.run_download, "fetch the face landmarker (3.8 MB)")
    _add_landmarker(download)
    demo = command("demo", _run_demo, "draw a portrait and a driving clip, speak, make a video")
    demo.add_argument("--out", type=types.parse_path, default=Path("demo"), help="folder (demo)")
    return parser


def _run_demo(options: argparse.Namespace) -> None:
    arguments = commands.write_demo_media(options.out)
    commands.run_generate(build_parser().parse_args(["generate", *arguments]))


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=types.parse_path, required=True, help=VIDEO_HELP)
    _add_media(parser)
    _add_model(parser)
    _add_clip(parser)
    _add_faces(parser)
    _add_control(parser)
    _add_text(parser)
    _add_paste(parser)
    _add_sampling(parser)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=types.parse_path, required=True, help="image to write: .png, .jpg or .webp"
    )
    _add_media(parser)
    _add_model(parser)
    _add_clip(parser)
    _add_faces(parser)
    _add_control(parser)
    _add_text(parser)
    _add_sampling(parser)


def _add_media(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--portrait", type=types.parse_path, required=True, help="image to animate")
    _add_sources(parser)
    add = parser.add_argument
    add("--sound", type=types.parse_path, help="what is heard in the video (the audio)")
    add("--extend", choices=tuple(EXTENSIONS), help="a driving clip shorter than the audio")


def _add_sources(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--audio", type=types.parse_path, help="speech: any sound or video file")
    add(
        "--driving", type=types.parse_path, help="video whose expression and head pose are followed"
    )
    add("--head", type=types.parse_path, help="video for the head pose alone (the driving clip)")
    add(
        "--signals",
        type=types.parse_path,
        help=".safetensors of saved signals, for what no medium gives",
    )
    add(
        "--audio-cut",
        choices=CUTS,
        default=DEFAULT_CUT,
        help=f"of speech over 30 s ({DEFAULT_CUT})",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--model",
        type=types.parse_place,
        default=BUILT_IN,
        help=f"converted .safetensors, or {BUILT_IN} ({BUILT_IN})",
    )
    add("--device", default="auto", help="auto, cpu or cuda (auto)")
    add(
        "--dtype",
        choices=("auto", *commands.UNET_DTYPES),
        default="auto",
        help="of the UNet (auto)",
    )
    add("--scan", choices=CHOICES, default="auto", help="backend of the selective scan (auto)")
    add("--compile", action="store_true", help="torch.compile the UNet: minutes first, then faster")
    add("--channels-last", action="store_true", help="lay out the UNet's feature maps by pixels")


def _add_clip(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--frames",
        type=types.integer_parser(limits.FRAMES),
        help="at most so many frames (as long as the signals)",
    )
    add("--fps", type=types.number_parser(limits.FPS), help="frames per second (the model's)")
    add(
        "--size",
        type=types.integer_parser(limits.SHORT_SIDE_PX),
        help="short side in pixels, a multiple of 64 (the model's)",
    )
    add(
        "--expand",
        type=types.number_parser(limits.EXPAND),
        help="cut the face box enlarged so many times (all of it)",
    )
    add("--aspect", type=types.parse_aspect, help="width:height of what is cut (the image's)")


def _add_faces(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--face",
        type=types.parse_face,
        default="largest",
        help="largest, left, right, centre, or an index (largest)",
    )
    add("--face-box", type=types.parse_box, help="x0,y0,x1,y1 in the portrait, or whole (found)")
    add(
        "--face-mask",
        type=types.parse_path,
        help="image over the portrait with the face in white",
    )
    _add_driving_faces(parser)


def _add_driving_faces(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--driving-face",
        type=types.parse_face,
        default="largest",
        help="as --face, in driving and head clip",
    )
    add(
        "--driving-box",
        type=types.parse_box,
        help="x0,y0,x1,y1 in the driving clip, or whole (found)",
    )
    add("--head-box", type=types.parse_box, help="the same in the head clip")
    _add_landmarker(parser)


def _add_landmarker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--landmarker",
        type=types.parse_path,
        help=f"MediaPipe's face_landmarker.task ({DEFAULT_PATH})",
    )


def _add_control(parser: argparse.ArgumentParser) -> None:
    add, parts = parser.add_argument, ", ".join(PARTS)
    add("--audio-gate", default="1", help="0…1, keys such as 0:1,2.5:0 hold, or envelope (1)")
    add("--expression-gate", default="1", help="the same for the expression (1)")
    add(
        "--masks",
        choices=STYLES,
        default=DEFAULT_STYLE,
        help=f"regions of two signals ({DEFAULT_STYLE})",
    )
    add(
        "--audio-mask",
        type=types.parse_region,
        help=f"image, clip, or parts joined by + - &: {parts}",
    )
    add("--expression-mask", type=types.parse_region, help="the same for the expression")
    add(
        "--grow-px",
        type=types.integer_parser(limits.GROW_PX),
        default=0,
        help="how far drawn regions reach further (0)",
    )
    add(
        "--mask-clip",
        type=types.parse_path,
        help="clip framed as the result, whose face the regions follow",
    )


def _add_text(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--text", help="expression in words: joyful, or 0s: neutral; 2s: joyful")
    add("--bank", type=types.parse_path, help="bank of expressions that the words choose from")
    add(
        "--clip",
        type=types.parse_path,
        help="folder of a CLIP model (none: presets by blendshapes)",
    )
    add(
        "--strength",
        type=types.number_parser(limits.STRENGTH),
        default=1.0,
        help="of the words; 0 is neutral (1)",
    )
    add(
        "--temperature",
        type=types.number_parser(limits.TEMPERATURE),
        help="lower chooses fewer of the bank (the matcher's)",
    )


def _add_paste(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--paste-back", action="store_true", help="put the frames back into the whole image")
    add(
        "--feather-px",
        type=types.integer_parser(limits.FEATHER_PX),
        default=DEFAULT_FEATHER_PX,
        help=f"how softly they blend in ({DEFAULT_FEATHER_PX})",
    )


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--steps", type=types.integer_parser(limits.STEPS), help="sampling steps (the model's)")
    add(
        "--seed",
        type=types.integer_parser(limits.SEED),
        default=0,
        help="of the noise; same seed, same images (0)",
    )
    add("--appearance-scale", type=types.parse_scale, help="or start:end; 1 is off (the model's)")
    add("--audio-scale", type=types.parse_scale, help="or start:end; 1 is off (the model's)")
    add("--expression-scale", type=types.parse_scale, help="or start:end; 1 is off (the model's)")
    add(
        "--window-frames",
        type=types.integer_parser(limits.WINDOW_FRAMES),
        help="frames denoised together (the model's)",
    )
    add(
        "--overlap-frames",
        type=types.integer_parser(limits.OVERLAP_FRAMES),
        help="shared by neighbouring windows (0)",
    )
    add(
        "--shift-frames",
        type=types.integer_parser(limits.SHIFT_FRAMES),
        help="how far windows move each step (the model's)",
    )
    add("--window-mode", choices=MODES, help="cyclic is as released (tight)")
    add(
        "--passes",
        type=types.integer_parser(limits.PASSES),
        help="guidance passes in one batch (as many as fit)",
    )
    _add_schedule_and_guidance_interval(parser)


def _add_schedule_and_guidance_interval(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--schedule",
        choices=tuple(SCHEDULES),
        default=DEFAULT_SCHEDULE,
        help=f"noise levels ({DEFAULT_SCHEDULE})",
    )
    add(
        "--guide-from",
        type=types.number_parser(limits.SIGMA),
        help="no guidance above this noise level (always)",
    )
    add(
        "--guide-to",
        type=types.number_parser(limits.SIGMA),
        help="no guidance below this noise level (0)",
    )
    add(
        "--reuse-guidance",
        type=types.integer_parser(limits.REUSE_STEPS),
        help="compute it at one step of so many (1)",
    )


def _add_signals(parser: argparse.ArgumentParser) -> None:
    add, edits = parser.add_argument, "; ".join(f"{n}={v[2]}" for n, v in EDITS.items())
    add("--out", type=types.parse_path, required=True, help=".safetensors to write")
    _add_sources(parser)
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
    _add_driving_faces(parser)
    _add_text(parser)
    _add_model(parser)


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
    _add_landmarker(parser)
    _add_model(parser)


def _add_faces_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=types.parse_path)
    _add_landmarker(parser)


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
