"""A text with one fault, wherever it is: the message names that place, and what is meant there."""

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.control.boxes import parse_box
from actalker_core.control.curves import check_curve
from actalker_core.control.edits import parse_edit
from actalker_core.control.motion.hand import move_by_text, parse_numbers
from actalker_core.control.motion.mix import parse_mix
from actalker_core.control.regions import PARTS, parse_region
from actalker_core.control.words.presets import PRESETS
from actalker_core.control.words.prompt import check_emotions, parse_prompt
from actalker_core.errors import InputError

Read = Callable[[str], object]


class Grammar(NamedTuple):
    """A kind of text as pieces: parts that can each be read alone, and what joins them.

    Attributes:
        read: the parser. parts: texts that it reads. joint: between them.
        bad_parts: texts with one fault, before which `|` stands, and what is expected there.
    """

    read: Read
    parts: list[str]
    joint: str
    bad_parts: list[tuple[str, str]]


GRAMMARS = {
    "gate": Grammar(
        check_curve,
        ["1", "0.5", "0:1, 2.5s:0 hold", "invert 0:0, 40f:1", "envelope attack=0.1"],
        " * ",
        [
            ("|on", "a number"),
            ("0:1| 2.5:0 ease", "a comma before the next key"),
            ("0:0, 1:|2", "a strength from 0"),
            ("0:0 |eese, 1:1", "linear or hold or ease"),
            ("envelope |atack=0.1", "attack=number"),
            ("|-1:0", "a time of 0 or more"),
        ],
    ),
    "region": Grammar(
        parse_region,
        list(PARTS),
        " + ",
        [
            ("|nose", "all or face"),
            ("lips-|Mouth", "all or face"),
            ("lips| eyes", "+ (and)"),
            ("oval|,mouth", "+ (and)"),
        ],
    ),
    "mix": Grammar(
        parse_mix,
        ["mouth: audio + words 0.5", "eyes: idle 0:0, 2s:1 over clip", "brows: none"],
        "; ",
        [
            ("head: |radio", "audio or clip"),
            ("|hed: clip", "mouth or"),
            ("head: clip| words", "+ or over"),
            ("head: clip| gaze: clip", "a semicolon"),
            ("head: clip 0:1| 2:0", "a comma before the next key"),
            ("|cheeks clip", "group: source"),
        ],
    ),
    "edit": Grammar(
        parse_edit,
        ["pose.trim=1:2"],
        "",
        [
            ("|nose.smooth=1", "audio or expression or pose"),
            ("pose.|soften=1", "trim or resample"),
            ("trim=1|", "a number (end)"),
            ("trim=|", "a number (start)"),
            ("trim=1:|:2", "a number (end)"),
            ("scale=1:|x", "a number"),
            ("smooth=1|:2", "no more than seconds"),
        ],
    ),
    "numbers": Grammar(
        parse_numbers,
        ["smile=0.5", "blink=1", "pitch=-10"],
        " ",
        [
            ("yaw=|", "a number"),
            ("yaw=|ten", "a number"),
            ("yaw=|100", "-90 to 90"),
            ("|yaww=1", "one of pitch, yaw"),
            ("|yaw", "name=number"),
        ],
    ),
    "numbers over time": Grammar(
        lambda text: move_by_text(text, 5, 25.0),
        ["0s: smile=0", "1s: smile=1 ease", "50f: smile=0 yaw=10"],
        "; ",
        [
            ("3s: yaw=|ten", "a number"),
            ("3s: smile=1| 4s: smile=0", "a semicolon"),
            ("3s:|", "numbers after the time"),
            ("|3x: yaw=1", "a number"),
        ],
    ),
    "prompt": Grammar(
        parse_prompt,
        ["0s: neutral", "1: wide smile", "2.5s: sad"],
        "; ",
        [
            ("3s: joy| 4s: sad", "a semicolon"),
            ("3s: joy|, 4: sad", "a semicolon"),
            ("3s:|", "a text after the time"),
            ("|soon: sad", "a number"),
            ("|sad; 9s: joy", "time: text"),
        ],
    ),
    "emotions": Grammar(
        check_emotions,
        ["0s: neutral", "1s: a very happy person", "2s: Fear"],
        "; ",
        [("3s: |hapy", ", ".join(PRESETS)), ("3s: |quixotic", ", ".join(PRESETS))],
    ),
}
FAULTS = [(name, i) for name, g in GRAMMARS.items() for i in range(len(g.bad_parts))]


def read_place(read: Read, text: str, expected: str) -> int:
    """The index that the message names for a text that cannot be read."""
    with pytest.raises(InputError) as refusal:
        read(text)
    match = re.search(r"expected (.*) at character (\d+), got", str(refusal.value))
    assert match is not None
    assert expected in match[1]
    return int(match[2]) - 1


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(("name", "index"), FAULTS)
@given(data=st.data())
def test_a_fault_is_named_where_it_is(name: str, index: int, data: st.DataObject) -> None:
    read, good_parts, joint, bad_parts = GRAMMARS[name]
    bad, expected = bad_parts[index]
    # Groups and times may be named once.
    neighbours = data.draw(st.lists(st.sampled_from(good_parts), unique=True)) if joint else []
    at = data.draw(st.integers(0, len(neighbours)))
    margin = data.draw(st.sampled_from(["", " ", "  "]))
    marked_text = margin + joint.join([*neighbours[:at], bad, *neighbours[at:]])
    text, place = marked_text.replace("|", ""), marked_text.index("|")
    assert read_place(read, text, expected) == place


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["gate", "region"]),
    st.lists(st.integers(0, 4), min_size=2, max_size=5),
    st.integers(0, 4),
)
def test_a_part_that_is_missing_is_missing_where_it_should_be(
    name: str, choices: list[int], index: int
) -> None:
    read, good_parts, joint, _ = GRAMMARS[name]
    parts = [good_parts[i] for i in choices]
    read(joint.join(parts))
    index = min(index, len(parts) - 1)
    parts[index] = "|"
    marked_text = joint.join(parts)
    # Spaces belong to no part: it is missing before the next sign, or at the end.
    marked_text = re.sub(r"\|(\s+)", r"\1|", marked_text) if index < len(parts) - 1 else marked_text
    marked_text = re.sub(r"\s+\|$", "|", marked_text)
    place = marked_text.index("|")
    assert read_place(read, marked_text.replace("|", ""), "") == place


NUMBERS = st.integers(0, 50).map(str) | st.floats(0, 50, width=16).map(str)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.integers(0, 6), st.sampled_from([",", ", "]))
def test_a_box_has_four_numbers(x: str, y: str, count: int, joint: str) -> None:
    numbers = [x, y, str(float(x) + 7), str(float(y) + 9), "1", "2"][:count]
    text = joint.join(numbers)
    if count == 4:
        assert parse_box(text) == tuple(map(float, numbers))
        return
    if count < 4:
        assert read_place(parse_box, text, f"({['x0', 'y0', 'x1', 'y1'][count or 0]})") == len(text)
    else:
        expected = "no more than x0,y0,x1,y1"
        assert read_place(parse_box, text, expected) == len(joint.join(numbers[:4]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.sampled_from(["", "x", "3o", "nan", "1e999"]))
def test_a_number_of_a_box_that_is_none_is_named(index: int, fault: str) -> None:
    numbers = ["10", "20", "300", "400"]
    numbers[index] = fault
    text = ",".join(numbers)
    assert read_place(parse_box, text, "a number") == len(",".join([*numbers[:index], ""]))


@pytest.mark.parametrize(
    ("text", "place"), [("5,5,5,9", 4), ("5,5,9,5", 6), ("-2e5,0,1,1", 0), ("0,0,1,1e6", 6)]
)
def test_a_box_has_an_area(text: str, place: int) -> None:
    assert read_place(parse_box, text, "from ") == place


@pytest.mark.parametrize(
    ("read", "text", "advice"),
    [
        (parse_region, "lisp+eyes", "Write lips there."),
        (parse_region, "Lips", "Write lips there."),
        (parse_region, "zebra", "Correct it there."),
        (parse_mix, "hed: clip", "Write head there."),
        (parse_mix, "head: word", "Write words there."),
        (parse_edit, "smoth=1", "Write smooth there."),
        (parse_numbers, "smlie=1", "Write smile there."),
        (check_emotions, "0s: hapy", "Write happy there."),
        (check_curve, "0:1 Hold, 2:1", "Write hold there."),
    ],
)
def test_a_word_that_looks_like_a_known_one_is_taken_for_it(
    read: Read, text: str, advice: str
) -> None:
    with pytest.raises(InputError, match=re.escape(advice)):
        read(text)


@pytest.mark.parametrize(
    ("read", "text", "got"),
    [
        (parse_region, "lips+", "nothing"),
        (parse_region, "lips++eyes", "'+'"),
        (check_curve, "1 *", "nothing"),
        (parse_mix, "mouth: over clip", "'over'"),
        (parse_numbers, "yaw= smile=1", "nothing"),
        (parse_box, "1,,3,4", "','"),
    ],
)
def test_what_stands_where_a_part_is_missing_is_said(read: Read, text: str, got: str) -> None:
    with pytest.raises(InputError, match=rf"at character \d+, got {re.escape(got)}\."):
        read(text)
