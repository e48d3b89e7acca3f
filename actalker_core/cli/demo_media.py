"""What the demo is made of, as options of the commands that make it."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from ..faces import Box
from ..media import check_video_path
from ..models.actalker.checkpoint import BUILT_IN
from ..synthetic import demo


def write_demo_media(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Draw and speak the demo's media.

    Returns:
        The options of `generate` that move the drawn person, and those of `animate` that move the
        photograph.
    """
    folder: Path = options.out
    drawing, photograph = folder / "demo.mp4", folder / "photograph.mp4"
    check_video_path(drawing)
    check_video_path(photograph)
    portrait, speech, driving = demo.write_demo(folder)
    own_landmarker = {} if options.landmarker is None else {"--landmarker": options.landmarker}
    generation = own_landmarker | {
        "--model": BUILT_IN,
        "--portrait": portrait,
        "--audio": speech,
        "--driving": driving,
        "--face-box": _format_box(demo.locate_face()),
        "--driving-box": _format_box(demo.locate_driving_face()),
        "--masks": "paper",
        "--out": drawing,
    }
    animation = own_landmarker | {
        "--portrait": options.portrait or demo.find_photograph(),
        "--audio": options.audio or speech,
        "--out": photograph,
    }
    return _list_words(generation), ["--idle", *_list_words(animation)]


def _list_words(options: Mapping[str, object]) -> list[str]:
    return [str(word) for pair in options.items() for word in pair]


def _format_box(box: Box) -> str:
    return ",".join(f"{edge:.0f}" for edge in box)
