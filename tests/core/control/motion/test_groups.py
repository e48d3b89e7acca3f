"""Groups of numbers: edits, gates and mixes of some leave the others as they are."""

from dataclasses import replace

import pytest
import torch
from helpers.edits import CHANGES, EXPECTED_GOT, quick
from helpers.motions import motion
from helpers.signals import is_same
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.motion import groups
from actalker_core.control.motion.groups import (
    edit_groups,
    find_moving_groups,
    gate_groups,
    mix_groups,
    parse_motion_edit,
    pick_groups,
    replace_groups,
    spread_gates,
)
from actalker_core.control.motion.signal import GROUPS, MotionSignal
from actalker_core.errors import InputError

each_group = pytest.mark.parametrize("group", GROUPS)
some_groups = st.sets(st.sampled_from(GROUPS), min_size=1)


def share_of(signal: MotionSignal, name: str, *groups: str) -> torch.Tensor:
    """How much of each number of a track is of some groups."""
    return spread_gates(signal, dict.fromkeys(groups, torch.ones(())))[name].flatten()


def test_every_number_belongs_to_one_group() -> None:
    signal = motion(with_detail=True)
    for name in signal.tracks:
        total = share_of(signal, name, *GROUPS)
        expected = torch.ones_like(total)
        if name == "blendshapes":
            expected[0] = 0  # _neutral is no movement
        torch.testing.assert_close(total, expected)


@quick
@given(groups=some_groups)
def test_parts_make_the_whole(groups: set[str]) -> None:
    signal = motion(5)
    other_groups = set(GROUPS) - groups
    part = pick_groups(signal, groups)
    result = replace_groups(part, signal, other_groups) if other_groups else part
    for name, track in signal.tracks.items():
        torch.testing.assert_close(result.tracks[name], track)


@quick
@given(groups=some_groups, name=st.sampled_from(sorted(CHANGES)))
def test_an_edit_of_some_groups_leaves_the_others(groups: set[str], name: str) -> None:
    before = motion(with_detail=True)
    after = edit_groups(before, CHANGES[name], groups)
    everything = CHANGES[name](before)
    if groups == set(GROUPS):
        assert is_same(after, everything)
        return
    assert len(after) == len(before)
    assert after.rate_hz == before.rate_hz
    expected = everything.sample(len(before), before.rate_hz)
    for track in before.tracks:
        share = share_of(before, track, *groups)
        is_edited, is_same_as_before = share == 1, share == 0
        results, sources = after.tracks[track], before.tracks[track]
        torch.testing.assert_close(
            results[:, is_edited], expected.tracks[track][:, is_edited], rtol=1e-5, atol=1e-5
        )
        assert torch.equal(results[:, is_same_as_before], sources[:, is_same_as_before])


@each_group
def test_a_gate_leads_from_rest_to_the_motion(group: str) -> None:
    signal = motion(40, with_detail=True)
    curve = torch.linspace(0, 1, 40)
    result = gate_groups(signal, curve, [group])
    shut, full = result.trim(0, 0.04), result.trim(39 / 25)
    assert group not in find_moving_groups(replace(shut, detail=None, detail_weights=None))
    for name, track in full.tracks.items():
        torch.testing.assert_close(track, signal.tracks[name][39:], rtol=1e-5, atol=1e-5)
    for name, track in result.tracks.items():
        share = share_of(signal, name, group)
        torch.testing.assert_close(track[:, share == 0], signal.tracks[name][:, share == 0])


def test_motions_of_other_lengths_and_rates_mix() -> None:
    first, second = motion(40, 25.0), motion(30, 50.0, seed=5, with_detail=True)
    result = mix_groups(first, second, {"mouth": torch.linspace(0, 1, 40)})
    assert (len(result), result.rate_hz) == (40, 25.0)
    assert torch.equal(result.rotation_degrees, first.rotation_degrees)
    expected = second.sample(40, 25.0).blendshapes[-1]
    is_mouth = share_of(first, "blendshapes", "mouth") == 1
    assert torch.equal(result.blendshapes[-1, is_mouth], expected[is_mouth])


def test_groups_that_move_are_told() -> None:
    assert find_moving_groups(MotionSignal.rest(4, 25.0)) == ()
    assert find_moving_groups(motion()) == GROUPS
    for group in GROUPS:
        assert find_moving_groups(pick_groups(motion(), [group])) == (group,)


@each_group
def test_a_written_edit_of_a_group(group: str) -> None:
    before = motion()
    result = parse_motion_edit(f"{group}.scale=0.5:0")(before)
    assert is_same(result, edit_groups(before, lambda m: m.scale(0.5, 0), [group]))


def test_a_written_edit_of_everything() -> None:
    assert is_same(parse_motion_edit("loop=3")(motion()), motion().loop(3))


@pytest.mark.parametrize(
    ("text", "character"),
    [("nose.smooth=1", 1), ("mouth.soften=1", 7), ("mouth.trim=1", 13), ("smooth", 1)],
)
def test_an_edit_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Edit .*expected .* at character {character}, got"):
        parse_motion_edit(text)


@pytest.mark.parametrize("groups", [[], ["nose"], ["mouth", ""]])
def test_groups_that_there_are_not(groups: list[str]) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        pick_groups(motion(), groups)


def test_a_gate_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        gate_groups(motion(40), torch.ones(39))


@pytest.mark.parametrize("frames", [1, 3, 40])
def test_pieces_change_nothing(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = motion(frames, with_detail=True), motion(frames, seed=5)
    gates = {"mouth": torch.linspace(0, 1, frames), "head": torch.tensor(0.3)}
    expected = mix_groups(first, second, gates)
    monkeypatch.setattr(groups, "CHUNK_FRAMES", 3)
    assert is_same(mix_groups(first, second, gates), expected)
