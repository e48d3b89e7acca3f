"""A short run of the fuzzer; `python tests/fuzz SEED --cases N` runs it at length."""

import os
from itertools import count

import pytest

from fuzz import misbehaviour, runner

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of memory, and pipes")

SEED, CASES, SECONDS = 21, 150, 3.0
"""Cases and seconds are of each kind, at most: less than a minute in all, the start included."""


def test_damaged_files_and_texts_end_clear() -> None:
    report = runner.run(runner.KINDS, SEED, CASES, SECONDS)
    assert report.faults == []
    assert all(ends.total() for ends in report.ends.values())


def test_the_fuzzer_sees_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CASE_SECONDS", 0.5)
    kind, cases, worker = "misbehaviour", misbehaviour.CASES, runner.Worker()
    try:
        for index, (_, end) in enumerate(cases):
            choices = ((n, runner.draws(kind, 0, n).randrange(len(cases))) for n in count())
            number = next(n for n, choice in choices if choice == index)
            assert worker.attempt(kind, 0, number)[0] == end
    finally:
        worker.close()
