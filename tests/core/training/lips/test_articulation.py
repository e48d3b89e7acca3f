"""Phones become lips: those that the textbook shuts are shut, and lips glide between the others."""

import numpy as np
import pytest

from actalker_core.training.lips.articulation import POSES, Phone, move_lips, split_letters
from actalker_core.training.lips.espeak import phones_of_events
from actalker_core.training.lips.phonesets import CZECH, ENGLISH, to_ipa


def say(*ipa: str, seconds: float = 0.1) -> list[Phone]:
    return [Phone(name, i * seconds, (i + 1) * seconds) for i, name in enumerate(ipa)]


@pytest.mark.parametrize("letter", ["m", "b", "p"])
def test_bilabials_shut_the_lips_between_open_vowels(letter: str) -> None:
    track = move_lips(say("a", letter, "a"), 30)
    assert track.closure[12:18].min() > 0.95
    assert track.openness[12:18].max() < 0.05
    assert track.openness[4] > 0.6
    assert not track.closure[[4, 25]].any()


def test_labiodentals_put_the_teeth_on_the_lip() -> None:
    track = move_lips(say("a", "f", "a", "v", "a"), 50)
    assert track.teeth_on_lip[[15, 35]].min() > 0.9
    assert not track.closure.any()
    assert track.openness[15] < 0.2 < track.openness[5]


def test_vowels_open_round_and_widen_as_the_chart_says() -> None:
    middle = {name: move_lips(say("_", name, "_"), 30).columns[15] for name in "iauy"}
    assert middle["a"][0] > 2 * middle["i"][0]
    assert middle["i"][1] > 0.5 > 0 > middle["u"][1]
    assert min(middle["u"][2], middle["y"][2]) > 0.6 > 0.1 > middle["a"][2]


def test_a_consonant_of_the_tongue_takes_the_shape_of_its_vowels() -> None:
    wide, round_ = move_lips(say("i", "k", "i"), 30), move_lips(say("u", "k", "u"), 30)
    assert wide.width[15] > 0.3 > -0.2 > round_.width[15]
    assert round_.pucker[15] > 0.4


def test_a_pause_is_shut_and_a_gap_within_a_word_is_none() -> None:
    pause = move_lips([Phone("a", 0, 0.2), Phone("", 0.2, 0.6), Phone("a", 0.6, 0.8)], 80)
    assert pause.openness[35:45].max() < 0.01
    assert pause.silence[25:55].all()
    gap = move_lips([Phone("a", 0, 0.2), Phone("", 0.2, 0.25), Phone("a", 0.25, 0.5)], 50)
    assert gap.openness[22] > 0.5
    assert not gap.silence.any()


def test_without_phones_the_mouth_rests() -> None:
    columns = move_lips([], 20).columns
    assert not columns[:, :5].any()
    assert columns[:, 5].all()


def test_every_phone_of_the_phonesets_has_a_pose() -> None:
    for phoneset in (ENGLISH, CZECH):
        assert all(split_letters(ipa) for ipa in phoneset.values())
    assert to_ipa("pau", ENGLISH) == ""
    assert to_ipa("m", ENGLISH) == "m"
    assert split_letters("t͡ʃʰ")[:2] == ["t", "ʃ"]
    assert split_letters("ɑ̃ː") == ["ɑ"]
    assert all(0 <= pose.openness <= 1 and -1 <= pose.width <= 1 for pose in POSES.values())


def test_the_closure_of_a_p_lies_before_its_event() -> None:
    phones = phones_of_events([(0.0, "a"), (0.2, "p"), (0.23, "a"), (0.4, "b"), (0.48, "a")], 0.6)
    assert [phone.ipa for phone in phones] == ["a", "p", "ʰ", "a", "b", "ʰ", "a"]
    track = move_lips(phones, 60)
    shut = np.flatnonzero(track.closure > 0.5)
    assert shut[0] in (15, 16)
    assert 19 <= shut[shut < 30][-1] <= 21
    assert 40 in shut
    assert 47 not in shut
