"""What the nodes share that lay signals, masks and gates over a clip."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.curves import Curve
from ...actalker_core.control.signals import (
    AudioSignal,
    DrivingSignal,
    ExpressionSignal,
    PoseSignal,
    Signals,
)
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.media import Audio
from ...actalker_core.models.actalker.config import SamplingConfig
from ...actalker_core.models.actalker.plan import (
    EXTENSIONS,
    RegionChoice,
    VideoPlan,
    plan_video,
)
from ..common import convert, sockets
from ..common.defaults import to_option
from ..face.curves import OPEN

END = "end"


SIGNAL_SOCKETS = {
    "audio_signal": (sockets.AudioSignal, "Lips"),
    "expression_signal": (sockets.ExpressionSignal, "Expression"),
    "pose_signal": (sockets.PoseSignal, "Head rotation"),
}
"""Id of an input or output -> its type, and what it moves."""


def signal_inputs(purpose: str, prefix: str = "") -> list[Any]:
    """Up to one signal of each kind; their ids begin with the prefix."""
    return [
        kind.Input(f"{prefix}{id}", optional=True, tooltip=f"{part}, {purpose}.")
        for id, (kind, part) in SIGNAL_SOCKETS.items()
    ]


def signal_outputs(tooltip: str, prefix: str = "") -> list[Any]:
    """One signal of each kind; their ids begin with the prefix."""
    return [
        kind.Output(f"{prefix}{id}", tooltip=tooltip) for id, (kind, _) in SIGNAL_SOCKETS.items()
    ]


def make_signals(
    audio: DrivingSignal | None,
    expression: DrivingSignal | None,
    pose: DrivingSignal | None,
    prefix: str = "",
) -> Signals:
    """The signals of the inputs that `signal_inputs` makes.

    Raises:
        InputError: one is of another kind.
    """
    return Signals(
        convert.check_signal(audio, AudioSignal, f"{prefix}audio_signal"),
        convert.check_signal(expression, ExpressionSignal, f"{prefix}expression_signal"),
        convert.check_signal(pose, PoseSignal, f"{prefix}pose_signal"),
    )


def length_inputs() -> list[Any]:
    """How long the video is."""
    return [
        sockets.fps_input("fps", "Of the video."),
        io.Int.Input(
            "max_frames",
            default=0,
            min=0,
            max=limits.FRAMES.maximum,
            tooltip="At most so many frames. 0 is as long as the signals last.",
        ),
        io.Combo.Input(
            "extend",
            options=[END, *EXTENSIONS],
            tooltip="What a driving clip does that is shorter than the audio: end the video, hold "
            "its last value, loop, or go forth and back.",
        ),
    ]


def plan(
    portrait: Portrait,
    signals: Signals,
    sampling: SamplingConfig,
    *,
    fps: float,
    max_frames: int,
    extend: str,
    gates: tuple[Curve, Curve] | None = None,
    regions: RegionChoice | None = None,
    sound: Audio | None = None,
) -> VideoPlan:
    """`plan_video` with the values of `length_inputs` and the curves of Gates."""
    audio_gate, expression_gate = gates or (OPEN, OPEN)
    return plan_video(
        portrait,
        signals,
        sampling,
        fps=to_option(fps, limits.FPS),
        max_frames=max_frames or None,
        extend=None if extend == END else extend,
        audio_gate=audio_gate,
        expression_gate=expression_gate,
        regions=regions,
        sound=sound,
    )


def regions_of_masks(audio_mask: Tensor | None, expression_mask: Tensor | None) -> RegionChoice:
    """Masks (f, h, w) as they come; without one each signal owns its part of the face."""
    return RegionChoice(
        audio=convert.from_mask(audio_mask), expression=convert.from_mask(expression_mask)
    )
