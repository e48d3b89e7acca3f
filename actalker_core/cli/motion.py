"""Options -> the motion that they ask for, of all its sources."""

import argparse
from dataclasses import dataclass

import torch

from ..control.curves import Curve, check_curve
from ..control.motion.groups import (
    find_moving_groups,
    mix_groups,
    parse_motion_edit,
    pick_groups,
    replace_groups,
)
from ..control.motion.hand import move_by_text
from ..control.motion.idle import move_idly
from ..control.motion.mix import find_top_source, mix_motion, parse_mix
from ..control.motion.signal import GROUPS, MotionSignal, load_motion
from ..control.motion.speech import move_by_speech
from ..control.motion.words import move_by_words
from ..control.words.clip import CLIPEncoder
from ..control.words.prompt import parse_prompt
from ..errors import InputError
from ..files.writing import check_suffix, check_writable
from ..limits import FRAMES
from ..models.actalker.plan import EXTENSIONS
from .photograph_reader import PhotographReader

USUAL_SECONDS, USUAL_EXTENSION = 4.0, "ping-pong"
"""Of a video that no source says the length of; of a clip that is shorter than the speech."""


@dataclass(frozen=True)
class Motion:
    """What moves a photograph.

    Attributes:
        signal: all sources in one.
        mouth_source: whose lips are seen, by a name of `control.motion.mix.SOURCES`; "" for nobody.
    """

    signal: MotionSignal
    mouth_source: str


def check_motion_texts(options: argparse.Namespace) -> None:
    """Refuse texts that cannot be read before anything is loaded or looked at."""
    for gate in (options.audio_gate, options.expression_gate):
        check_curve(gate)
    parse_mix(options.mix)
    for text in options.motion_edit:
        parse_motion_edit(text)
    if options.hand is not None:
        move_by_text(options.hand, 1, 1.0)
    if options.text is not None:
        parse_prompt(options.text)
    if options.save_numbers is not None:
        check_suffix(options.save_numbers, (".safetensors", ""))
        check_writable(options.save_numbers)


def read_motion(options: argparse.Namespace, reader: PhotographReader) -> Motion:
    """All sources that options name, mixed.

    Raises:
        InputError: there is none.
    """
    sources = _read_clips(reader)
    if options.numbers is not None:
        sources["numbers"] = load_motion(options.numbers)
    frames = _count_frames(options, reader, sources)
    fps = reader.fps
    if reader.audio is not None:
        sources["audio"] = move_by_speech(
            reader.audio,
            frames,
            fps,
            amount=options.lip_amount,
            offset_ms=options.lip_offset_ms,
        )
    if options.text is not None:
        clip = None if options.clip is None else CLIPEncoder(options.clip)
        sources["words"] = move_by_words(
            parse_prompt(options.text),
            seconds=frames / fps,
            rate_hz=fps,
            strength=options.strength,
            clip=clip,
        )
    if options.hand is not None:
        hand = move_by_text(options.hand, frames, fps)
        file = sources.get("numbers")
        sources["numbers"] = hand if file is None else _lay_over(file.sample(frames, fps), hand)
    if options.idle:
        sources["idle"] = move_idly(frames, fps, seed=options.idle_seed, speech=reader.audio)
    if not sources:
        raise InputError(
            "Nothing moves the photograph: give --audio, --driving, --text, --hand, --numbers or "
            "--idle."
        )
    return _mix(options, reader, sources, frames)


def _mix(
    options: argparse.Namespace,
    reader: PhotographReader,
    sources: dict[str, MotionSignal],
    frames: int,
) -> Motion:
    texts = {"audio": options.audio_gate, "clip": options.expression_gate}
    gates = {name: Curve(text, reader.audio) for name, text in texts.items() if name in sources}
    signal = mix_motion(
        sources, options.mix, frames=frames, fps=reader.fps, gates=gates, audio=reader.audio
    )
    for text in options.motion_edit:
        signal = parse_motion_edit(text)(signal)
    amounts = {group: torch.ones(()) for group in GROUPS}
    amounts |= {group: torch.tensor(amount) for group, amount in options.amount}
    if options.amount:
        signal = mix_groups(signal.to_rest(), signal, amounts)
    return Motion(signal, find_top_source("mouth", sources, options.mix))


def _read_clips(reader: PhotographReader) -> dict[str, MotionSignal]:
    """The motion of the driving clip, its head from another clip if there is one."""
    face, head = reader.driving_motion, reader.head_motion
    if head is None:
        return {} if face is None else {"clip": face.motion}
    if face is None:
        return {"clip": pick_groups(head.motion, ("head",))}
    return {"clip": replace_groups(face.motion, head.motion, ("head",))}


def _lay_over(motion: MotionSignal, hand: MotionSignal) -> MotionSignal:
    """Numbers of a file, but for the groups that a hand moves."""
    groups = find_moving_groups(hand)
    return replace_groups(motion, hand, groups) if groups else motion


def _count_frames(
    options: argparse.Namespace, reader: PhotographReader, sources: dict[str, MotionSignal]
) -> int:
    """Of the video: as long as the speech, else as clip or numbers, else as asked for.

    A clip that is shorter than the speech goes on as `--extend` says.
    """
    if reader.audio is not None:
        seconds = reader.audio.seconds
    elif sources:
        seconds = max(signal.seconds for signal in sources.values())
    elif options.text is not None:
        seconds = options.seconds or parse_prompt(options.text)[-1].seconds + 1
    else:
        seconds = options.seconds or USUAL_SECONDS
    for name, signal in sources.items():
        if signal.seconds < seconds:
            longer = EXTENSIONS[options.extend or USUAL_EXTENSION](signal, seconds)
            assert isinstance(longer, MotionSignal)  # an edit keeps the kind
            sources[name] = longer
    # A signal of 0.9999999 frames is one frame: times are sums of rounded numbers.
    frames = max(int(seconds * reader.fps + 1e-6), 1)
    return int(min(frames, options.frames or FRAMES.maximum))
