"""Signals edited, mixed, saved and shown."""

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core.control.curves import Curve
from ...actalker_core.control.edits import EDITS
from ...actalker_core.control.monitor import MonitorRows, draw_monitor
from ...actalker_core.control.signals import DrivingSignal, load_signals, save_signals
from ...actalker_core.errors import check_choice
from ...actalker_core.faces import Track
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.models.actalker.config import SamplingConfig
from ..common import convert, files, sockets
from ..common.node_text import show
from .layout import length_inputs, make_signals, plan, regions_of_masks, signal_inputs

LONGEST_SECONDS = 36000.0


class EditSignal(io.ComfyNode):
    """Signal -> signal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Edit Signal",
            "signals",
            "Changes a signal in time or strength. Several of these nodes may follow each other.",
            [
                sockets.Signal.Input("signal", tooltip="Any of the three kinds."),
                io.Combo.Input(
                    "edit",
                    options=list(EDITS),
                    default="smooth",
                    tooltip="trim keeps what lies between two times; resample changes the rate; "
                    "loop, ping-pong and hold reach a duration; offset moves in time; scale is "
                    "stronger or weaker; smooth calms.",
                ),
                sockets.fraction_input(
                    "value",
                    0.2,
                    -LONGEST_SECONDS,
                    LONGEST_SECONDS,
                    "Seconds; for resample values per second; for scale the strength, where 1 "
                    "changes nothing and 0 is the neutral moment. smooth: 0.2 is gentle, 0 is off.",
                ),
                sockets.fraction_input(
                    "second_value",
                    0.0,
                    0.0,
                    LONGEST_SECONDS,
                    "trim: from value to this, in seconds. scale: when the face is neutral, in "
                    "seconds. Others do not use it.",
                ),
            ],
            [sockets.Signal.Output("edited_signal", tooltip="Of the same kind.")],
            aliases=["trim motion", "loop motion", "retime", "smooth motion", "exaggerate"],
        )

    @classmethod
    def execute(
        cls, signal: DrivingSignal, edit: str, value: float, second_value: float
    ) -> io.NodeOutput:
        """One call."""
        check_choice("edit", edit, EDITS)
        change, count, _ = EDITS[edit]
        signal = convert.require_signal(signal, "Edit Signal")
        return io.NodeOutput(change(signal, *(value, second_value)[:count]))


class MixSignals(io.ComfyNode):
    """Two signals of one kind -> one between them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Mix Signals",
            "signals",
            "Blends two signals of one kind along a curve, as long as the shorter one.",
            [
                sockets.Signal.Input("first_signal", tooltip="Where the curve is 0."),
                sockets.Signal.Input("second_signal", tooltip="Where the curve is 1."),
                sockets.fraction_input(
                    "amount", 0.5, 0.0, 1.0, "How much of the second. 0 is the first, 1 the second."
                ),
                sockets.curve_input("curve", "The same over time, instead of amount."),
            ],
            [sockets.Signal.Output("mixed_signal", tooltip="Of the same kind.")],
            aliases=["blend motion", "crossfade", "interpolate expressions"],
        )

    @classmethod
    def execute(
        cls,
        first_signal: DrivingSignal,
        second_signal: DrivingSignal,
        amount: float,
        curve: object | None = None,
    ) -> io.NodeOutput:
        """One call."""
        first_signal = convert.require_signal(first_signal, "Mix Signals, first")
        second_signal = convert.require_signal(second_signal, "Mix Signals, second")
        rate_hz = first_signal.rate_hz
        given = convert.from_curve(curve, "Mix Signals, curve") or Curve(repr(float(amount)))
        share = given.sample(len(first_signal), rate_hz)
        return io.NodeOutput(first_signal.blend(second_signal, share, rate_hz))


class SaveSignals(io.ComfyNode):
    """Signals -> .safetensors in the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Save Signals",
            "signals",
            "Writes signals to one .safetensors in the output folder, to be used again.",
            [
                io.String.Input(
                    "filename_prefix",
                    default="signals/actalker",
                    tooltip="Folder and beginning of the name; a number follows.",
                ),
                *signal_inputs("to be saved"),
            ],
            [io.String.Output("saved_path", tooltip="The file that was written.")],
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
        """One call."""
        signals = make_signals(audio_signal, expression_signal, pose_signal)
        path = files.new_signals_path(filename_prefix)
        save_signals(path, signals)
        return io.NodeOutput(str(path), ui=show(cls, f"Saved: {path.name}"))


class LoadSignals(io.ComfyNode):
    """.safetensors -> signals."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Load Signals",
            "signals",
            "Reads signals that Save Signals or the command line wrote.",
            [
                io.Combo.Input(
                    "signals_file",
                    options=files.list_signals(),
                    tooltip="A .safetensors of the input folder, or of the output folder.",
                )
            ],
            [
                sockets.Signal.Output("audio_signal", tooltip="Empty if the file has none."),
                sockets.Signal.Output("expression_signal", tooltip="Empty if the file has none."),
                sockets.Signal.Output("pose_signal", tooltip="Empty if the file has none."),
            ],
            aliases=["import motion", "load motion"],
        )

    @classmethod
    def fingerprint_inputs(cls, signals_file: str | None) -> str:
        """A file that was replaced is read again; of a linked name ComfyUI tells nothing here."""
        if signals_file is None:
            return files.NONE
        return files.changed_at(files.signals_path(signals_file))

    @classmethod
    def execute(cls, signals_file: str) -> io.NodeOutput:
        """One call."""
        found = load_signals(files.signals_path(signals_file))
        return io.NodeOutput(found.audio, found.expression, found.pose)


class SignalMonitor(io.ComfyNode):
    """All that drives a clip -> one picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets."""
        return sockets.schema(
            "Signal Monitor",
            "signals",
            "Draws what will happen, before the wait: waveform, gates, regions, head rotation, "
            "eyes and mouth, frame by frame.",
            [
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
                *length_inputs(),
                *signal_inputs("to be shown"),
                io.Audio.Input("audio", optional=True, tooltip="For the waveform."),
                sockets.Gates.Input("gates", optional=True, tooltip="Of Gates."),
                io.Mask.Input("audio_mask", optional=True, tooltip="Of Region Masks."),
                io.Mask.Input("expression_mask", optional=True, tooltip="Of Region Masks."),
                sockets.Track.Input(
                    "face_track", optional=True, tooltip="Of Encode Motion: head, eyes and mouth."
                ),
            ],
            [io.Image.Output("monitor_image", tooltip="For Preview Image.")],
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
        audio: dict | None = None,
        gates: tuple[Curve, Curve] | None = None,
        audio_mask: Tensor | None = None,
        expression_mask: Tensor | None = None,
        face_track: Track | None = None,
    ) -> io.NodeOutput:
        """Lay out as Conditioning does, then draw."""
        signals = make_signals(audio_signal, expression_signal, pose_signal)
        planned = plan(
            portrait,
            signals,
            SamplingConfig(),
            fps=fps,
            max_frames=max_frames,
            extend=extend,
            gates=gates,
            regions=regions_of_masks(audio_mask, expression_mask),
            sound=None if audio is None else convert.from_audio(audio, "Signal Monitor"),
        )
        pose = planned.signals.pose
        rotation = None if pose is None else pose.sample(planned.frames, fps).rotation_degrees
        picture = draw_monitor(
            MonitorRows(
                frames=planned.frames,
                fps=fps,
                audio=planned.sound,
                gates=planned.gates,
                portrait=portrait.image,
                masks=planned.masks,
                rotation_degrees=rotation,
                track=face_track,
            )
        )
        return io.NodeOutput(convert.to_image(picture[None]))
