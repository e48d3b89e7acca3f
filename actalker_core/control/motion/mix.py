"""Mixes of motion: each group of numbers belongs to a source, gated by curves.

It is mask-drop on numbers: as tokens outside its region are left out of a signal's scan, so numbers
outside its groups are left out of a source. Source: Hong et al., arXiv 2504.02542.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...errors import check_choice
from ...faces.blendshapes import NAMES
from ...limits import BLENDSHAPE, FPS, FRAMES
from ...media import Audio
from ..curves import Curve, DrawnCurve, check_curve, parse_curve
from ..grammar import Span
from ..signals import mix_values
from .groups import add_details, find_moving_groups, fit_frames, join_groups
from .signal import GROUPS, MotionSignal

log = logging.getLogger(__name__)

SOURCES = ("audio", "clip", "words", "numbers", "idle")
"""Speech, a driving clip, words, numbers by hand or from a file, idle life."""
ALL_GROUPS, NO_SOURCE = "all", "none"
GROUP_NAMES = (*GROUPS, ALL_GROUPS)
MAX_PARTS = 1000
"""Of a written mix."""

CORNERS = tuple(
    name for name in NAMES if name.startswith(("mouthSmile", "mouthFrown", "mouthDimple"))
)
"""Who speaks shapes the lips; what is added to the mouth, as emotion is, moves its corners alone.

Source: "expression = speech + emotion" of SPACE, Gururani et al., arXiv 2211.09809, and others.
"""
PUCKER_SHARE = 0.6
"""Lips that are fully pushed forward keep back so much of the corners."""


@dataclass(frozen=True)
class Layer:
    """What one source adds to a group, or lays over what is below it.

    Attributes:
        source: one of `SOURCES`.
        gate: how strongly, as text; see `curves.parse_curve`.
        is_added: whether it is added to what is below; else it takes its place.
    """

    source: str
    gate: str = "1"
    is_added: bool = False


Owners = Mapping[str, tuple[Layer, ...]]
"""Group -> its layers, the lowest first."""


def mix_motion(
    sources: Mapping[str, MotionSignal],
    text: str = "",
    *,
    frames: int,
    fps: float,
    gates: Mapping[str, Curve | DrawnCurve] | None = None,
    audio: Audio | None = None,
) -> MotionSignal:
    """One motion of several sources.

    Args:
        sources: motion by a name of `SOURCES`; each holds its end, or is cut, to so many frames.
        text: who owns which group, where it is not as `choose_owners` says; see `parse_mix`.
        gates: source -> how strong it is over time, besides what the text says.
        audio: the sound that `envelope` in the text follows.

    Raises:
        InputError: an unknown source, a text that cannot be read, or a number outside its limits.
    """
    for name in (*sources, *(gates or {})):
        check_choice("Source of motion", name, SOURCES)
    FRAMES.check(frames)
    FPS.check(fps)
    owners = _read_owners(sources, text)
    _report_silent_sources(owners, sources)
    motions = {name: fit_frames(motion, frames, fps) for name, motion in sources.items()}
    # Detail is most of the numbers, and all that is done to it is linear: it is added up at the end
    # by how much of it each source owns, so that it is held once and not once a group.
    plain_motions = {name: motion.without_detail() for name, motion in motions.items()}
    strengths = {name: gate.sample(frames, fps) for name, gate in (gates or {}).items()}
    rest = MotionSignal.rest(frames, fps)
    shares: dict[str, dict[str, Tensor]] = {}

    def lay(group: str) -> MotionSignal:
        motion, speech = rest, torch.zeros(frames, 1)
        own_shares: dict[str, Tensor] = {}
        for layer in owners[group]:
            source = plain_motions[layer.source]
            gate = parse_curve(layer.gate, frames, fps, audio)
            gate = (gate * strengths.get(layer.source, 1.0))[:, None]
            share = gate
            if layer.is_added:
                motion = _add_change(motion, source, gate, speech)
                share = gate * (1 - speech)
            else:
                motion = motion.mix_columns(source, dict.fromkeys(motion.tracks, gate))
                speech = speech * (1 - gate)
                own_shares = {name: old * (1 - gate) for name, old in own_shares.items()}
            own_shares[layer.source] = own_shares.get(layer.source, torch.zeros(())) + share
            if layer.source == "audio" and group == "mouth":
                speech = torch.maximum(speech, gate)
        shares[group] = own_shares
        return motion

    mix = join_groups({group: lay(group) for group in GROUPS})
    shapes = mix.blendshapes.clamp(BLENDSHAPE.minimum, BLENDSHAPE.maximum)
    names = [name for name in SOURCES if name in sources]
    source = " + ".join(sources[name].source for name in names) or rest.source
    detail = add_details(motions, shares)
    return replace(mix, blendshapes=shapes, source=source, **detail)


def find_top_source(group: str, sources: Mapping[str, MotionSignal], text: str = "") -> str:
    """The source whose motion of a group lies over all others', or "" where nobody owns it.

    What is added to a group, as emotion is to the mouth, does not own it.

    Args:
        sources, text: as of `mix_motion`.

    Raises:
        InputError: a text that cannot be read.
    """
    layers = _read_owners(sources, text)[group]
    return next((layer.source for layer in reversed(layers) if not layer.is_added), "")


def _read_owners(sources: Mapping[str, MotionSignal], text: str) -> dict[str, tuple[Layer, ...]]:
    """The owners of all groups: the usual ones, but for the groups that a text names."""
    return {**choose_owners(sources), **parse_mix(text, sources)}


def choose_owners(sources: Mapping[str, MotionSignal]) -> dict[str, tuple[Layer, ...]]:
    """Who owns each group where nobody says otherwise.

    The audio owns the mouth over the clip, the clip the rest. Without a clip, words own what they
    express and join the mouth of speech. Numbers are added to all of them. Idle life has the groups
    that neither clip nor numbers own; it goes on to blink where numbers move no lids.
    """
    moves = {
        name: GROUPS if name == "clip" else find_moving_groups(motion)
        for name, motion in sources.items()
    }
    owners = {}
    for group in GROUPS:
        layers = [Layer("clip")] if "clip" in sources else []
        if group == "mouth" and "audio" in sources:
            layers.append(Layer("audio"))
        fillers = ["words", "numbers"] if "clip" not in sources else ["numbers"]
        joins = [name for name in fillers if group in moves.get(name, ())]
        is_by_numbers = "numbers" in joins and (group != "eyes" or _has_blinks(sources["numbers"]))
        if "clip" not in sources and not is_by_numbers and group in moves.get("idle", ()):
            joins.append("idle")
        layers += [Layer(name, is_added=bool(layers) or i > 0) for i, name in enumerate(joins)]
        owners[group] = tuple(layers)
    return owners


def _has_blinks(motion: MotionSignal) -> bool:
    """Whether it opens or shuts lids; a smile only narrows them."""
    lids = [i for i, name in enumerate(NAMES) if name.startswith(("eyeBlink", "eyeWide"))]
    return bool(motion.blendshapes[:, lids].any())


def parse_mix(text: str, sources: Collection[str] = SOURCES) -> dict[str, tuple[Layer, ...]]:
    """`mouth: audio + words 0.5; head: clip; eyes, brows: idle 0:0, 2s:1 over clip`.

    Parts are separated by semicolons. Each names groups (or `all` for those that no other part
    names), and sources: `+` adds one, `over` lays one over what follows. A strength or a curve
    after a source says how strong it is (see `curves.parse_curve`); `none` leaves the group at
    rest.

    Args:
        sources: that there are.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    span = Span.from_text("Mix", text)
    if sum(text.count(separator) for separator in ";\n+,") > MAX_PARTS:
        raise span.error(f"at most {MAX_PARTS:,} parts")
    owners: dict[str, tuple[Layer, ...]] = {}
    for part in span.split(r"[;\n]"):
        names, rest = part.partition(":", "group: source, such as mouth: audio")
        _check_end(rest)
        layers = tuple(_parse_layers(rest, sources))
        groups = names.split(r"[\s,]+")
        if not groups:
            raise names.error(" or ".join(GROUP_NAMES))
        for group in groups:
            if group.check_word(GROUP_NAMES) in owners:
                raise group.error("each group once")
            owners[group.text] = layers
    everywhere = owners.pop(ALL_GROUPS, None)
    return owners if everywhere is None else {group: everywhere for group in GROUPS} | owners


def _check_end(span: Span) -> None:
    """Refuse sources that the groups of the next part follow without a semicolon."""
    words = span.split(r"[\s,]+")
    for before, word in pairwise(words):
        if word.text.partition(":")[0] in GROUP_NAMES:
            gap = Span(span.kind, span.source, before.end, span.end)
            raise gap.error("a semicolon before the next group")


def _parse_layers(span: Span, sources: Collection[str]) -> Iterator[Layer]:
    """The layers of a group, the lowest first: what is written last lies below."""
    if span.text == NO_SOURCE:
        return
    expected = " or ".join([*sources, NO_SOURCE])
    for stack in reversed(span.split_strictly(r"\bover\b", expected)):
        for i, term in enumerate(stack.split_strictly(r"\+", expected)):
            name, *words = term.split(r"\s+")
            name.check_word(sources, expected)
            if words and words[0].text in SOURCES:
                gap = Span(term.kind, term.source, name.end, term.end)
                raise gap.error("+ or over before the next source")
            gate = term.remove_prefix(name.text)
            assert gate is not None  # the term begins with that word
            if gate.text:
                check_curve(gate)
            yield Layer(name.text, gate.text or "1", is_added=i > 0)


def _report_silent_sources(owners: Owners, sources: Collection[str]) -> None:
    users = {layer.source for layers in owners.values() for layer in layers}
    for name in SOURCES:
        if name in sources and name not in users:
            log.info(
                "The motion of %s owns no group here, so it is not seen; a mix such as "
                "'brows: %s' gives it one.",
                name,
                name,
            )


def _add_change(
    motion: MotionSignal, source: MotionSignal, gate: Tensor, speech: Tensor
) -> MotionSignal:
    """A motion with the change that a source makes from rest, times a gate (f, 1).

    Args:
        speech: (f, 1) how much of the motion is a mouth that speaks. Of that only the corners
            move, and puckered lips keep them back.
    """
    rest = source.to_rest().with_detail_of(source)
    pucker = motion.blendshapes[:, NAMES.index("mouthPucker")].clamp(0, 1)[:, None]
    is_corner = torch.tensor([float(name in CORNERS) for name in NAMES])
    corners = is_corner * (1 - PUCKER_SHARE * pucker)
    tracks: dict[str, Any] = {}
    for name, track in motion.tracks.items():
        space = motion.space_of(name)
        part = corners if name == "blendshapes" else torch.zeros(1)
        share = gate * (1 + speech * (part - 1))
        change = mix_values(rest.tracks[name], source.tracks[name], share, space)
        tracks[name] = track * change if space == "ratio" else track + change
    return replace(motion, **tracks)
