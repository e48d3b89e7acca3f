"""A face on a still, moved by hand."""

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core.control.motion.hand import (
    CONTROLS,
    count_key_frames,
    move_by_hand,
    move_by_keys,
    parse_numbers,
)
from ...actalker_core.errors import check_choice
from ...actalker_core.models.photograph.plan import LIPS, plan_photograph
from ...actalker_core.text import check_text
from ..common import checks, sockets
from ..common.node_text import show_warnings
from ..face.motion import lips_input, motion_output
from ..face.photograph import open_portrait
from ..face.portrait import landmark_face_inputs
from .animate import render

SLIDERS = {
    "pitch": "Degrees: above 0 the nose goes up.",
    "yaw": "Degrees: above 0 the nose goes to the image's right.",
    "roll": "Degrees: above 0 the head leans to the image's right.",
    "gaze_x": "Where the eyes look: 1 is to the corner at the image's right, -1 at its left.",
    "gaze_y": "Where the eyes look: 1 is up, -1 is down.",
    "blink_left": "The person's left lid: 1 is shut, below 0 is wide open.",
    "blink_right": "The person's right lid: 1 is shut, below 0 is wide open.",
    "wink": "1 winks with the person's left eye, -1 with the right one: brow and cheek go along.",
    "squint": "Narrow eyes.",
    "brows": "1 raises the brows, -1 draws them down.",
    "smile": "1 is a smile, -1 its opposite.",
    "aaa": "The mouth as in aaa: open.",
    "eee": "The mouth as in eee: wide.",
    "woo": "The mouth as in woo: round.",
    "pucker": "Lips as for a kiss.",
    "move_x": "To the image's right, in widths of the face.",
    "move_y": "Up, in widths of the face.",
    "scale": "Larger or smaller; 1 is as it is.",
}
"""The widgets, by their names in `CONTROLS`."""
RARE_SLIDERS = ("wink", "squint", "pucker", "move_x", "move_y", "scale")


class FaceEditor(checks.Node):
    """A photograph and numbers -> the photograph with another face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Face Editor",
            "photograph",
            "Moves the face of a photograph by hand: head, gaze, lids, brows, mouth. All numbers "
            "are changes from the photograph as it is.",
            [
                io.Image.Input("portrait_image", tooltip="The photograph; the first of a batch."),
                *(_slider(name, tooltip) for name, tooltip in SLIDERS.items()),
                checks.with_check(
                    io.String.Input(
                        "more_numbers",
                        default="",
                        tooltip="Any others by name, such as anger=0.7 or browInnerUp=1: "
                        "expressions and the 51 blendshapes of ARKit.",
                    ),
                    parse_numbers,
                ),
                lips_input(),
                *landmark_face_inputs("Which face of the photograph."),
                checks.with_check(
                    io.String.Input(
                        "keys",
                        default="",
                        optional=True,
                        tooltip="Faces over time, for the motion: 0s: yaw=0 smile=0; 1s: yaw=10 "
                        "smile=1 ease. linear, hold or ease says how each goes on. The button ◆ "
                        "writes them. Empty: the sliders alone.",
                    ),
                    checks.or_blank(lambda keys: count_key_frames(keys, sockets.DEFAULT_FPS)),
                ),
            ],
            [
                io.Image.Output("edited_image", tooltip="Of the photograph's size."),
                io.Mask.Output(
                    "invented_mask",
                    tooltip="Pixels that the photograph does not show, for an inpainting.",
                ),
                motion_output(
                    "The numbers as one frame, or the frames through all keys, for Motion To "
                    "Frames, Animate Photo or Mix Motion."
                ),
            ],
            aliases=[
                "expression editor",
                "head pose",
                "liquify face",
                "change expression",
                "puppet",
                "face sliders",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=[*RARE_SLIDERS, "more_numbers", "lips", "face_index"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        portrait_image: Tensor,
        more_numbers: str,
        lips: str,
        face: str,
        face_index: int,
        keys: str = "",
        **numbers: float,
    ) -> io.NodeOutput:
        """One frame of the first image of (b, h, w, c)."""
        check_choice("lips", lips, LIPS)
        still = move_by_hand({**numbers, **parse_numbers(more_numbers)})
        motion = (
            move_by_keys(keys, sockets.DEFAULT_FPS) if check_text("Keys", keys).strip() else still
        )
        photograph, _ = open_portrait(portrait_image, face, face_index)
        plan = plan_photograph(photograph, still, fps=still.rate_hz, lips=lips)
        return io.NodeOutput(*render(plan), motion)


def _slider(name: str, tooltip: str) -> io.Float.Input:
    control = CONTROLS[name]
    return io.Float.Input(
        name,
        default=control.rest,
        **control.limits.widget,
        step=1.0 if control.limits.maximum > 10 else 0.05,
        display_mode=io.NumberDisplay.slider,
        tooltip=tooltip,
    )
