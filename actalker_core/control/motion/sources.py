"""All that moves a photograph, gathered: each source by its name, and how long the video is."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from ...limits import FPS, FRAMES
from ...media import Audio
from ..words.clip import CLIPEncoder
from ..words.prompt import Moment
from .groups import find_moving_groups, make_motion_edit, replace_groups
from .hand import move_by_text
from .idle import IdleAmounts, move_idly
from .signal import MotionSignal
from .speech import move_by_speech
from .words import move_by_words

USUAL_SECONDS = 4.0
"""Of a video that nothing says the length of."""
EXTENSIONS = ("ping-pong", "loop", "hold")
"""Edits that make a clip or a file of numbers as long as the video; the first is usual."""


@dataclass(frozen=True)
class Sources:
    """What moves a photograph.

    Attributes:
        motions: by a name of `control.motion.mix.SOURCES`; empty where nothing moves it.
        frames: of the video. A clip may be longer.
    """

    motions: dict[str, MotionSignal]
    frames: int


def count_frames(seconds: float, fps: float) -> int:
    """Whole frames of a duration, at least one.

    Raises:
        InputError: a rate outside its limits, or too many frames.
    """
    # A signal of 0.9999999 frames is one frame: times are sums of rounded numbers.
    count = max(int(seconds * FPS.check(fps) + 1e-6), 1)
    if count > FRAMES.maximum:
        raise InputError(
            f"Duration: expected at most {FRAMES.maximum / fps:,g} s, which are {FRAMES.maximum:,} "
            f"frames at {fps:g} per second, got {seconds:,g} s. Choose a shorter one, or fewer "
            "frames per second."
        )
    return count


def gather_sources(
    fps: float,
    *,
    max_frames: int | None = None,
    seconds: float | None = None,
    extend: str = EXTENSIONS[0],
    speech: Audio | None = None,
    lip_amount: float = 1.0,
    offset_ms: float = 0.0,
    clip: MotionSignal | None = None,
    numbers: MotionSignal | None = None,
    hand: str | None = None,
    words: Sequence[Moment] | None = None,
    strength: float = 1.0,
    encoder: CLIPEncoder | None = None,
    idle: IdleAmounts | None = None,
    seed: int = 0,
) -> Sources:
    """Each source as long as the video: as the speech, else as clip or numbers, else as asked for.

    Args:
        max_frames: at most so many; None for all.
        seconds: how long where neither speech, clip nor numbers say it; None for a second after
            the last words, or `USUAL_SECONDS`.
        extend: one of `EXTENSIONS`, for a clip or numbers that are shorter than the speech.
        lip_amount, offset_ms: see `move_by_speech`.
        clip: what a driving clip does.
        numbers: of a file.
        hand: numbers as they are written, which replace the groups of the file that they move.
        words: moments with their expressions. strength, encoder: see `move_by_words`.
        idle: how strong each part of idle life is; None for none. seed: of it.

    Raises:
        InputError: a text that cannot be read, or a number outside its limits.
    """
    inputs = {"clip": clip, "numbers": numbers}
    motions = {name: motion for name, motion in inputs.items() if motion is not None}
    if speech is not None:
        seconds = speech.seconds
    elif motions:
        seconds = max(motion.seconds for motion in motions.values())
    elif seconds is None:
        seconds = USUAL_SECONDS if words is None else words[-1].seconds + 1
    if max_frames is not None:
        seconds = min(seconds, FRAMES.check(max_frames) / fps)
    frames = count_frames(seconds, fps)
    for name, motion in motions.items():
        if motion.seconds < frames / fps:
            motions[name] = make_motion_edit(extend, (frames / fps,))(motion)
    if speech is not None:
        motions["audio"] = move_by_speech(
            speech, frames, fps, amount=lip_amount, offset_ms=offset_ms
        )
    if words is not None:
        motions["words"] = move_by_words(
            words, seconds=frames / fps, rate_hz=fps, strength=strength, clip=encoder
        )
    if hand is not None:
        by_hand = move_by_text(hand, frames, fps)
        file = motions.get("numbers")
        motions["numbers"] = by_hand if file is None else _lay_over(file, by_hand)
    if idle is not None:
        motions["idle"] = move_idly(frames, fps, seed=seed, amounts=idle, speech=speech)
    return Sources(motions, frames)


def _lay_over(motion: MotionSignal, hand: MotionSignal) -> MotionSignal:
    """Numbers of a file, but for the groups that a hand moves."""
    groups = find_moving_groups(hand)
    motion = motion.sample(len(hand), hand.rate_hz)
    return replace_groups(motion, hand, groups) if groups else motion
