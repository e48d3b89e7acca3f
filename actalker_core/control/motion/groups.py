"""Groups of the numbers of motion: what one source can own, and edits of some groups alone."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError, check_choice
from ...faces.blendshapes import NAMES
from ...geometry.groups import GROUP_BLENDSHAPES
from ..edits import EDITS, EditFunction, split_edit
from ..signals import mix_values
from .signal import GROUPS, WIDTHS, MotionSignal

HEAD_TRACKS = ("rotation_degrees", "translation", "head_scale")

CHUNK_FRAMES = 256
"""Frames whose numbers are mixed or added up at once."""

MotionEdit = Callable[[MotionSignal], MotionSignal]


def check_groups(groups: Collection[str]) -> tuple[str, ...]:
    """The groups in the order of `GROUPS`, each once.

    Raises:
        InputError: there is none, or one is unknown.
    """
    if not groups:
        raise InputError(f"Group: expected {' or '.join(GROUPS)}, got none. Choose some.")
    for group in groups:
        check_choice("Group", group, GROUPS)
    return tuple(group for group in GROUPS if group in groups)


def spread_gates(motion: MotionSignal, gates: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gates of groups, (f,) or () each -> those of single numbers: track -> (f, c) or (1, c).

    A group without a gate gets 0. A vertex is shared between groups by its weights, so that no
    edge is seen between two of them.
    """
    gates = {group: torch.as_tensor(gate).reshape(-1, 1).float() for group, gate in gates.items()}
    shut = torch.zeros(1, 1)
    shares = {}
    for name, track in motion.tracks.items():
        owners = _share_columns(motion, name)
        shares[name] = sum(
            (gates[group] * owners[group] for group in gates if group in owners),
            shut.expand(1, track.shape[1]),
        )
    return shares


def _share_columns(motion: MotionSignal, track: str) -> dict[str, Tensor]:
    """Group -> how much of each number of a track is its, (c,) in 0…1."""
    if track == "blendshapes":
        return {
            group: torch.tensor([float(name in names) for name in NAMES])
            for group, names in GROUP_BLENDSHAPES.items()
        }
    if track == "detail":
        weights = motion.detail_weights
        assert weights is not None  # a signal has both or neither
        return {group: row.repeat_interleave(3) for group, row in zip(GROUPS, weights, strict=True)}
    group = "head" if track in HEAD_TRACKS else "gaze"
    return {group: torch.ones(motion.tracks[track].shape[1])}


def pick_groups(motion: MotionSignal, groups: Collection[str]) -> MotionSignal:
    """Some groups of a motion; all else is at rest.

    Raises:
        InputError: see `check_groups`.
    """
    return replace_groups(motion.to_rest(), motion, groups)


def replace_groups(
    motion: MotionSignal, target: MotionSignal, groups: Collection[str]
) -> MotionSignal:
    """A motion with some groups of another, which holds its end, or is cut, to as many frames.

    Raises:
        InputError: see `check_groups`.
    """
    gates = {group: torch.ones(()) for group in check_groups(groups)}
    return mix_groups(motion, target, gates)


def mix_groups(
    motion: MotionSignal, target: MotionSignal, gates: Mapping[str, Tensor]
) -> MotionSignal:
    """From a motion (gate 0) to a target (gate 1), group by group.

    Args:
        target: holds its end, or is cut, to as many frames at the same rate.
        gates: group -> (f,) one per frame, or () one for all; groups without one stay.

    Raises:
        InputError: see `check_groups`; a gate of another length.
    """
    check_groups(gates)
    for group, gate in gates.items():
        if gate.numel() not in (1, len(motion)):
            raise InputError(
                f"Gate of {group}: expected 1 value or {len(motion):,}, one per frame, got "
                f"{gate.numel():,}. Sample the curve at the motion's frames."
            )
    target = fit_frames(target, len(motion), motion.rate_hz).with_detail_of(motion)
    motion = motion.with_detail_of(target)
    tracks: dict[str, Any] = {
        name: torch.empty_like(track) for name, track in motion.tracks.items()
    }
    # Detail has 1,404 numbers in a frame, so that a few copies of all of it would be gigabytes.
    for start in range(0, len(motion), CHUNK_FRAMES):
        chunk = slice(start, start + CHUNK_FRAMES)
        shares = spread_gates(
            motion, {group: g if g.numel() == 1 else g[chunk] for group, g in gates.items()}
        )
        for name, track in motion.tracks.items():
            tracks[name][chunk] = mix_values(
                track[chunk], target.tracks[name][chunk], shares[name], motion.space_of(name)
            )
    return replace(motion, **tracks)


def join_groups(parts: Mapping[str, MotionSignal]) -> MotionSignal:
    """Each group of its own motion; all have as many frames, and none of them detail.

    Args:
        parts: one motion for each of `GROUPS`.
    """
    first = parts[GROUPS[0]]
    rest = first.to_rest()
    changes: dict[str, Any] = {name: torch.zeros_like(track) for name, track in rest.tracks.items()}
    for group, part in parts.items():
        shares = spread_gates(part, {group: torch.ones(())})
        for name, share in shares.items():
            changes[name] += share * (part.tracks[name] - rest.tracks[name])
    tracks = {name: rest.tracks[name] + change for name, change in changes.items()}
    return replace(first, **tracks)


def add_details(
    motions: Mapping[str, MotionSignal], shares: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Any]:
    """The sum of what motions show beyond their blendshapes, as tracks; none if none shows any.

    Args:
        motions: of f frames each, by the name of their source.
        shares: group -> source -> (f, 1) how much of the source's detail the group has.
    """
    sources = {
        name: motion
        for name, motion in motions.items()
        if motion.detail is not None and any(name in owners for owners in shares.values())
    }
    if not sources:
        return {}
    frames = len(next(iter(sources.values())))
    total = torch.zeros(frames, WIDTHS["detail"])
    for name, motion in sources.items():
        assert motion.detail is not None  # see above
        assert motion.detail_weights is not None  # a signal has both or neither
        weights = motion.detail_weights.repeat_interleave(3, dim=1)
        zeros = torch.zeros(frames, 1)
        strengths = torch.cat([shares[group].get(name, zeros) for group in GROUPS], dim=1)
        for start in range(0, frames, CHUNK_FRAMES):
            chunk = slice(start, start + CHUNK_FRAMES)
            total[chunk] += motion.detail[chunk] * (strengths[chunk] @ weights)
    first = next(iter(sources.values())).detail_weights
    assert first is not None
    return {"detail": total, "detail_weights": first}


def gate_groups(
    motion: MotionSignal, curve: Tensor, groups: Collection[str] = GROUPS
) -> MotionSignal:
    """Some groups as strong as a curve (f,) says: 0 is rest, 1 is as it was.

    Raises:
        InputError: see `mix_groups`.
    """
    names = check_groups(groups)
    gates = {group: curve if group in names else torch.ones(()) for group in GROUPS}
    return mix_groups(motion.to_rest(), motion, gates)


def edit_groups(
    motion: MotionSignal, edit: MotionEdit, groups: Collection[str] = GROUPS
) -> MotionSignal:
    """An edit of some groups; the others stay.

    Where all are edited the result is as long as the edit makes it. Where only some are, it is as
    long as before: these hold their end, or are cut.

    Raises:
        InputError: see `check_groups`, and the edit's own.
    """
    if set(check_groups(groups)) == set(GROUPS):
        return edit(motion)
    return replace_groups(motion, edit(motion), groups)


def parse_motion_edit(text: str) -> MotionEdit:
    """`[mouth.|eyes.|…]edit=value[:value]`, as `control.edits.EDITS` lists them.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    group, name, values = split_edit(text, "group", GROUPS)
    return make_motion_edit(name, values, group)


def make_motion_edit(name: str, values: tuple[float, ...], group: str | None = None) -> MotionEdit:
    """An edit of `control.edits.EDITS` with as many numbers as it takes, of one group or of all."""
    function, _, _ = EDITS[name]
    edit: MotionEdit = partial(_call_edit, function, values)
    return partial(edit_groups, edit=edit, groups=GROUPS if group is None else (group,))


def _call_edit(
    function: EditFunction, values: tuple[float, ...], motion: MotionSignal
) -> MotionSignal:
    result = function(motion, *values)
    assert isinstance(result, MotionSignal)  # an edit keeps the kind
    return result


def fit_frames(motion: MotionSignal, frames: int, rate_hz: float) -> MotionSignal:
    """A motion of so many frames at a rate; the last one holds if it is shorter."""
    if len(motion) == frames and motion.rate_hz == rate_hz:
        return motion
    return motion.sample(frames, rate_hz)


def find_moving_groups(motion: MotionSignal) -> tuple[str, ...]:
    """The groups that are not at rest throughout."""
    rest = motion.to_rest().with_detail_of(motion)
    movements = {
        name: (track != rest.tracks[name]).any(0).float() for name, track in motion.tracks.items()
    }
    return tuple(
        group
        for group in GROUPS
        if any(
            bool((movements[name] * shares[group]).any())
            for name in movements
            if group in (shares := _share_columns(motion, name))
        )
    )
