"""Motion mixed, edited, saved and loaded."""

from comfy_api.latest import io

from ...actalker_core import limits
from ...actalker_core.control.curves import Curve
from ...actalker_core.control.edits import EDITS
from ...actalker_core.control.motion.groups import mix_groups, parse_motion_edit
from ...actalker_core.control.motion.signal import (
    GROUPS,
    MotionSignal,
    load_motion,
    save_motion,
)
from ...actalker_core.errors import check_choice
from ..common import convert, files, sockets
from ..common.node_text import show
from .motion import check_motion, motion_output

SECOND_GROUPS = ("mouth",)
"""What a second motion owns where nothing else is said: speech over a clip."""
ALL_GROUPS = "all"


class MixMotion(io.ComfyNode):
    """Two motions -> one, group by group."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Mix Motion",
            "motion",
            "Two motions in one face, each with its own part of it, and over time along a curve. "
            "As it comes, the second owns the mouth and the first the rest: speech over a clip.",
            [
                sockets.Motion.Input("first_motion", tooltip="What moves the face at 0."),
                sockets.Motion.Input(
                    "second_motion",
                    tooltip="What moves it at 1. It holds its end, or is cut, to be as long.",
                ),
                *(
                    sockets.fraction_input(
                        group,
                        float(group in SECOND_GROUPS),
                        0.0,
                        1.0,
                        f"Who moves the {group}: 0 is the first, 1 the second.",
                    )
                    for group in GROUPS
                ),
                sockets.curve_input(
                    "curve", "The second's share over time, multiplied with all of these."
                ),
            ],
            [motion_output()],
            aliases=["blend motion", "layer motion", "combine expressions", "crossfade"],
        )

    @classmethod
    def execute(
        cls,
        first_motion: MotionSignal,
        second_motion: MotionSignal,
        curve: object | None = None,
        **shares: float,
    ) -> io.NodeOutput:
        """Gates of groups, over the frames of the first."""
        first = check_motion(first_motion, "Mix Motion, first_motion")
        second = check_motion(second_motion, "Mix Motion, second_motion")
        course = convert.from_curve(curve, "Mix Motion, curve") or Curve("1")
        strengths = course.sample(len(first), first.rate_hz)
        gates = {group: strengths * shares[group] for group in GROUPS}
        return io.NodeOutput(mix_groups(first, second, gates))


class EditMotion(io.ComfyNode):
    """A motion -> the same, changed in time or strength."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Edit Motion",
            "motion",
            "Changes a motion in time or strength, all of it or one part of the face. Several of "
            "these nodes may follow each other.",
            [
                sockets.Motion.Input("motion", tooltip="To be edited."),
                io.Combo.Input(
                    "group",
                    options=[ALL_GROUPS, *GROUPS],
                    tooltip="Which part of the face. One part alone keeps the length of all.",
                ),
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
                    -limits.SECONDS.maximum,
                    limits.SECONDS.maximum,
                    "Seconds; for resample frames per second; for scale the strength, where 1 "
                    "changes nothing and 0 is the neutral moment. smooth: 0.2 is gentle, 0 is off.",
                ),
                sockets.fraction_input(
                    "second_value",
                    0.0,
                    0.0,
                    limits.SECONDS.maximum,
                    "trim: from value to this, in seconds. scale: when the face is neutral, in "
                    "seconds. Others do not use it.",
                ),
            ],
            [sockets.Motion.Output("edited_motion", tooltip="The motion after it.")],
            aliases=["trim motion", "loop motion", "retime", "smooth motion", "exaggerate"],
        )

    @classmethod
    def execute(
        cls, motion: MotionSignal, group: str, edit: str, value: float, second_value: float
    ) -> io.NodeOutput:
        check_choice("edit", edit, EDITS)
        check_choice("group", group, (ALL_GROUPS, *GROUPS))
        _, count, _ = EDITS[edit]
        values = ":".join(repr(float(number)) for number in (value, second_value)[:count])
        owner = "" if group == ALL_GROUPS else f"{group}."
        change = parse_motion_edit(f"{owner}{edit}={values}")
        return io.NodeOutput(change(check_motion(motion, "Edit Motion")))


class SaveMotion(io.ComfyNode):
    """Motion -> .safetensors in the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Save Motion",
            "motion",
            "Writes a motion to a .safetensors in the output folder, to be used again, here or on "
            "the command line.",
            [
                sockets.Motion.Input("motion", tooltip="To be saved."),
                io.String.Input(
                    "filename_prefix",
                    default="motion/actalker",
                    tooltip="Folder and beginning of the name; a number follows.",
                ),
            ],
            [io.String.Output("saved_path", tooltip="The file that was written.")],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            aliases=["export motion", "export blendshapes"],
        )

    @classmethod
    def execute(cls, motion: MotionSignal, filename_prefix: str) -> io.NodeOutput:
        checked_motion = check_motion(motion, "Save Motion")
        path = files.new_recording_path(filename_prefix)
        save_motion(path, checked_motion)
        return io.NodeOutput(str(path), ui=show(cls, f"Saved: {path.name}"))


class LoadMotion(io.ComfyNode):
    """.safetensors -> motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Load Motion",
            "motion",
            "Reads a motion that Save Motion or the command line wrote.",
            [
                io.Combo.Input(
                    "motion_file",
                    options=files.list_recordings(files.MOTION),
                    tooltip="A .safetensors of the input folder, or of the output folder.",
                )
            ],
            [motion_output()],
            aliases=["import motion", "import blendshapes"],
        )

    @classmethod
    def fingerprint_inputs(cls, motion_file: str | None) -> str:
        """A file that was replaced is read again."""
        return files.read_recording_stamp(files.MOTION, motion_file)

    @classmethod
    def execute(cls, motion_file: str) -> io.NodeOutput:
        return io.NodeOutput(load_motion(files.recording_path(files.MOTION, motion_file)))
