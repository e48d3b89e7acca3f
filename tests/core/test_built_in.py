"""The model that comes with the pack."""

import logging

import pytest

from actalker_core.checkpoint import load_built_in
from actalker_core.config import VARIANTS


def test_it_is_a_row_of_the_table_and_says_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = load_built_in()
    assert model.config == VARIANTS["built-in"]
    assert "random weights" in caplog.text
