"""A photograph that moves: the whole trip in one box, and motion shown on a face."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.motion.idle import IdleAmounts
from ...actalker_core.control.motion.mix import find_top_source, mix_motion, parse_mix
from ...actalker_core.control.motion.signal import MotionSignal
from ...actalker_core.control.motion.sources import EXTENSIONS, gather_sources
from ...actalker_core.control.words.prompt import check_emotions, parse_prompt
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.models.photograph.pipeline import render_frames
from ...actalker_core.models.photograph.plan import (
    LIPS,
    MOUTHS,
    Driver,
    PhotographPlan,
    plan_photograph,
)
from ...actalker_core.text import check_text
from ..common import checks, convert, sockets
from ..common.defaults import to_option
from ..common.node_text import show_warnings
from ..common.peaks import describe_sound
from ..common.progress import Bar, show_stages
from ..face.motion import READING, check_motion, lips_input, measure_clip
from ..face.photograph import open_portrait
from ..face.portrait import landmark_face_inputs

FINDING, DRAWING = "Finding the face", "Drawing"
STAGES = {FINDING: 2.0, READING: 50.0, DRAWING: 100.0}
"""Stage -> its part of the time; those without their input are left out."""


LINKED_MOVERS = ("audio", "driving_frames", "motion")
"""Inputs that move the photograph and say for how long."""
NOTHING_MOVES = (
    "Animate Photo: expected something that moves the photograph, got nothing. Connect audio, "
    "driving_frames or motion, write a text, or set idle above 0."
)


def _check_movers(values: checks.Values) -> None:
    """Something has to move the photograph; what is linked may."""
    is_written = (values.get("text") or "").strip() or values.get("idle")
    is_linked = values.keys() & set(LINKED_MOVERS)
    if not (is_written or is_linked or None in (values.get("text", ""), values.get("idle", 0.0))):
        raise InputError(NOTHING_MOVES)


class AnimatePhoto(checks.Node):
    """A photograph, and what moves it -> frames, sound, fps, motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Animate Photo",
            "start",
            "Moves a photograph at once, without any weights: by speech, a driving clip, words, "
            "numbers, or by itself. Start here.",
            [
                io.Image.Input("portrait_image", tooltip="The photograph; the first of a batch."),
                checks.with_check(
                    io.String.Input(
                        "text",
                        default="",
                        multiline=True,
                        tooltip="Expressions in words: joy, or over time: 0s: neutral; 2s: joyful. "
                        "Empty: none.",
                    ),
                    checks.or_blank(check_emotions),
                ),
                checks.with_check(
                    sockets.fraction_input(
                        "idle",
                        1.0,
                        limits.IDLE_AMOUNT.minimum,
                        limits.IDLE_AMOUNT.maximum,
                        "Blinks, breath, sway and gaze where nothing else moves the face. "
                        "0 is off.",
                    ),
                    check_all=_check_movers,
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    **limits.SEED.widget,
                    control_after_generate=True,
                    tooltip="Of idle life: the same seed gives the same video.",
                ),
                sockets.seconds_input(
                    "How long, without audio, clip and motion to say so.",
                    rate="fps",
                    substitutes=LINKED_MOVERS,
                ),
                sockets.own_input(
                    "fps",
                    limits.FPS,
                    "Frames per second of the video.",
                    0.01,
                    meaning=f"the clip's, else {sockets.DEFAULT_FPS:g}",
                ),
                sockets.max_frames_input("At most so many frames. 0 is all."),
                io.Combo.Input(
                    "extend",
                    options=list(EXTENSIONS),
                    tooltip="What a clip or a motion does that is shorter than the speech: go "
                    "forth and back, loop, or hold.",
                ),
                lips_input(),
                io.Combo.Input(
                    "mouth",
                    options=list(MOUTHS),
                    tooltip="What is seen between the lips. own: the photograph's teeth, or made "
                    "up ones. driver: those of the clip. auto: the clip's where it moves the lips.",
                ),
                checks.with_check(
                    io.String.Input(
                        "mix",
                        default="",
                        tooltip="Who moves what, if not as usual: mouth: audio + words 0.5; head: "
                        "clip. Groups are mouth, eyes, brows, cheeks, head, gaze; sources are "
                        "audio, clip, words, numbers, idle.",
                    ),
                    parse_mix,
                ),
                io.Float.Input(
                    "offset_ms",
                    default=0.0,
                    **limits.LIP_OFFSET_MS.widget,
                    step=10.0,
                    tooltip="Lips later than the sound by so many milliseconds, earlier below 0.",
                ),
                *landmark_face_inputs(
                    "Which face of the photograph; in the clip the largest is followed."
                ),
                sockets.driving_fps_input(),
                io.Audio.Input("audio", optional=True, tooltip="Speech, for the lips."),
                sockets.frames_input(
                    "driving_frames",
                    "A clip for expression, head and gaze: IMAGE of any loader, or VIDEO.",
                    optional=True,
                ),
                sockets.Motion.Input(
                    "motion", optional=True, tooltip="More numbers, which are added to all others."
                ),
                io.Mask.Input(
                    "region_mask",
                    optional=True,
                    tooltip="Where the photograph may change, in white.",
                ),
            ],
            [
                io.Image.Output("frames", tooltip="Of the photograph's size, for Create Video."),
                io.Mask.Output(
                    "invented_mask",
                    tooltip="Pixels that the photograph does not show: mouth, lids, background.",
                ),
                io.Audio.Output("trimmed_audio", tooltip="As long as the frames."),
                io.Float.Output("video_fps", tooltip="For Create Video."),
                sockets.Motion.Output(
                    "video_motion", tooltip="All that moved it, for Geometry Images or Save Motion."
                ),
            ],
            aliases=[
                "lip sync",
                "talking head",
                "talking avatar",
                "audio driven",
                "portrait animation",
                "animate portrait",
                "face reenactment",
                "photo to video",
                "live portrait",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=[
                *("extend", "lips", "mouth", "mix", "offset_ms", "face_index"),
                *("frames_per_second", "max_frames"),
            ],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        portrait_image: Tensor,
        text: str,
        idle: float,
        seed: int,
        seconds: float,
        fps: float,
        max_frames: int,
        extend: str,
        lips: str,
        mouth: str,
        mix: str,
        offset_ms: float,
        face: str,
        face_index: int,
        frames_per_second: float,
        audio: dict[str, Any] | None = None,
        driving_frames: object = None,
        motion: MotionSignal | None = None,
        region_mask: Tensor | None = None,
    ) -> io.NodeOutput:
        """The first image of (b, h, w, c), where the mask (f, h, w) lets it move."""
        for name, value, choices in (
            ("extend", extend, EXTENSIONS),
            ("lips", lips, LIPS),
            ("mouth", mouth, MOUTHS),
        ):
            check_choice(name, value, choices)
        moments = parse_prompt(text) if check_text("Text", text).strip() else None
        parse_mix(mix)
        masks = convert.from_mask(region_mask)
        missing = {READING} if driving_frames is None else set()
        stages = {name: part for name, part in STAGES.items() if name not in missing}
        with show_stages(cls, stages) as bar:
            bar.report(FINDING, 0, 1)
            photograph, _ = open_portrait(portrait_image, face, face_index)
            sound = None if audio is None else convert.from_audio(audio, "Animate Photo")
            rate = to_option(fps, limits.FPS, meaning="the clip's")
            clip_motion, driver = None, None
            if driving_frames is not None:
                clip = convert.stream_frames(
                    driving_frames, frames_per_second, rate, max_frames or None
                )
                rate = rate or clip.fps
                driving = measure_clip(clip, lips=lips)
                clip_motion, landmarks = driving.motion, driving.track.landmarks
                driver = None if landmarks is None else Driver(clip, landmarks)
            rate = rate or sockets.DEFAULT_FPS
            sources = gather_sources(
                rate,
                max_frames=max_frames or None,
                seconds=limits.SECONDS.check(seconds),
                extend=extend,
                speech=sound,
                offset_ms=offset_ms,
                clip=clip_motion,
                numbers=None if motion is None else check_motion(motion, "Animate Photo, motion"),
                words=moments,
                idle=IdleAmounts(*[idle] * 5) if idle else None,
                seed=seed,
            )
            motions, count = sources.motions, sources.frames
            if not motions:
                raise InputError(NOTHING_MOVES)
            plan = plan_photograph(
                photograph,
                mix_motion(motions, mix, frames=count, fps=rate, audio=sound),
                fps=rate,
                lips=lips,
                mouth=mouth,
                driver=driver,
                drives_mouth=find_top_source("mouth", motions, mix) == "clip",
                mask=None if masks is None else masks[0, 0],
                sound=sound,
            )
            images = render(plan)
        sound_out = None if plan.sound is None else convert.to_audio(plan.sound)
        report = None if sound is None else describe_sound(sound)
        return io.NodeOutput(*images, sound_out, rate, plan.motion, ui=report)


def render(plan: PhotographPlan) -> list[Tensor]:
    """IMAGE (f, H, W, 3) and MASK (f, H, W) of a plan, shown while they are drawn."""
    rows = ((frame.image, frame.invented_mask) for frame in render_frames(plan))
    return convert.collect_images(rows, plan.frames, Bar(plan.frames, DRAWING).show)


class MotionToFrames(checks.Node):
    """Motion on a photograph -> frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Motion To Frames",
            "photograph",
            "Shows a motion on a photograph, just as it is. Its frames are a driving clip too: "
            "Encode Motion reads them, so that numbers drive a diffusion model.",
            [
                io.Image.Input("portrait_image", tooltip="The photograph; the first of a batch."),
                sockets.Motion.Input("motion", tooltip="What the face does."),
                sockets.own_input(
                    "fps",
                    limits.FPS,
                    "Frames per second of the frames.",
                    0.01,
                    meaning="those of the motion",
                ),
                sockets.max_frames_input("At most so many frames. 0 is all of the motion."),
                lips_input(),
                *landmark_face_inputs("Which face of the photograph."),
            ],
            [
                io.Image.Output("frames", tooltip="For Encode Motion or Create Video."),
                io.Mask.Output(
                    "invented_mask", tooltip="Pixels that the photograph does not show."
                ),
                io.Float.Output("frames_per_second", tooltip="Of the frames, for Encode Motion."),
                sockets.Motion.Output(
                    "shown_motion", tooltip="What the frames show, for Refine With TGDM."
                ),
            ],
            aliases=["render motion", "driving clip", "drive by numbers", "blendshapes to video"],
            hidden=[io.Hidden.unique_id],
            advanced=["max_frames", "lips", "face_index"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        portrait_image: Tensor,
        motion: MotionSignal,
        fps: float,
        max_frames: int,
        lips: str,
        face: str,
        face_index: int,
    ) -> io.NodeOutput:
        """On the first image of (b, h, w, c)."""
        checked_motion = check_motion(motion, "Motion To Frames")
        check_choice("lips", lips, LIPS)
        rate = to_option(fps, limits.FPS, meaning="the motion's") or checked_motion.rate_hz
        photograph, _ = open_portrait(portrait_image, face, face_index)
        plan = plan_photograph(
            photograph, checked_motion, fps=rate, max_frames=max_frames or None, lips=lips
        )
        return io.NodeOutput(*render(plan), rate, plan.motion)
