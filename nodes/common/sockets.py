"""The pack's own socket types, and what all its nodes have in common."""

from collections.abc import Collection, Sequence
from typing import Any

from comfy_api.latest import io

from ...actalker_core import limits
from ...actalker_core.control.motion.sources import count_frames
from ...actalker_core.faces.portrait import check_short_side
from . import checks
from .defaults import MODEL_DEFAULT, to_option

VIDEO_GENERATION = "Video Generation"
"""Of newer ComfyUI's categories of essential nodes, the one that this pack belongs to."""

Encoders = io.Custom("ACTALKER_ENCODERS")
Portrait = io.Custom("ACTALKER_PORTRAIT")
Identity = io.Custom("ACTALKER_IDENTITY")
AudioSignal = io.Custom("ACTALKER_AUDIO_SIGNAL")
ExpressionSignal = io.Custom("ACTALKER_EXPRESSION_SIGNAL")
PoseSignal = io.Custom("ACTALKER_POSE_SIGNAL")
Track = io.Custom("ACTALKER_TRACK")
Curve = io.Custom("ACTALKER_CURVE")
Gates = io.Custom("ACTALKER_GATES")
Bank = io.Custom("ACTALKER_BANK")
Motion = io.Custom("ACTALKER_MOTION")
TGDM = io.Custom("ACTALKER_TGDM")

DEFAULT_FPS = 25.0
"""Of motion that no model and no clip decides."""


def schema(
    name: str,
    category: str,
    description: str,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    aliases: Sequence[str],
    advanced: Sequence[str] = (),
    essentials: str | None = None,
    **more: Any,
) -> io.Schema:
    """A node of the pack.

    What older ComfyUI does not know (aliases, advanced, essentials, intermediate outputs) is set
    once all is constructed, where it takes no harm from it.

    Args:
        name: as people read it; without its spaces it is the id.
        outputs: are called by their ids.
        category: below ACTalker in the menu.
        aliases: other words that a search finds the node by.
        advanced: ids of widgets that are folded away until they are asked for.
        essentials: its category among the essential nodes, if it is one; the front end then no
            longer lists it among those of custom packs, so one node has to do.

    Raises:
        ValueError: an advanced widget is no input.
    """
    for output in outputs:
        output.display_name = output.id  # ComfyUI would show its type
    unknown = set(advanced) - {socket.id for socket in inputs}
    if unknown:
        raise ValueError(f"{name}: expected ids of its inputs as advanced, got {sorted(unknown)}.")
    for socket in inputs:
        socket.advanced = socket.id in advanced or None
    node_schema = io.Schema(
        node_id=f"ACTalker_{name.replace(' ', '')}",
        display_name=f"{name} (ACTalker)",
        category=f"ACTalker/{category}",
        description=description,
        inputs=list(inputs),
        outputs=list(outputs),
        **more,
    )
    node_schema.search_aliases, node_schema.essentials_category = list(aliases), essentials
    # What a node showed is sent again also where nothing asks for its result, as all after it is
    # in the cache.
    node_schema.has_intermediate_output = True
    return node_schema


def curve_input(id: str, tooltip: str) -> Any:
    """A curve of this pack, or one drawn in ComfyUI's Curve Editor where there is one."""
    if hasattr(io, "Curve"):
        return io.MultiType.Input(id, [Curve, io.Curve], optional=True, tooltip=tooltip)
    return Curve.Input(id, optional=True, tooltip=tooltip)


def frames_input(id: str, tooltip: str, optional: bool = False) -> Any:
    """Frames from any loader: an IMAGE batch, or a VIDEO, which knows its own frame rate."""
    return io.MultiType.Input(id, [io.Image, io.Video], optional=optional, tooltip=tooltip)


def own_input(
    id: str,
    bounds: limits.Limits,
    tooltip: str,
    step: float = 1,
    *,
    default: int = MODEL_DEFAULT,
    meaning: str = "the model's own",
) -> Any:
    """A number that is the model's own until another is typed.

    Args:
        bounds: of what is typed.
        default: leaves the number to the model; another than 0 where 0 is a value.
        meaning: of the default, for the tooltip.
    """
    kind = io.Int if bounds.integer else io.Float
    return checks.with_check(
        kind.Input(
            id,
            default=default if bounds.integer else float(default),
            min=min(default, bounds.minimum),
            max=bounds.maximum,
            step=step,
            tooltip=f"{tooltip} {default}: {meaning}.",
        ),
        lambda value: to_option(value, bounds, default, meaning),
    )


def fps_input(id: str, tooltip: str) -> Any:
    """Frames per second of the video."""
    return own_input(id, limits.FPS, tooltip, 0.01)


def motion_fps_input() -> io.Float.Input:
    """Frames per second of motion that is made from no clip."""
    return io.Float.Input(
        "motion_fps",
        default=DEFAULT_FPS,
        **limits.FPS.widget,
        step=0.01,
        tooltip="Frames per second of the motion; another rate is resampled where it is shown.",
    )


def seconds_input(
    tooltip: str, rate: str = "motion_fps", substitutes: Collection[str] = ()
) -> io.Float.Input:
    """How long a motion lasts that is made from no clip.

    Args:
        rate: input for its frames per second, at which it must not have too many.
        substitutes: inputs that say how long it lasts where one of them is connected.
    """

    def check(values: checks.Values) -> None:
        seconds, fps = values.get("seconds"), values.get(rate)
        fps = DEFAULT_FPS if fps == MODEL_DEFAULT else fps
        if seconds is None or fps is None or values.keys() & set(substitutes):
            return
        are_usable = limits.SECONDS.contains(seconds) and limits.FPS.contains(fps)
        if are_usable and values.get("max_frames", 0) == 0:  # else they are refused, or fewer
            count_frames(seconds, fps)

    bounds = limits.SECONDS
    socket = fraction_input("seconds", 4.0, bounds.minimum, bounds.maximum, tooltip)
    return checks.with_check(socket, check_all=check)


def max_frames_input(tooltip: str) -> io.Int.Input:
    """At most so many frames; 0 for all."""
    return io.Int.Input("max_frames", default=0, min=0, max=limits.FRAMES.maximum, tooltip=tooltip)


def short_side_input(tooltip: str) -> Any:
    """Size of the video."""
    return checks.with_check(
        own_input("short_side_px", limits.SHORT_SIDE_PX, tooltip, 64),
        lambda pixels: None if pixels == MODEL_DEFAULT else check_short_side(pixels),
    )


def steps_input(tooltip: str) -> Any:
    """Sampling steps."""
    return own_input("steps", limits.STEPS, tooltip)


def encoders_input(use: str) -> Any:
    """Encoders for a node that encodes nothing, but asks for the model's own values."""
    return Encoders.Input(
        "encoders", optional=True, tooltip=f"Of Load Model, for the model's own {use}."
    )


def driving_fps_input() -> io.Float.Input:
    """Frames per second of a driving clip, which no model decides."""
    return io.Float.Input(
        "frames_per_second",
        default=25.0,
        **limits.FPS.widget,
        step=0.01,
        tooltip="Of IMAGE frames; a VIDEO knows its own.",
    )


def fraction_input(
    id: str, default: float, minimum: float, maximum: float, tooltip: str, step: float = 0.01
) -> io.Float.Input:
    """A number with two decimals."""
    return io.Float.Input(id, default=default, min=minimum, max=maximum, step=step, tooltip=tooltip)


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
        steps_input("Fewer are faster and rougher."),
    ]
