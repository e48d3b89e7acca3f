"""A few kills of each kind. `make test-kill` has more of them, with two versions of safetensors."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("needs fork", allow_module_level=True)

from kill_writes import KINDS, kill_writes, overwrite


@pytest.mark.parametrize("kind", ["signals", "bank", "checkpoint"])
def test_a_killed_writer_leaves_the_old_or_the_new_file(tmp_path: Path, kind: str) -> None:
    counts = kill_writes(kind, tmp_path, 5)
    assert counts["old"] + counts["new"] == 5


@pytest.mark.parametrize("kind", ["signals", "picture"])
def test_an_interrupted_writer_leaves_nothing_else(tmp_path: Path, kind: str) -> None:
    assert kill_writes(kind, tmp_path, 3, signal.SIGINT)["left"] == 0


@pytest.mark.parametrize("kind", ["video", "signals"])
def test_two_runs_that_write_one_file_both_end_well(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"file{KINDS[kind].suffix}"
    fork = multiprocessing.get_context("fork")
    event = fork.Event()
    runs = [
        fork.Process(target=overwrite, args=(KINDS[kind], path, number, event))
        for number in (1, 2, 3)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]
    assert KINDS[kind].read(path) in (1, 2, 3)
    assert list(tmp_path.iterdir()) == [path]
