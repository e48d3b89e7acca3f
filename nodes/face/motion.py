"""Motion in numbers, out of a clip, speech, words, or nothing at all."""

from typing import Any

from comfy_api.latest import io

from ...actalker_core import limits
from ...actalker_core.control.motion import sources
from ...actalker_core.control.motion.clip import DrivingMotion, move_by_frames
from ...actalker_core.control.motion.idle import IdleAmounts, move_idly
from ...actalker_core.control.motion.signal import MotionSignal
from ...actalker_core.control.motion.speech import move_by_speech
from ...actalker_core.control.motion.words import move_by_words
from ...actalker_core.control.words.clip import CLIPEncoder
from ...actalker_core.control.words.prompt import check_emotions, parse_prompt
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.geometry.deform import LIPS
from ..common import checks, convert, files, sockets
from ..common.defaults import to_option
from ..common.node_text import show_warnings
from ..common.peaks import describe_sound
from ..common.progress import Bar
from .portrait import check_landmark_face, landmark_face_inputs

READING = "Reading the clip"
"""A stage's name."""
AUTOMATIC = -1
"""Where the neutral moment of a clip is found by itself."""


def motion_output(tooltip: str = "For Animate Photo, Mix Motion or Save Motion.") -> Any:
    """What the face does."""
    return sockets.Motion.Output("motion", tooltip=tooltip)


def lips_input() -> io.Combo.Input:
    """Where lips move on from."""
    return io.Combo.Input(
        "lips",
        options=list(LIPS),
        tooltip="relative: the mouth moves on from where it is at rest. absolute: from shut lips, "
        "for a photograph or a clip that smiles or speaks throughout.",
    )


def check_motion(motion: MotionSignal | None, name: str) -> MotionSignal:
    """A motion that came over a wire.

    Raises:
        InputError: it is none.
    """
    checked_motion: MotionSignal | None = convert.check_signal(motion, MotionSignal, name)
    if checked_motion is None:
        raise InputError(
            f"{name}: expected a motion, got none. Connect Motion From Clip or another."
        )
    return checked_motion


def count_frames(seconds: float, fps: float) -> int:
    """Whole frames of a duration.

    Raises:
        InputError: a number outside its limits, or not one frame.
    """
    return sources.count_frames(limits.SECONDS.check(seconds), fps)


class MotionFromVideo(checks.Node):
    """Frames -> motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Motion From Clip",
            "motion",
            "Reads from a driving clip what its face does: expression, head, lids and gaze, as "
            "numbers that move any other face.",
            [
                sockets.frames_input("frames", "The driving clip: IMAGE of any loader, or VIDEO."),
                sockets.driving_fps_input(),
                sockets.own_input(
                    "motion_fps",
                    limits.FPS,
                    "Frames per second of the motion.",
                    0.01,
                    meaning="those of the clip",
                ),
                *landmark_face_inputs("Which face of the clip, if it shows several."),
                checks.with_check(
                    sockets.fraction_input(
                        "neutral_seconds",
                        float(AUTOMATIC),
                        float(AUTOMATIC),
                        limits.NEUTRAL_SECONDS.maximum,
                        "When the face of the clip is at rest; all else is a change from that "
                        f"moment. {AUTOMATIC} finds one.",
                    ),
                    _to_neutral,
                ),
                lips_input(),
                sockets.max_frames_input(
                    "Read at most so many frames, counted at motion_fps. 0 reads all."
                ),
            ],
            [
                motion_output(),
                io.Int.Output("motion_frame_count", tooltip="Frames at motion_fps."),
            ],
            aliases=[
                "face reenactment",
                "driving video",
                "expression transfer",
                "motion capture",
                "blendshapes",
                "ARKit",
                "face tracking",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["motion_fps", "face_index", "neutral_seconds", "lips"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        frames: object,
        frames_per_second: float,
        motion_fps: float,
        face: str,
        face_index: int,
        neutral_seconds: float,
        lips: str,
        max_frames: int,
    ) -> io.NodeOutput:
        """Follow the face, then measure it."""
        choice = check_landmark_face(face, face_index)
        check_choice("lips", lips, LIPS)
        rate = to_option(motion_fps, limits.FPS, meaning="the clip's")
        clip = convert.stream_frames(frames, frames_per_second, rate, max_frames or None)
        motion = measure_clip(clip, choice, _to_neutral(neutral_seconds), lips).motion
        return io.NodeOutput(motion, len(motion))


def _to_neutral(seconds: float) -> float | None:
    """The neutral moment as it is typed; None to find one."""
    return to_option(seconds, limits.NEUTRAL_SECONDS, AUTOMATIC, "the calmest moment")


def measure_clip(
    clip: convert.FrameStream,
    choice: str = "largest",
    neutral_seconds: float | None = None,
    lips: str = "relative",
) -> DrivingMotion:
    """What a face of a clip does, with a progress bar; see `move_by_frames`."""
    bar = Bar(clip.count, READING)
    return move_by_frames(
        clip,
        files.open_landmarker(),
        files.open_face_mesh(),
        fps=clip.fps,
        choice=choice,
        neutral_seconds=neutral_seconds,
        lips=lips,
        on_frame=bar.count,
    )


class MotionFromSpeech(checks.Node):
    """AUDIO -> motion of the mouth."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Motion From Speech",
            "motion",
            "Moves the mouth as speech does: it opens, widens, rounds and closes, in any language. "
            "Silence is at rest.",
            [
                io.Audio.Input("audio", tooltip="Speech; music and noise are taken for silence."),
                sockets.motion_fps_input(),
                sockets.fraction_input(
                    "amount",
                    1.0,
                    limits.MOUTH_AMOUNT.minimum,
                    limits.MOUTH_AMOUNT.maximum,
                    "How far the mouth opens: 1 as in conversation, less mumbles, more sings.",
                ),
                io.Float.Input(
                    "offset_ms",
                    default=0.0,
                    **limits.LIP_OFFSET_MS.widget,
                    step=10.0,
                    tooltip="Lips later by so many milliseconds, earlier if below 0, for files "
                    "that are out of sync.",
                ),
            ],
            [motion_output(), io.Int.Output("motion_frame_count", tooltip="Frames of the sound.")],
            aliases=["lip sync", "audio driven", "visemes", "phonemes", "talking head"],
            advanced=["offset_ms"],
        )

    @classmethod
    def execute(
        cls, audio: dict[str, Any], motion_fps: float, amount: float, offset_ms: float
    ) -> io.NodeOutput:
        """As long as the sound, in whole frames."""
        sound = convert.from_audio(audio, "Motion From Speech")
        count = count_frames(sound.seconds, motion_fps)
        motion = move_by_speech(sound, count, motion_fps, amount=amount, offset_ms=offset_ms)
        return io.NodeOutput(motion, count, ui=describe_sound(sound))


class MotionFromWords(checks.Node):
    """Words over time -> motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Motion From Words",
            "motion",
            "Expressions in words over time: joy, sadness, anger, surprise, fear, disgust and "
            "others, by themselves or between each other.",
            [
                checks.with_check(
                    io.String.Input(
                        "text",
                        default="0s: neutral; 2s: joyful",
                        multiline=True,
                        tooltip="One expression, or several over time: 0s: neutral; 2s: joyful.",
                    ),
                    parse_prompt,
                    check_all=_check_emotions,
                ),
                sockets.seconds_input("How long; the last expression holds."),
                sockets.motion_fps_input(),
                sockets.fraction_input(
                    "strength",
                    1.0,
                    0.0,
                    3.0,
                    "0 is at rest, 1 the whole expression, more exaggerates.",
                ),
                io.Combo.Input(
                    "clip_folder",
                    options=files.list_folders(),
                    tooltip="A CLIP model of transformers below models/actalker, so that any text "
                    "finds its nearest expression. none knows their names and synonyms.",
                ),
            ],
            [motion_output()],
            aliases=["emotion", "expression prompt", "text to expression", "facial expression"],
            advanced=["clip_folder"],
        )

    @classmethod
    def execute(
        cls, text: str, seconds: float, motion_fps: float, strength: float, clip_folder: str
    ) -> io.NodeOutput:
        motion = move_by_words(
            parse_prompt(text),
            seconds=count_frames(seconds, motion_fps) / motion_fps,
            rate_hz=motion_fps,
            strength=strength,
            clip=open_clip(clip_folder),
        )
        return io.NodeOutput(motion)


def _check_emotions(values: checks.Values) -> None:
    """Of all words, where no CLIP finds out what they mean."""
    text = values.get("text")
    if text is not None and values.get("clip_folder") == files.NO_FILE:
        check_emotions(text)


def open_clip(folder: str) -> CLIPEncoder | None:
    """The CLIP model of a folder of `models/actalker`, or None."""
    return None if folder == files.NO_FILE else CLIPEncoder(files.model_path(folder))


class MotionFromIdle(checks.Node):
    """A seed -> motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        parts = {
            "blinks": "How strongly it blinks, some 17 times a minute.",
            "breath": "How strongly head and shoulders go with the breath.",
            "sway": "How far the head sways.",
            "gaze": "How far the eyes wander.",
            "stress": "How strongly head and brows go with the stress of the speech.",
        }
        return sockets.schema(
            "Motion From Idle",
            "motion",
            "What a face does when nobody asks anything of it: it blinks, breathes, sways a little "
            "and looks about. The same seed gives the same life.",
            [
                sockets.seconds_input(
                    "How long. As long as the audio, if there is one.", substitutes=("audio",)
                ),
                sockets.motion_fps_input(),
                io.Int.Input(
                    "seed",
                    default=0,
                    **limits.SEED.widget,
                    control_after_generate=True,
                    tooltip="Of chance: the same seed gives the same life.",
                ),
                *(
                    sockets.fraction_input(
                        name,
                        1.0,
                        limits.IDLE_AMOUNT.minimum,
                        limits.IDLE_AMOUNT.maximum,
                        f"{tooltip} 1 is usual, 0 is off.",
                    )
                    for name, tooltip in parts.items()
                ),
                io.Audio.Input(
                    "audio", optional=True, tooltip="Speech, whose stress nods and raises brows."
                ),
            ],
            [motion_output()],
            aliases=["blink", "breathing", "idle animation", "head sway", "eye movement"],
            advanced=list(parts),
        )

    @classmethod
    def execute(
        cls,
        seconds: float,
        motion_fps: float,
        seed: int,
        blinks: float,
        breath: float,
        sway: float,
        gaze: float,
        stress: float,
        audio: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        sound = None if audio is None else convert.from_audio(audio, "Motion From Idle")
        count = count_frames(seconds if sound is None else sound.seconds, motion_fps)
        amounts = IdleAmounts(blinks, breath, sway, gaze, stress)
        motion = move_idly(count, motion_fps, seed=seed, amounts=amounts, speech=sound)
        return io.NodeOutput(motion, ui=None if sound is None else describe_sound(sound))
