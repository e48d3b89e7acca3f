"""The model that comes with the pack."""

import logging
from pathlib import Path

import pytest

from actalker_core import checkpoint
from actalker_core.checkpoint import BUILT_IN_PATH, built_in, load_built_in, summarize
from actalker_core.config import VARIANTS
from actalker_core.errors import CheckpointError

MOST_BYTES = 20_000_000


def test_its_file_is_small_and_a_row_of_the_table() -> None:
    summary = summarize(BUILT_IN_PATH)
    assert summary.size_bytes <= MOST_BYTES
    assert summary.config == VARIANTS["built-in"]


def test_it_says_what_it_is_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        load_built_in()
    assert "knows only the faces that this pack draws" in caplog.text


def test_a_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_in, "BUILT_IN_PATH", tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="the built-in model is missing"):
        checkpoint.load_built_in()
