"""Text that people write, in pieces that know where they stand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.control.grammar import Span
from actalker_core.errors import InputError, quote

quick = settings(max_examples=60, deadline=None, database=None)


messy = st.text(alphabet=st.sampled_from("ab;; \t\n=:.é図😀1\u3000"), max_size=30) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
)


def named_part(error: InputError, kind: str, source: str) -> tuple[int, str]:
    """Position and text of the part that an error names."""
    start = f"{kind} {quote(source)}: "
    assert str(error).startswith(start)
    rest = str(error).removeprefix(start)
    match = re.fullmatch(r"expected .* at character (\d+), got '(.*)'\. Correct it there\.", rest)
    assert match is not None
    return int(match[1]) - 1, match[2]


@quick
@given(messy)
def test_pieces_know_where_they_stand(source: str) -> None:
    piece = Span.from_text("Prompt", source)
    assert (piece.kind, piece.source, piece.text) == ("Prompt", source, source.strip())
    parts = piece.split(";")
    assert [p.text for p in parts] == [p.strip() for p in source.split(";") if p.strip()]
    for part in parts:
        assert source[part.start : part.end] == part.text == part.text.strip()
        at, text = named_part(part.error("more"), "Prompt", source)
        assert at == part.start
        assert f"'{text}'" == quote(part.text)
    starts = [part.start for part in parts]
    assert starts == sorted(set(starts))


@quick
@given(messy)
def test_pieces_lie_within_their_text(source: str) -> None:
    piece = Span.from_text("Prompt", source)
    for part in (piece, *piece.split(";")):
        assert 0 <= part.start <= part.end <= len(source)


@quick
@given(messy)
def test_a_piece_is_divided_at_the_first_separator(source: str) -> None:
    piece = Span.from_text("Edit", source)
    before, separator, after = source.strip().partition("=")
    if not separator:
        with pytest.raises(InputError, match="expected a=b at character"):
            piece.partition("=", "a=b")
        return
    name, value = piece.partition("=", "a=b")
    assert (name.text, value.text) == (before.strip(), after.strip())
    assert name.end <= source.index("=") < value.start or not value.text


@quick
@given(st.lists(messy, min_size=1, max_size=4), st.integers(0, 3))
def test_a_number_that_is_none_is_named_where_it_stands(parts: list[str], index: int) -> None:
    source = ";".join([*parts[:index], "  one ", *parts[index:]])
    (number,) = [p for p in Span.from_text("Gate", source).split(";") if p.text == "one"]
    with pytest.raises(InputError) as error:
        number.parse_number()
    at, text = named_part(error.value, "Gate", source)
    assert source[at : at + 3] == text == "one"


@pytest.mark.parametrize(
    ("text", "fps", "seconds"),
    [("2.5", None, 2.5), ("2.5s", None, 2.5), (" 2 s ", 25, 2), ("40f", 25, 1.6), ("0", 25, 0)],
)
def test_times_are_written_in_seconds_or_frames(
    text: str, fps: float | None, seconds: float
) -> None:
    assert Span.from_text("Gate", text).parse_seconds(fps) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "f", "-1", "-1s", "-4f", "1x", "nan", "infs", "1ss"])
@pytest.mark.parametrize("fps", [None, 25.0])
def test_times_that_are_none_are_refused(text: str, fps: float | None) -> None:
    with pytest.raises(InputError, match=r"expected a (number|time).* at character 1, got"):
        Span.from_text("Gate", text).parse_seconds(fps)


def test_frames_need_a_rate() -> None:
    with pytest.raises(InputError, match="a number"):
        Span.from_text("Prompt", "40f").parse_seconds(None)


@pytest.mark.parametrize(
    ("text", "rest"), [("at 2", "2"), ("at", ""), ("attic", None), ("x at", None), ("at:3", ":3")]
)
def test_what_follows_a_word(text: str, rest: str | None) -> None:
    suffix = Span.from_text("Gate", text).remove_prefix("at")
    assert (suffix and suffix.text) == rest


def test_a_part_is_stripped_of_every_kind_of_space() -> None:
    spaces = " \t\n\u3000\u00a0\u2028\x1f"
    assert Span.from_text("Gate", f"{spaces}1{spaces}").text == "1"
