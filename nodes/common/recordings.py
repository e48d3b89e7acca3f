"""What the nodes that edit, save and load have in common, for signals as well as motion."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ...actalker_core import limits
from ...actalker_core.control.edits import EDITS, check_values
from ...actalker_core.errors import InputError, check_choice
from . import checks, files, sockets
from .node_text import show

EDIT_ALIASES = ("trim motion", "loop motion", "retime", "smooth motion", "exaggerate")


def edit_inputs(rate: str) -> list[Any]:
    """An edit and its numbers.

    Args:
        rate: what is counted per second: `values`, `frames`.
    """
    return [
        io.Combo.Input(
            "edit",
            options=list(EDITS),
            default="smooth",
            tooltip="trim keeps what lies between two times; resample changes the rate; "
            "loop, ping-pong and hold reach a duration; offset moves in time; scale is "
            "stronger or weaker; smooth calms.",
        ),
        checks.with_check(
            sockets.fraction_input(
                "value",
                0.2,
                -limits.SECONDS.maximum,
                limits.SECONDS.maximum,
                f"Seconds; for resample {rate} per second; for scale the strength, where 1 "
                "changes nothing and 0 is the neutral moment. smooth: 0.2 is gentle, 0 is off.",
            ),
            check_all=_check_values,
        ),
        sockets.fraction_input(
            "second_value",
            0.0,
            0.0,
            limits.SECONDS.maximum,
            "trim: from value to this, in seconds. scale: when the face is neutral, in "
            "seconds. Others do not use it.",
        ),
    ]


def pick_values(edit: str, value: float, second_value: float) -> tuple[float, ...]:
    """As many of the two numbers as an edit takes.

    Raises:
        InputError: an unknown edit.
    """
    check_choice("edit", edit, EDITS)
    _, count, _ = EDITS[edit]
    return (value, second_value)[:count]


def _check_values(values: checks.Values) -> None:
    """Of the numbers of an edit, as far as they are known."""
    edit, first, second = (values.get(name) for name in ("edit", "value", "second_value"))
    if edit in EDITS and first is not None and second is not None:
        check_values(edit, pick_values(edit, first, second))


def prefix_input(folder: str) -> io.String.Input:
    """Where in the output folder a new file goes."""
    return checks.with_check(
        io.String.Input(
            "filename_prefix",
            default=f"{folder}/actalker",
            tooltip="Folder and beginning of the name; a number follows.",
        ),
        files.check_recording_prefix,
    )


def saved_path_output() -> Any:
    """Where it went."""
    return io.String.Output("saved_path", tooltip="The file that was written.")


def save(node: type[io.ComfyNode], prefix: str, write: Callable[[Path], None]) -> io.NodeOutput:
    """Write a new file of the output folder, and show its name on the node that is running.

    Raises:
        InputError: a name that some system refuses, or one that leaves the folder.
    """
    path = files.new_recording_path(prefix)
    write(path)
    return io.NodeOutput(str(path), ui=show(node, f"Saved: {path.name}"))


def file_input(id: str, kind: files.Recording) -> io.Combo.Input:
    """A file that was saved before."""

    def check(values: checks.Values) -> None:
        if values.get(id) == files.NO_FILE:
            raise InputError(
                f"{kind.label}: expected a file, got none. {kind.writer} writes them; reload and "
                "choose one."
            )

    return checks.with_check(
        io.Combo.Input(
            id,
            options=files.list_recordings(kind),
            tooltip="A .safetensors of the input folder, or of the output folder.",
        ),
        check_all=check,
    )
