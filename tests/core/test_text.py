"""Texts that people write end in a value or in an error, and soon."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.control import curves, regions
from actalker_core.control.edits import parse_edit
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.errors import MAX_MESSAGE_LENGTH, InputError, quote
from actalker_core.limits import MAX_TEXT_LENGTH
from actalker_core.text import check_text, parse_number, parse_whole_number

SOON_SECONDS = 5.0
"""Of the processor; what was quadratic took minutes."""
quick = settings(max_examples=80, deadline=None, database=None)


# Numbers ------------------------------------------------------------------------------------------

NO_NUMBERS = [
    "",
    " 1",
    "1_0",
    "१०",
    "１",
    "0x10",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1,0",
    "²",
    "+",
    ".",
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1\u00a0", "1\n", "1e", "--1", "9" * 400])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.0", "1e3", "9" * 21, "9" * 5000])
def test_what_only_python_takes_for_a_whole_number_is_none(text: str) -> None:
    assert parse_whole_number(text) is None


@quick
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**19), 10**19))
def test_numbers_are_read_as_python_writes_them(value: float, count: int) -> None:
    assert parse_number(repr(value)) == value
    assert parse_whole_number(str(count)) == count


@pytest.mark.parametrize("number", NO_NUMBERS[2:])
@pytest.mark.parametrize(
    ("read", "form"),
    [
        (lambda text: curves.parse_curve(text, 3, 25), "0:{}"),
        (lambda text: curves.parse_curve(text, 3, 25), "{}s:1"),
        (lambda text: curves.parse_curve(text, 3, 25), "{}f:1"),
        (parse_edit, "smooth={}"),
        (parse_prompt, "{}s: joyful"),
    ],
)
def test_no_text_reads_such_numbers(read: Callable, form: str, number: str) -> None:
    with pytest.raises(InputError, match="expected"):
        read(form.format(number))


def complaint(read: Callable, text: str) -> str:
    """What a reader says; nothing if it can read the text."""
    try:
        read(text)
    except InputError as error:
        return str(error)
    return ""


# Long texts ---------------------------------------------------------------------------------------


def keys(count: int) -> str:
    return ", ".join(f"{i * 0.04:.2f}:0.5" for i in range(count))


READERS = {
    "gate": curves.check_curve,
    "prompt": parse_prompt,
    "edit": parse_edit,
    "region": regions.parse_region,
}
LONG = [
    ("gate", keys(20_000)),
    ("gate", "invert " * 2_000 + "1"),
    ("gate", "invert " * (MAX_TEXT_LENGTH // 7 - 1) + "1"),
    ("gate", "0 " * (MAX_TEXT_LENGTH // 2)),
    ("gate", "*" * MAX_TEXT_LENGTH),
    ("gate", " " * MAX_TEXT_LENGTH),
    ("gate", "0:1," * (MAX_TEXT_LENGTH // 4)),
    ("gate", "1" * MAX_TEXT_LENGTH),
    ("gate", ", " * (MAX_TEXT_LENGTH // 2)),
    ("prompt", ";" * MAX_TEXT_LENGTH),
    ("prompt", "1s: a;" * (MAX_TEXT_LENGTH // 6)),
    ("prompt", "1s: a" + ", 1" * (MAX_TEXT_LENGTH // 4)),
    ("edit", "trim=" + "1:" * (MAX_TEXT_LENGTH // 2 - 3)),
    ("region", "lips+" * (MAX_TEXT_LENGTH // 5)),
    *((name, "x" * 1_000_000) for name in READERS),
]


@pytest.mark.parametrize(("name", "text"), LONG, ids=lambda text: f"{text[:9]}… {len(text)}")
def test_long_texts_are_read_or_refused_soon(name: str, text: str) -> None:
    start = time.process_time()
    assert len(complaint(READERS[name], text)) <= MAX_MESSAGE_LENGTH
    assert time.process_time() - start < SOON_SECONDS


def test_2000_inversions_are_none_and_one_more_is_one() -> None:
    assert curves.parse_curve("invert " * 2_000 + "0.25", 1, 25).item() == 0.25
    assert curves.parse_curve("invert " * 2_001 + "0.25", 1, 25).item() == 0.75


@pytest.mark.parametrize("value", [None, 5, 1.5, ["a"], {"a": 1}, b"text", True])
def test_what_is_no_text_is_refused(value: object) -> None:
    for read in READERS.values():
        with pytest.raises(InputError, match=r"expected a text, got .*\. Write"):
            read(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["\ud800", "\0"], ids=ascii)
def test_what_cannot_be_written_is_refused_where_it_stands(wrong: str) -> None:
    with pytest.raises(InputError, match=rf"'ab{re.escape(quote(wrong)[1:])}.* at character 3\."):
        check_text("Prompt", f"ab{wrong}")


@quick
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in READERS.values():
        assert complaint(read, text).isprintable()
