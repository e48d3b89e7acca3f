"""A message is one printable line, and not a long one."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actalker_core.errors import (
    MAX_MESSAGE_LENGTH,
    MAX_QUOTE_LENGTH,
    InputError,
    quote,
    to_one_line,
)

TEXTS = st.text(max_size=200) | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Zs"]))
quick = settings(max_examples=80, deadline=None, database=None)


@quick
@given(TEXTS)
@example("\ud800" * 900)
@example("a\n\u202eb\x00")
def test_a_message_is_one_printable_line_that_can_be_encoded(text: str) -> None:
    message = str(InputError(f"{text}: cannot be read."))
    assert message.isprintable()
    assert message.encode()
    assert len(message) <= MAX_MESSAGE_LENGTH
    assert to_one_line(message) == message


def test_a_long_message_keeps_what_failed_and_what_to_do() -> None:
    message = str(InputError(f"Bank: expected {'words ' * 500}. Choose one."))
    assert message.startswith("Bank: expected words")
    assert message.endswith("Choose one.")


@quick
@given(TEXTS)
def test_what_is_quoted_is_short_and_printable(text: str) -> None:
    message = quote(text)
    assert message.isprintable()
    assert len(message) <= MAX_QUOTE_LENGTH + 2
    if text.isprintable() and len(text) <= MAX_QUOTE_LENGTH:
        assert message == f"'{text}'"


@pytest.mark.parametrize(
    "value", [None, 5, 10**5000, [1] * 10**6, {"a": {"b": "c" * 999}}, b"x"], ids=type
)
def test_what_is_no_text_is_quoted_too(value: object) -> None:
    assert 0 < len(quote(value)) <= MAX_QUOTE_LENGTH


def test_json_takes_every_message() -> None:
    assert json.loads(json.dumps(str(InputError("\ud800\n"))))
