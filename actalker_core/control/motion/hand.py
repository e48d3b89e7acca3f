"""Motion by hand: numbers that a person writes or sets with sliders, at once or over time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ...errors import check_choice
from ...geometry.retarget import LOOK_RANGE
from ...limits import (
    FPS,
    FRAMES,
    HAND,
    HAND_DEGREES,
    HAND_GAZE,
    HAND_SCALE,
    HAND_SHIFT,
    Limits,
)
from ..curves import EASES, ROUNDING_SECONDS, Key, interpolate_keys
from ..grammar import Span
from .columns import COLUMNS, build_motion, rest_value
from .expressions import EXPRESSIONS, join_sides
from .signal import MotionSignal

MAX_MOMENTS = 1000
"""Of a text by hand."""
ROTATIONS = ("pitch", "yaw", "roll")


@dataclass(frozen=True)
class Control:
    """A number that a hand sets, and which numbers of motion it moves.

    Attributes:
        limits: of the value.
        effects: changes of numbers of motion (see `COLUMNS`) for each 1 above rest.
        opposite: the same for each 1 below; None turns `effects` around.
        rest: the value that changes nothing.
    """

    limits: Limits
    effects: Mapping[str, float]
    opposite: Mapping[str, float] | None = None
    rest: float = 0.0


def _make_wink(side: str) -> dict[str, float]:
    """An eye that closes on purpose takes cheek, brow and corner of the mouth along."""
    names = ("eyeBlink", "cheekSquint", "mouthSmile", "browDown")
    return {name + side: value for name, value in zip(names, (1.0, 0.6, 0.35, 0.2), strict=True)}


def _make_look(name: str) -> dict[str, float]:
    """An eyeLook… of ARKit with the gaze that it stands for, as irises go by gaze."""
    side = "left" if name.endswith("Left") else "right"
    if "Up" in name or "Down" in name:
        return {name: 1.0, f"{side}_gaze_y": LOOK_RANGE if "Up" in name else -LOOK_RANGE}
    # Out is the picture's right for the left eye, and its left for the right one.
    is_right = ("Out" in name) == (side == "left")
    return {name: 1.0, f"{side}_gaze_x": LOOK_RANGE if is_right else -LOOK_RANGE}


CONTROLS: dict[str, Control] = {
    **{name: Control(HAND_DEGREES, {name: 1.0}) for name in ROTATIONS},
    "move_x": Control(HAND_SHIFT, {"right": 1.0}),
    "move_y": Control(HAND_SHIFT, {"down": -1.0}),
    "scale": Control(HAND_SCALE, {"head_scale": 1.0}, rest=1.0),
    "gaze_x": Control(HAND_GAZE, {"left_gaze_x": 1.0, "right_gaze_x": 1.0}),
    "gaze_y": Control(HAND_GAZE, {"left_gaze_y": 1.0, "right_gaze_y": 1.0}),
    "blink": Control(HAND, join_sides(eyeBlink_both=1.0), join_sides(eyeWide_both=1.0)),
    "blink_left": Control(HAND, {"eyeBlinkLeft": 1.0}, {"eyeWideLeft": 1.0}),
    "blink_right": Control(HAND, {"eyeBlinkRight": 1.0}, {"eyeWideRight": 1.0}),
    "wink": Control(HAND, _make_wink("Left"), _make_wink("Right")),
    "squint": Control(HAND, join_sides(eyeSquint_both=1.0, cheekSquint_both=0.3)),
    "brows": Control(
        HAND, join_sides(browOuterUp_both=1.0, browInnerUp=1.0), join_sides(browDown_both=1.0)
    ),
    "smile": Control(
        HAND,
        join_sides(mouthSmile_both=1.0, cheekSquint_both=0.5, eyeSquint_both=0.2),
        join_sides(mouthFrown_both=0.8),
    ),
    "frown": Control(HAND, join_sides(mouthFrown_both=0.8, browDown_both=0.6)),
    "aaa": Control(HAND, join_sides(jawOpen=0.8, mouthLowerDown_both=0.2, mouthUpperUp_both=0.1)),
    "eee": Control(
        HAND,
        join_sides(
            mouthStretch_both=0.6,
            mouthSmile_both=0.25,
            mouthLowerDown_both=0.35,
            mouthUpperUp_both=0.25,
            jawOpen=0.12,
        ),
    ),
    "woo": Control(HAND, {"mouthPucker": 0.6, "mouthFunnel": 0.5, "jawOpen": 0.12}),
    "pucker": Control(HAND, {"mouthPucker": 1.0}),
    **{name: Control(HAND, effects) for name, effects in EXPRESSIONS.items() if effects},
    **{
        name: Control(HAND, _make_look(name) if name.startswith("eyeLook") else {name: 1.0})
        for name, (track, _) in COLUMNS.items()
        if track == "blendshapes"
    },
}
"""What a hand sets: head, eyes and mouth by short names, expressions, and each blendshape."""
SHORT_NAMES = tuple(name for name in CONTROLS if name not in COLUMNS or name in ROTATIONS)
"""Of those the ones that are no blendshape."""


def move_by_hand(values: Mapping[str, float]) -> MotionSignal:
    """One frame of numbers by the names of `CONTROLS`; their effects are added.

    Raises:
        InputError: an unknown name, or a value outside its limits.
    """
    for name, value in values.items():
        check_choice("Numbers by hand", name, CONTROLS)
        CONTROLS[name].limits.check(value)
    courses = {name: torch.tensor([float(value)]) for name, value in values.items()}
    return _add_effects(courses, 1, 1.0, "by hand")


def parse_numbers(text: str) -> dict[str, float]:
    """`smile=0.5 yaw=-10` as values for `move_by_hand`; a blank text is none.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    span = Span.from_text("Numbers", text)
    values: dict[str, float] = {}
    for name, key, word in _parse_numbers(span.split(r"[\s,]+"), 0.0, "linear"):
        if name in values:
            raise word.error("each number once")
        values[name] = key.value
    return values


def move_by_text(text: str, frames: int, fps: float) -> MotionSignal:
    """Numbers as they are written, at once or over time.

    `smile=0.5 yaw=-10` holds; `0s: smile=0 yaw=0; 1s: smile=1 ease; 2s: smile=0` moves each number
    between the times that name it. The word at the end says how its numbers go on: `linear`,
    `ease` or `hold`, as in gates.

    Raises:
        InputError: says which part cannot be read and where it stands; a number outside its limits.
    """
    FRAMES.check(frames)
    FPS.check(fps)
    courses = {
        name: interpolate_keys(points, frames, fps)
        for name, points in _read_keys(text, fps).items()
    }
    return _add_effects(courses, frames, fps, f"by hand: {text.strip()}")


def move_by_keys(text: str, fps: float) -> MotionSignal:
    """The same, from 0 up to the frame of the last time that is written.

    Raises:
        InputError: see `move_by_text`; a last time of too many frames.
    """
    return move_by_text(text, count_key_frames(text, fps), fps)


def count_key_frames(text: str, fps: float) -> int:
    """How many `move_by_keys` makes.

    Raises:
        InputError: see `move_by_keys`.
    """
    seconds = max(key.seconds for keys in _read_keys(text, FPS.check(fps)).values() for key in keys)
    return FRAMES.check(int(seconds * fps + ROUNDING_SECONDS) + 1)


def _read_keys(text: str, fps: float) -> dict[str, list[Key]]:
    """The keys of each number.

    Raises:
        InputError: see `move_by_text`.
    """
    keys: dict[str, list[Key]] = {}
    for name, key, span in _parse_keys(text, fps):
        points = keys.setdefault(name, [])
        if any(abs(key.seconds - point.seconds) < ROUNDING_SECONDS for point in points):
            raise span.error("each number once at a time")
        points.append(key)
    return keys


def _add_effects(
    courses: Mapping[str, Tensor], frames: int, fps: float, source: str
) -> MotionSignal:
    """Courses (f,) of controls -> the motion of all that they move."""
    columns: dict[str, Tensor] = {}
    for name, course in courses.items():
        control = CONTROLS[name]
        change = course - control.rest
        above, below = change, torch.zeros(frames)
        if control.opposite is not None:
            above, below = change.clamp(min=0), -change.clamp(max=0)
        for effects, strength in ((control.effects, above), (control.opposite or {}, below)):
            for column, effect in effects.items():
                start = columns.get(column, torch.full((frames,), rest_value(column)))
                columns[column] = start + effect * strength
    return build_motion(columns, fps, source) if columns else MotionSignal.rest(frames, fps, source)


def _parse_keys(text: str, fps: float) -> Iterator[tuple[str, Key, Span]]:
    """Each number with its time, how it goes on, and where it stands."""
    span = Span.from_text("Numbers", text)
    if text.count(";") + text.count("\n") > MAX_MOMENTS:
        raise span.error(f"at most {MAX_MOMENTS:,} times")
    parts = span.split(r"[;\n]")
    if not parts:
        raise span.error("numbers, such as smile=0.5 yaw=-10")
    if len(parts) == 1 and ":" not in parts[0].text:
        yield from _parse_numbers(parts[0].split(r"[\s,]+"), 0.0, "linear")
        return
    for part in parts:
        time, rest = part.partition(":", "time: numbers, such as 2s: smile=0.5")
        words = rest.split(r"[\s,]+")
        ease = words.pop().text if words and words[-1].text in EASES else "linear"
        if not words:
            raise rest.error("numbers after the time, such as smile=0.5")
        for before, word in pairwise(words):
            if ":" in word.text:
                gap = Span(word.kind, word.source, before.end, rest.end)
                raise gap.error("a semicolon before the next time")
        yield from _parse_numbers(words, time.parse_seconds(fps), ease)


def _parse_numbers(words: list[Span], seconds: float, ease: str) -> Iterator[tuple[str, Key, Span]]:
    for word in words:
        name, number = word.partition("=", "name=number, such as smile=0.5")
        name.check_word(CONTROLS, f"one of {', '.join(SHORT_NAMES)}, or a blendshape of ARKit")
        value = number.parse_number()
        limits = CONTROLS[name.text].limits
        if not limits.contains(value):
            raise number.error(limits.expected)
        yield name.text, Key(seconds, value, ease), name
