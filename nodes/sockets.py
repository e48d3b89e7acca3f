"""The pack's own socket types, and what all its nodes have in common."""

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..actalker_core import limits

Encoders = io.Custom("ACTALKER_ENCODERS")
Portrait = io.Custom("ACTALKER_PORTRAIT")
Identity = io.Custom("ACTALKER_IDENTITY")
Signal = io.Custom("ACTALKER_SIGNAL")
Track = io.Custom("ACTALKER_TRACK")
Curve = io.Custom("ACTALKER_CURVE")
Gates = io.Custom("ACTALKER_GATES")
Bank = io.Custom("ACTALKER_BANK")


def schema(
    name: str,
    room: str,
    description: str,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    **more: Any,
) -> io.Schema:
    """A node of the pack.

    Args:
        name: as people read it; without its spaces it is the id.
        outputs: are called by their ids.
        room: below ACTalker in the menu.
    """
    for output in outputs:
        output.display_name = output.id  # ComfyUI would show its type
    return io.Schema(
        node_id=f"ACTalker_{name.replace(' ', '')}",
        display_name=f"{name} (ACTalker)",
        category=f"ACTalker/{room}",
        description=description,
        inputs=list(inputs),
        outputs=list(outputs),
        **more,
    )


def frames_input(id: str, tooltip: str, optional: bool = False) -> Any:
    """Frames from any loader: an IMAGE batch, or a VIDEO, which knows its own frame rate."""
    return io.MultiType.Input(id, [io.Image, io.Video], optional=optional, tooltip=tooltip)


def fps_input(id: str, default: float, tooltip: str) -> io.Float.Input:
    """Frames per second."""
    return io.Float.Input(id, default=default, **limits.FPS.widget, step=0.01, tooltip=tooltip)


def fraction_input(
    id: str, default: float, least: float, most: float, tooltip: str, step: float = 0.01
) -> io.Float.Input:
    """A number with two decimals."""
    return io.Float.Input(id, default=default, min=least, max=most, step=step, tooltip=tooltip)


def noise_inputs() -> list[Any]:
    """Seed and steps."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            **limits.SEED.widget,
            control_after_generate=True,
            tooltip="Of the noise: the same seed gives the same video.",
        ),
        io.Int.Input(
            "steps",
            default=25,
            **limits.STEPS.widget,
            tooltip="25 is usual, 12 for the built-in model; fewer are faster.",
        ),
    ]
