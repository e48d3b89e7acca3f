"""Signals edited, mixed, saved and shown."""

from dataclasses import replace
from typing import Any

from comfy_api.latest import io, ui
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.curves import Curve
from ...actalker_core.control.edits import Edit, blend_signals
from ...actalker_core.control.monitor import draw_monitor
from ...actalker_core.control.signals import DrivingSignal, Signals, load_signals, save_signals
from ...actalker_core.errors import InputError
from ...actalker_core.faces import Track
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.models.actalker.config import SamplingConfig
from ...actalker_core.models.actalker.plan import make_monitor_rows
from ..common import checks, convert, files, recordings, sockets
from ..common.defaults import get_face_scale, require_owner, to_option
from .bridge.load import EncoderBox
from .layout import (
    SIGNAL_SOCKETS,
    get_plan,
    length_inputs,
    make_signals,
    plan,
    regions_of_masks,
    signal_inputs,
    signal_outputs,
)


def output(signals: Signals) -> io.NodeOutput:
    """What `signal_outputs` give; None for a kind that is not there."""
    return io.NodeOutput(signals.audio, signals.expression, signals.pose)


class EditSignal(checks.Node):
    """Up to one signal of each kind -> the same kinds, all edited alike."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Edit Signal",
            "signals",
            "Changes signals in time or strength: one, or several alike. Several of these nodes "
            "may follow each other.",
            [
                *signal_inputs("to be edited", node="Edit Signal"),
                *recordings.edit_inputs("values"),
            ],
            signal_outputs("Empty without its input.", "edited_"),
            aliases=recordings.EDIT_ALIASES,
        )

    @classmethod
    def execute(
        cls,
        edit: str,
        value: float,
        second_value: float,
        audio_signal: DrivingSignal | None = None,
        expression_signal: DrivingSignal | None = None,
        pose_signal: DrivingSignal | None = None,
    ) -> io.NodeOutput:
        values = recordings.pick_values(edit, value, second_value)
        signals = make_signals(audio_signal, expression_signal, pose_signal)
        if not signals.present:
            raise InputError(
                "Edit Signal: expected at least one signal, got none. Connect one; a file that "
                "Load Signals reads may lack a kind."
            )
        return output(Edit(None, edit, values)(signals))


def _check_pairs(values: checks.Values) -> None:
    if not any({f"first_{id}", f"second_{id}"} <= values.keys() for id in SIGNAL_SOCKETS):
        raise InputError(
            "Mix Signals: expected a first and a second signal of one kind, got no such pair. "
            "Connect both."
        )


class MixSignals(checks.Node):
    """Two signals of a kind, or of several -> one of each between them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Mix Signals",
            "signals",
            "Blends two signals of a kind along a curve, as long as the shorter one; several "
            "kinds alike. What has no second, or no first, passes as it is.",
            [
                *signal_inputs("where the curve is 0", "first_"),
                *signal_inputs("where the curve is 1", "second_"),
                checks.with_check(
                    sockets.fraction_input(
                        "amount",
                        0.5,
                        0.0,
                        1.0,
                        "How much of the second. 0 is the first, 1 the second.",
                    ),
                    check_all=_check_pairs,
                ),
                sockets.curve_input("curve", "The same over time, instead of amount."),
            ],
            signal_outputs("Empty without its inputs.", "mixed_"),
            aliases=["blend motion", "crossfade", "interpolate expressions"],
        )

    @classmethod
    def execute(
        cls,
        amount: float,
        first_audio_signal: DrivingSignal | None = None,
        first_expression_signal: DrivingSignal | None = None,
        first_pose_signal: DrivingSignal | None = None,
        second_audio_signal: DrivingSignal | None = None,
        second_expression_signal: DrivingSignal | None = None,
        second_pose_signal: DrivingSignal | None = None,
        curve: object | None = None,
    ) -> io.NodeOutput:
        first = make_signals(
            first_audio_signal, first_expression_signal, first_pose_signal, "first_"
        )
        second = make_signals(
            second_audio_signal, second_expression_signal, second_pose_signal, "second_"
        )
        blend_curve = convert.from_curve(curve, "Mix Signals, curve") or Curve(repr(float(amount)))
        if not first.present.keys() & second.present.keys():
            kinds = [", ".join(signals.present) or "none" for signals in (first, second)]
            raise InputError(
                f"Mix Signals: expected a first and a second signal of one kind, got first "
                f"{kinds[0]}, and second {kinds[1]}. Connect both; a file that Load Signals reads "
                "may lack a kind."
            )
        return output(blend_signals(first, second, blend_curve))


class SaveSignals(checks.Node):
    """Signals -> .safetensors in the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Save Signals",
            "signals",
            "Writes signals to one .safetensors in the output folder, to be used again.",
            [
                recordings.prefix_input("signals"),
                *signal_inputs("to be saved", node="Save Signals"),
            ],
            [recordings.saved_path_output()],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            aliases=["export motion", "save motion"],
        )

    @classmethod
    def execute(
        cls,
        filename_prefix: str,
        audio_signal: DrivingSignal | None = None,
        expression_signal: DrivingSignal | None = None,
        pose_signal: DrivingSignal | None = None,
    ) -> io.NodeOutput:
        signals = make_signals(audio_signal, expression_signal, pose_signal)
        return recordings.save(cls, filename_prefix, lambda path: save_signals(path, signals))


class LoadSignals(checks.Node):
    """.safetensors -> signals."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Load Signals",
            "signals",
            "Reads signals that Save Signals or the command line wrote.",
            [recordings.file_input("signals_file", files.SIGNALS)],
            signal_outputs("Empty if the file has none."),
            aliases=["import motion", "load motion"],
        )

    @classmethod
    def fingerprint_inputs(cls, signals_file: str | None) -> str:
        """A file that was replaced is read again."""
        return files.read_recording_stamp(files.SIGNALS, signals_file)

    @classmethod
    def execute(cls, signals_file: str) -> io.NodeOutput:
        return output(load_signals(files.recording_path(files.SIGNALS, signals_file)))


class SignalMonitor(checks.Node):
    """All that drives a clip -> one image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Signal Monitor",
            "signals",
            "Draws what will happen, before the wait: waveform, gates, regions, head rotation, "
            "eyes and mouth, frame by frame.",
            [
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
                *length_inputs("Signal Monitor", substitute="conditioning"),
                *signal_inputs("to be shown", node="Signal Monitor", substitute="conditioning"),
                io.Audio.Input("audio", optional=True, tooltip="For the waveform."),
                sockets.Gates.Input("gates", optional=True, tooltip="Of Gates."),
                io.Mask.Input("audio_mask", optional=True, tooltip="Of Region Masks."),
                io.Mask.Input("expression_mask", optional=True, tooltip="Of Region Masks."),
                sockets.Track.Input(
                    "face_track", optional=True, tooltip="Of Encode Motion: head, eyes and mouth."
                ),
                sockets.encoders_input("frame rate and regions"),
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="Of Conditioning (ACTalker): shows that clip, so that nothing else has "
                    "to be connected or typed.",
                ),
            ],
            [io.Image.Output("monitor_image", tooltip="For Save Image; shown on the node.")],
            is_output_node=True,
            aliases=["preview signals", "waveform", "plot motion", "timeline"],
        )

    @classmethod
    def execute(
        cls,
        portrait: Portrait,
        fps: float,
        max_frames: int,
        extend: str,
        audio_signal: DrivingSignal | None = None,
        expression_signal: DrivingSignal | None = None,
        pose_signal: DrivingSignal | None = None,
        audio: dict[str, Any] | None = None,
        gates: tuple[Curve, Curve] | None = None,
        audio_mask: Tensor | None = None,
        expression_mask: Tensor | None = None,
        face_track: Track | None = None,
        encoders: EncoderBox | None = None,
        conditioning: list[Any] | None = None,
    ) -> io.NodeOutput:
        """Lay out as Conditioning did or would do, masks (f, h, w) included, then draw."""
        sound = None if audio is None else convert.from_audio(audio, "Signal Monitor")
        if conditioning is not None:
            video = get_plan(conditioning)
            if video.sound is None and sound is not None:
                video = replace(video, sound=sound)
        else:
            video = plan(
                portrait,
                make_signals(audio_signal, expression_signal, pose_signal),
                _sampling(encoders, fps),
                fps=fps,
                max_frames=max_frames,
                extend=extend,
                gates=gates,
                regions=regions_of_masks(audio_mask, expression_mask),
                sound=sound,
            )
        image = convert.to_image(draw_monitor(make_monitor_rows(video, face_track))[None])
        return io.NodeOutput(image, ui=ui.PreviewImage(image))


def _sampling(encoders: EncoderBox | None, fps: float) -> SamplingConfig:
    """The model's own values; a typed frame rate and the toolkit's face scale where none is known.

    A plan reads no others.
    """
    typed_fps = to_option(fps, limits.FPS)
    if encoders is None and typed_fps is not None:
        return SamplingConfig(fps=typed_fps, face_enlarged=get_face_scale(None))
    return require_owner(encoders, "Signal Monitor", "fps").config.sampling
