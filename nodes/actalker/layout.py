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
from ...actalker_core.errors import CheckpointError, FaceError, InputError
from ...actalker_core.faces import FaceFinder
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.media import Audio
from ...actalker_core.models.actalker.config import ModelConfig, SamplingConfig
from ...actalker_core.models.actalker.plan import (
    EXTENSIONS,
    RegionChoice,
    VideoPlan,
    plan_video,
)
from ...actalker_core.models.actalker.portrait import check_portrait
from ..common import checks, convert, sockets
from ..common.defaults import check_owner, to_option
from ..common.files import open_local_face_finder
from ..face.curves import OPEN

END = "end"
ALLOW_PHOTOGRAPH = "allow_photograph"
"""The widget by which the built-in model animates a photograph nevertheless."""
PLAN_KEY = "actalker_plan"
"""Of a CONDITIONING: the clip as it is laid out, for Signal Monitor."""


SIGNAL_SOCKETS = {
    "audio_signal": (sockets.AudioSignal, "Lips"),
    "expression_signal": (sockets.ExpressionSignal, "Expression"),
    "pose_signal": (sockets.PoseSignal, "Head rotation"),
}
"""Id of an input or output -> its type, and what it moves."""


def signal_inputs(
    purpose: str, prefix: str = "", node: str = "", substitute: str = ""
) -> list[Any]:
    """Up to one signal of each kind; their ids begin with the prefix.

    Args:
        node: that can do nothing without any of them.
        substitute: an input of it that makes up for all of them.
    """
    inputs = [
        kind.Input(f"{prefix}{id}", optional=True, tooltip=f"{part}, {purpose}.")
        for id, (kind, part) in SIGNAL_SOCKETS.items()
    ]
    if node:
        ids = [socket.id for socket in inputs]
        check = checks.require_one(node, ids, "Connect one.")
        checks.with_check(inputs[0], check_all=checks.unless_connected(substitute, check))
    return inputs


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


def length_inputs(node: str = "", substitute: str = "") -> list[Any]:
    """How long the video is.

    Args:
        node: that may have no encoders to ask for the model's frame rate.
        substitute: an input of it that makes up for them.
    """
    fps = sockets.fps_input("fps", "Of the video.")
    check = checks.unless_connected(substitute, check_owner(node, "fps"))
    return [
        checks.with_check(fps, check_all=check) if node else fps,
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


def photograph_input() -> io.Boolean.Input:
    """Whether the built-in model may be given a photograph."""
    return io.Boolean.Input(
        ALLOW_PHOTOGRAPH,
        default=False,
        optional=True,
        tooltip="The built-in model knows drawn faces alone and refuses a photograph, of which it "
        "makes noise. On makes it nevertheless.",
    )


def refuse_photograph(config: ModelConfig, portrait: Portrait, allow_photograph: bool) -> None:
    """Refuse a portrait that the built-in model does not know, unless it is allowed.

    Raises:
        InputError: says what can animate it.
    """
    if not allow_photograph:
        way_around = f"To see the noise, switch on {ALLOW_PHOTOGRAPH}."
        check_portrait(config, portrait, way_around, _open_finder)


def _open_finder() -> FaceFinder | None:
    """What finds faces where a portrait's is not known closely; nothing is fetched for it."""
    try:
        return open_local_face_finder()
    except (CheckpointError, FaceError):
        return None


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


def get_plan(conditioning: list[Any]) -> VideoPlan:
    """The clip that the node Conditioning laid out for a CONDITIONING.

    Raises:
        InputError: it comes from another node.
    """
    entries = conditioning if isinstance(conditioning, list) else []
    plans = [values[PLAN_KEY] for _, values in entries if PLAN_KEY in values]
    if len(plans) != 1:
        raise InputError(
            "CONDITIONING: expected that of one node Conditioning (ACTalker), got "
            f"{len(entries)} entries, {len(plans)} of that kind. Connect that node directly."
        )
    video: VideoPlan = plans[0]
    return video
