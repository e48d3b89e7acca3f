"""Options that several commands share, group by group."""

import argparse

from .. import limits
from ..control.regions import DEFAULT_STYLE, PARTS, STYLES
from ..diffusion.schedules import DEFAULT_SCHEDULE, SCHEDULES
from ..diffusion.windows import MODES
from ..faces import DEFAULT_PATH
from ..faces.portrait import DEFAULT_FEATHER_PX
from ..models.actalker.checkpoint import BUILT_IN
from ..models.actalker.encoders.audio import CUTS, DEFAULT_CUT
from ..models.actalker.plan import EXTENSIONS
from ..ops.selective_scan import CHOICES
from . import commands, types
from .engine import PHOTOGRAPH


def add_media(parser: argparse.ArgumentParser) -> None:
    """The portrait and what drives it."""
    parser.add_argument("--portrait", type=types.parse_path, required=True, help="image to animate")
    add_files(parser)
    add = parser.add_argument
    add("--sound", type=types.parse_path, help="what is heard in the video (the audio)")
    add("--extend", choices=tuple(EXTENSIONS), help="a driving clip shorter than the audio")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Sound and clips that drive."""
    add = parser.add_argument
    add("--audio", type=types.parse_path, help="speech: any sound or video file")
    add(
        "--driving", type=types.parse_path, help="video whose expression and head pose are followed"
    )
    add("--head", type=types.parse_path, help="video for the head pose alone (the driving clip)")


def add_signals(parser: argparse.ArgumentParser) -> None:
    """Signals that drive, and how they are made."""
    add = parser.add_argument
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


def add_model(parser: argparse.ArgumentParser, *, with_photograph: bool = False) -> None:
    """Which model, and how it computes.

    Args:
        with_photograph: whether the photograph's engine does the same work.
    """
    add = parser.add_argument
    if with_photograph:
        text = f"converted .safetensors, {BUILT_IN}, or {PHOTOGRAPH}, which needs none (a converted"
        add("--model", type=types.parse_place, help=f"{text} one that is there, else {PHOTOGRAPH})")
        add(
            "--allow-photograph",
            action="store_true",
            help=f"let {BUILT_IN}, which knows drawn faces alone, make noise of a photograph",
        )
    else:
        text = f"converted .safetensors, or {BUILT_IN} ({BUILT_IN})"
        add("--model", type=types.parse_place, default=BUILT_IN, help=text)
        parser.set_defaults(allow_photograph=True)  # as no frame is made of it
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


def add_clip(parser: argparse.ArgumentParser) -> None:
    """Length, rate and size of the video."""
    add = parser.add_argument
    add_length(parser)
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


def add_length(parser: argparse.ArgumentParser) -> None:
    """How long the video is, and its rate."""
    add = parser.add_argument
    add(
        "--frames",
        type=types.integer_parser(limits.FRAMES),
        help="at most so many frames (as long as the signals)",
    )
    add("--fps", type=types.number_parser(limits.FPS), help="frames per second (the model's)")


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Which face is meant."""
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
    add_driving_faces(parser)


def add_driving_faces(parser: argparse.ArgumentParser) -> None:
    """Which face is meant in clips."""
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
    add_landmarker(parser)


def add_landmarker(parser: argparse.ArgumentParser) -> None:
    """What finds faces."""
    parser.add_argument(
        "--landmarker",
        type=types.parse_path,
        help=f"MediaPipe's face_landmarker.task ({DEFAULT_PATH})",
    )


def add_control(parser: argparse.ArgumentParser) -> None:
    """When and where signals act."""
    add, parts = parser.add_argument, ", ".join(PARTS)
    add_gates(parser)
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


def add_text(parser: argparse.ArgumentParser) -> None:
    """Expression in words, out of a bank."""
    add = parser.add_argument
    add_words(parser)
    add("--bank", type=types.parse_path, help="bank of expressions that the words choose from")
    add(
        "--temperature",
        type=types.number_parser(limits.TEMPERATURE),
        help="lower chooses fewer of the bank (the matcher's)",
    )


def add_gates(parser: argparse.ArgumentParser) -> None:
    """When signals act."""
    add = parser.add_argument
    add("--audio-gate", default="1", help="0…1, keys such as 0:1,2.5:0 hold, or envelope (1)")
    add("--expression-gate", default="1", help="the same for the expression (1)")


def add_words(parser: argparse.ArgumentParser) -> None:
    """Expression in words."""
    add = parser.add_argument
    add("--text", help="expression in words: joyful, or 0s: neutral; 2s: joyful")
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


def add_paste(parser: argparse.ArgumentParser) -> None:
    """Frames back into the whole image."""
    add = parser.add_argument
    add("--paste-back", action="store_true", help="put the frames back into the whole image")
    add(
        "--feather-px",
        type=types.integer_parser(limits.FEATHER_PX),
        default=DEFAULT_FEATHER_PX,
        help=f"how softly they blend in ({DEFAULT_FEATHER_PX})",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """How frames are sampled."""
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
