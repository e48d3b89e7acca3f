"""Gates as people write them: what is read, and where it cannot be."""

import re
from contextlib import suppress

import pytest
import torch
from helpers.curves import FPS, KEYS, MODEL_FPS, UNITS, make_sound, quick, write_keys
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actalker_core.control import curves
from actalker_core.errors import InputError, quote

SOUND = make_sound([0.0, 0.3, 1.0, 0.2, 0.0, 0.0, 0.7, 0.1], 8000, 2)
SHARE_TEXTS = st.sampled_from(["0", "1", "0.5", ".25", "1e-3", "1."])
OPTIONS = st.lists(st.sampled_from(["attack=0", "release=.5", "threshold=0.3", "attack=2"]))
PLAIN_TERMS = st.one_of(
    SHARE_TEXTS,
    st.lists(SHARE_TEXTS, min_size=1).map(" ".join),
    st.builds(lambda keys, unit: write_keys(keys, MODEL_FPS, unit), KEYS, UNITS),
    OPTIONS.map(lambda options: " ".join(["envelope", *options])),
)
TERMS = st.one_of(PLAIN_TERMS, PLAIN_TERMS.map(lambda term: f"invert {term}"))


@quick
@given(st.lists(TERMS, min_size=1, max_size=4), st.integers(0, 12))
def test_every_gate_is_a_strength_for_each_frame(terms: list[str], frames: int) -> None:
    gate = curves.parse_curve(" * ".join(terms), frames, MODEL_FPS, SOUND)
    assert gate.shape == (frames,)
    assert gate.dtype == torch.float32
    assert ((gate >= 0) & (gate <= 1)).all()


@quick
@given(TERMS, TERMS)
def test_written_operations_are_those_of_curves(a: str, b: str) -> None:
    x, y, product, inverse = (
        curves.parse_curve(text, 12, MODEL_FPS, SOUND) for text in (a, b, f"{a}*{b}", f"invert {a}")
    )
    assert torch.allclose(product, x * y, atol=1e-6)
    assert torch.allclose(inverse, 1 - x, atol=1e-6)


UNREADABLE = [
    ("|", "a strength"),
    ("   |", "a strength"),
    ("|,", "a strength"),
    ("|on", "a number"),
    ("|nan", "a number"),
    ("|-inf", "a number"),
    ("|1e999", "a number"),
    ("|0.5.5", "a number"),
    ("|50%", "a number"),
    ("|1.5", "from 0 .* to 1"),
    ("|-0.1", "from 0 .* to 1"),
    ("0 1 |2", "from 0 .* to 1"),
    ("0,|5", "from 0 .* to 1"),
    ("0; 1\n|x 1", "a number"),
    ("0:|2", "from 0 .* to 1"),
    ("0:|-1", "from 0 .* to 1"),
    ("0:|nan", "a number"),
    ("0:|", "a number"),
    ("0:|hold", "a number"),
    ("|:1", "a number"),
    ("|a:1", "a number"),
    ("|f:1", "a number"),
    ("1f:1, |2x:0", "a number"),
    ("|2.5S:1", "a number"),
    ("1s:1, |2fs:0", "a number"),
    ("|inf:1", "a number"),
    ("|-1:0", "a time of 0 or more"),
    ("0:0, |-3f:1", "a time of 0 or more"),
    ("0:1,  |1", "time:strength"),
    ("0:1,\n|hold", "time:strength"),
    ("0:1:0", None),
    ("0:1 |wobble, 1:0", "linear or hold or ease"),
    ("0:0 hold, 1:1 |Hold", "linear or hold or ease"),
    ("0:1| 0:0", "a comma before the next key"),
    ("0:1| 2.5:0 ease", "a comma before the next key"),
    ("invert|", "a strength"),
    ("invert invert|", "a strength"),
    ("invert |x", "a number"),
    ("|inverted 1", "a number"),
    ("1 |invert", "a number"),
    ("1 * |on", "a number"),
    ("0:1, 1:0 *   |1.5", "from 0 .* to 1"),
    ("0.5 * invert |x * 1", "a number"),
    ("|*", "a number|a strength"),
    ("envelope |loud=1", "attack=number"),
    ("envelope |0.5", "attack=number"),
    ("envelope |attack", "attack=number"),
    ("envelope attack=.1 |=2", "attack=number"),
    ("envelope attack=|", "a number"),
    ("envelope attack=|fast", "a number"),
    ("envelope attack=|0.1,release=0.2", "a number"),
    ("1 * envelope release=|nan", "a number"),
    ("|Envelope", "a number"),
]
"""Where each text is wrong, and what is expected there."""


@pytest.mark.parametrize(("marked_text", "expected"), UNREADABLE)
def test_what_cannot_be_read_is_shown_where_it_stands(
    marked_text: str, expected: str | None
) -> None:
    text = marked_text.replace("|", "")
    place = rf"{marked_text.index('|') + 1}" if "|" in marked_text else r"\d+"
    message = rf"expected .*{expected or ''}.* at character {place}, got"
    with pytest.raises(InputError, match=rf"Gate {re.escape(quote(text))}: {message}"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


def test_a_second_ease_is_not_called_an_unknown_one() -> None:
    with pytest.raises(InputError, match=r"Gate '0:1 linear hold': .* at character \d+") as error:
        curves.parse_curve("0:1 linear hold", 5, MODEL_FPS)
    assert "expected linear or hold or ease at character 5, got 'linear'" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "0:1, 0:0",
        "1 * 2:1, 0:0, 2s:1",
        "envelope attack=-1",
        "1 * envelope release=-0.5",
        "envelope threshold=1",
        "envelope threshold=-.1",
    ],
)
def test_what_cannot_be_met_is_shown_where_it_stands(text: str) -> None:
    with pytest.raises(InputError, match=r"Gate '.*': expected .* at character \d+"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


@pytest.mark.parametrize("text", ["1 *", "* 1", "1 ** 0.5", "envelope * "])
def test_a_product_without_a_factor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Gate"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


# Checking ----------------------------------------------------------------------------------------

SCRAPS = ["0", "1", ".5", "2", "-", ":", ",", ";", "*", "f", "s", "=", "\n", "nan", "1e9", "x"]
WORDS = [" ", "hold", "ease", "linear", "invert ", "envelope ", "attack=", "threshold=", "0:1 "]
SCRIBBLES = st.lists(st.sampled_from(SCRAPS + WORDS), max_size=8).map("".join)


def is_read(text: str, frames: int, fps: float) -> bool:
    with suppress(InputError):
        curves.parse_curve(text, frames, fps, SOUND)
        return True
    return False


def is_accepted(text: str) -> bool:
    with suppress(InputError):
        curves.check_curve(text)
        return True
    return False


@settings(max_examples=200, deadline=None)
@given(SCRIBBLES, st.integers(1, 9), FPS)
@example("0:1, 0:0", 5, 25.0)
@example("envelope threshold=1", 5, 25.0)
@example("envelope attack=-1", 5, 25.0)
def test_checking_refuses_what_reading_refuses_and_nothing_else(
    text: str, frames: int, fps: float
) -> None:
    assert is_accepted(text) == is_read(text, frames, fps)


@quick
@given(st.lists(TERMS, min_size=1, max_size=4).map(" * ".join))
def test_checking_accepts_every_gate(text: str) -> None:
    curves.check_curve(text)


@pytest.mark.parametrize(
    ("text", "fps"), [("40f:1, 1.6s:0", 12.5), ("40f:1, 1.6s:0", 30.0), ("0:0, 1s:1, 25f:0", 12.5)]
)
def test_checking_does_not_guess_a_frame_rate(text: str, fps: float) -> None:
    assert is_read(text, 5, fps)
    assert is_accepted(text)
