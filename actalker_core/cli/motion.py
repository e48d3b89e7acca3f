"""Options -> the motion that they ask for, of all its sources."""

import argparse
from dataclasses import dataclass

import torch

from ..control.curves import Curve, check_curve
from ..control.motion.groups import mix_groups, parse_motion_edit, pick_groups, replace_groups
from ..control.motion.hand import move_by_text
from ..control.motion.idle import IdleAmounts
from ..control.motion.mix import find_top_source, mix_motion, parse_mix
from ..control.motion.signal import GROUPS, MotionSignal, load_motion
from ..control.motion.sources import EXTENSIONS, Sources, gather_sources
from ..control.words.clip import CLIPEncoder
from ..control.words.prompt import parse_prompt
from ..errors import InputError
from ..files.writing import check_suffix, check_writable
from .photograph_reader import PhotographReader


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
    words = None if options.text is None else parse_prompt(options.text)
    sources = gather_sources(
        reader.fps,
        max_frames=options.frames,
        seconds=options.seconds,
        extend=options.extend or EXTENSIONS[0],
        speech=reader.audio,
        lip_amount=options.lip_amount,
        offset_ms=options.lip_offset_ms,
        clip=_read_clips(reader),
        numbers=None if options.numbers is None else load_motion(options.numbers),
        hand=options.hand,
        words=words,
        strength=options.strength,
        encoder=None if words is None or options.clip is None else CLIPEncoder(options.clip),
        idle=IdleAmounts() if options.idle else None,
        seed=options.idle_seed,
    )
    if not sources.motions:
        raise InputError(
            "Nothing moves the photograph: give --audio, --driving, --text, --hand, --numbers or "
            "--idle."
        )
    return _mix(options, reader, sources)


def _mix(options: argparse.Namespace, reader: PhotographReader, sources: Sources) -> Motion:
    motions = sources.motions
    texts = {"audio": options.audio_gate, "clip": options.expression_gate}
    gates = {name: Curve(text, reader.audio) for name, text in texts.items() if name in motions}
    signal = mix_motion(
        motions, options.mix, frames=sources.frames, fps=reader.fps, gates=gates, audio=reader.audio
    )
    for text in options.motion_edit:
        signal = parse_motion_edit(text)(signal)
    amounts = {group: torch.ones(()) for group in GROUPS}
    amounts |= {group: torch.tensor(amount) for group, amount in options.amount}
    if options.amount:
        signal = mix_groups(signal.to_rest(), signal, amounts)
    return Motion(signal, find_top_source("mouth", motions, options.mix))


def _read_clips(reader: PhotographReader) -> MotionSignal | None:
    """The motion of the driving clip, its head from another clip if there is one."""
    face, head = reader.driving_motion, reader.head_motion
    if head is None:
        return None if face is None else face.motion
    if face is None:
        return pick_groups(head.motion, ("head",))
    return replace_groups(face.motion, head.motion, ("head",))
