"""Motion mixed, edited, saved and loaded."""

from typing import Any

from comfy_api.latest import io

from ...actalker_core.control.curves import Curve
from ...actalker_core.control.motion.groups import make_motion_edit, mix_groups
from ...actalker_core.control.motion.signal import (
    GROUPS,
    MotionSignal,
    load_motion,
    save_motion,
)
from ...actalker_core.errors import check_choice
from ..common import checks, convert, files, recordings, sockets
from .motion import check_motion, motion_output

SECOND_GROUPS = ("mouth",)
"""What a second motion owns where nothing else is said: speech over a clip."""
ALL_GROUPS = "all"


class MixMotion(checks.Node):
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
                *(
                    sockets.curve_input(
                        f"{group}_curve", f"Who moves the {group} over time, instead of the number."
                    )
                    for group in GROUPS
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
        **inputs: Any,
    ) -> io.NodeOutput:
        """Gates of groups, over the frames of the first."""
        first = check_motion(first_motion, "Mix Motion, first_motion")
        second = check_motion(second_motion, "Mix Motion, second_motion")
        course = convert.from_curve(curve, "Mix Motion, curve") or Curve("1")
        strengths = course.sample(len(first), first.rate_hz)
        gates = {}
        for group in GROUPS:
            share = convert.from_curve(inputs.get(f"{group}_curve"), f"Mix Motion, {group}_curve")
            owner = inputs[group] if share is None else share.sample(len(first), first.rate_hz)
            gates[group] = strengths * owner
        return io.NodeOutput(mix_groups(first, second, gates))


class EditMotion(checks.Node):
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
                *recordings.edit_inputs("frames"),
                sockets.curve_input(
                    "curve",
                    "Where the edit acts over time: 0 is the motion as it comes, 1 the edited one. "
                    "With it the motion keeps its length.",
                ),
            ],
            [sockets.Motion.Output("edited_motion", tooltip="The motion after it.")],
            aliases=recordings.EDIT_ALIASES,
        )

    @classmethod
    def execute(
        cls,
        motion: MotionSignal,
        group: str,
        edit: str,
        value: float,
        second_value: float,
        curve: object | None = None,
    ) -> io.NodeOutput:
        """Edited everywhere, or as far as the curve says in each frame of the motion."""
        values = recordings.pick_values(edit, value, second_value)
        check_choice("group", group, (ALL_GROUPS, *GROUPS))
        change = make_motion_edit(edit, values, None if group == ALL_GROUPS else group)
        original = check_motion(motion, "Edit Motion")
        result = change(original)
        course = convert.from_curve(curve, "Edit Motion, curve")
        if course is None:
            return io.NodeOutput(result)
        gate = course.sample(len(original), original.rate_hz)
        return io.NodeOutput(mix_groups(original, result, dict.fromkeys(GROUPS, gate)))


class SaveMotion(checks.Node):
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
                recordings.prefix_input("motion"),
            ],
            [recordings.saved_path_output()],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            aliases=["export motion", "export blendshapes"],
        )

    @classmethod
    def execute(cls, motion: MotionSignal, filename_prefix: str) -> io.NodeOutput:
        checked_motion = check_motion(motion, "Save Motion")
        return recordings.save(cls, filename_prefix, lambda path: save_motion(path, checked_motion))


class LoadMotion(checks.Node):
    """.safetensors -> motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Load Motion",
            "motion",
            "Reads a motion that Save Motion or the command line wrote.",
            [recordings.file_input("motion_file", files.MOTION)],
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
