"""A few kills of each kind. `make test-kill` has more of them, with two versions of safetensors."""

import os
import signal
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("needs fork", allow_module_level=True)

from kill_writes import kill_writes


@pytest.mark.parametrize("kind", ["signals", "bank", "checkpoint"])
def test_a_killed_writer_leaves_the_old_or_the_new_file(tmp_path: Path, kind: str) -> None:
    found = kill_writes(kind, tmp_path, 5)
    assert found["old"] + found["new"] == 5


@pytest.mark.parametrize("kind", ["signals", "picture"])
def test_an_interrupted_writer_leaves_nothing_else(tmp_path: Path, kind: str) -> None:
    assert kill_writes(kind, tmp_path, 3, signal.SIGINT)["left"] == 0
