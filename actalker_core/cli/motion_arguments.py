"""Options of a photograph that moves."""

import argparse

from .. import limits
from ..control.edits import EDITS
from ..control.regions import PARTS
from ..models.photograph.plan import LIPS, MOUTHS
from . import types


def add_change(parser: argparse.ArgumentParser) -> None:
    """Where a photograph may change."""
    add = parser.add_argument
    add(
        "--region",
        type=types.parse_region,
        help=f"where it may change: an image, white there, or parts: {', '.join(PARTS)} (all)",
    )
    add(
        "--grow-px",
        type=types.integer_parser(limits.GROW_PX),
        default=0,
        help="how far these parts reach further (0)",
    )


def add_motion(parser: argparse.ArgumentParser) -> None:
    """What moves a photograph, besides media and words."""
    add = parser.add_argument
    add("--numbers", type=types.parse_path, help=".safetensors of saved motion")
    add("--hand", help="numbers by hand: 'smile=0.5 yaw=-10', or '0s: smile=0; 1s: smile=1 ease'")
    add("--idle", action="store_true", help="blinks, breath, small sway, where nothing else moves")
    add(
        "--idle-seed",
        type=types.integer_parser(limits.SEED),
        default=0,
        help="of idle life (0)",
    )
    add("--mix", default="", help="who owns what: 'mouth: audio + words 0.5; head: clip' (usual)")
    edits = "; ".join(f"{n}={v[2]}" for n, v in EDITS.items())
    add(
        "--motion-edit",
        action="append",
        default=[],
        help=f"[group.]edit=value, in order: {edits}",
    )
    add(
        "--amount",
        type=types.parse_amount,
        action="append",
        default=[],
        help="group=strength, such as head=0.5; 1 is as it is",
    )
    add(
        "--lip-amount",
        type=types.number_parser(limits.MOUTH_AMOUNT),
        default=1.0,
        help="how far speech opens the mouth (1)",
    )
    add(
        "--lip-offset-ms",
        type=types.number_parser(limits.LIP_OFFSET_MS),
        default=0.0,
        help="lips later than the sound, or earlier if negative (0)",
    )
    add(
        "--neutral",
        type=types.number_parser(limits.NEUTRAL_SECONDS),
        help="second of the driving clip at which the face is at rest (found)",
    )
    add(
        "--seconds",
        type=types.number_parser(limits.SECONDS),
        help="how long it moves where neither sound nor clip says it (4)",
    )
    add("--lips", choices=LIPS, default=LIPS[0], help=f"from where they are, or shut ({LIPS[0]})")
    add(
        "--mouth",
        choices=MOUTHS,
        default=MOUTHS[0],
        help="what is seen between the lips (auto: the driver's where it moves them, else own)",
    )
    add("--save-numbers", type=types.parse_path, help=".safetensors to write the motion to")
