"""Runs damaged files and texts in a process that may hang, crash or run out of memory."""

import importlib
import json
import logging
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = (
    "headers",
    "configurations",
    "banks",
    "saved_signals",
    "pickles",
    "pictures",
    "sounds",
    "films",
    "words",
    "command_lines",
)
CASE_SECONDS = 5.0
START_SECONDS = 120.0
MEMORY_BYTES = 2 * 1024**3
"""What a case may take beyond what the libraries do."""
LONGEST_MESSAGE = 600
CLEAR, ACCEPTED = "clear", "accepted"

Case = Callable[[random.Random, Path, Path], None]
"""Given a folder to read from and one to write to; ends in an error of the pack, or well."""


@dataclass
class Found:
    """What a run found.

    Attributes:
        ends: how many cases ended in which way, by kind.
        faults: what should not be, with the words that repeat it.
    """

    ends: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[str]:
        """A table."""
        yield f"{'kind':16}{'tried':>8}{CLEAR:>8}{ACCEPTED:>10}{'faults':>8}"
        for kind, ends in self.ends.items():
            good = ends[CLEAR] + ends[ACCEPTED]
            yield (
                f"{kind:16}{ends.total():>8}{ends[CLEAR]:>8}{ends[ACCEPTED]:>10}"
                f"{ends.total() - good:>8}"
            )


class Worker:
    """A process that tries cases, and is started anew when it had to be ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def attempt(self, kind: str, seed: int, number: int) -> tuple[str, str]:
        """How a case ends, and what is to be said about it. One that hangs is tried twice."""
        found = self._once(kind, seed, number, CASE_SECONDS)
        return self._once(kind, seed, number, CASE_SECONDS) if found[0] == "hangs" else found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _once(self, kind: str, seed: int, number: int, seconds: float) -> tuple[str, str]:
        process = self._started()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([kind, seed, number]).encode() + b"\n")
            process.stdin.flush()
        answer = self._answer(seconds)
        if answer is None:
            ended = process.poll()
            self.close()
            if ended is None:
                return "hangs", f"more than {seconds:g} s"
            return "crashes", f"the process ended with {ended}"
        end, why = json.loads(answer)
        return end, why

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=Path(__file__).parents[2],
            )
            if self._answer(START_SECONDS) is None:
                raise RuntimeError("The worker does not start: run tests/fuzz/runner.py by hand.")
        return self._process

    def _answer(self, seconds: float) -> str | None:
        """A line of the process; None if it ends or is silent for too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe, end, line = self._process.stdout.fileno(), time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(end - time.monotonic(), 0))
            part = os.read(pipe, 65536) if ready else b""
            if not part:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.2 if not ready else 5)
                return None
            line += part
        return line.decode()


def run(
    kinds: tuple[str, ...],
    seed: int,
    cases: int,
    seconds: float | None = None,
    on_case: Callable[[str], None] = lambda row: None,
) -> Found:
    """Try cases of each kind.

    Args:
        cases: of each kind, at most.
        seconds: for each kind, at most; None for as long as it takes.
        on_case: told of each fault.
    """
    found, worker = Found(), Worker()
    try:
        for kind in kinds:
            ends, start = found.ends.setdefault(kind, Counter()), time.monotonic()
            for number in range(cases):
                if seconds is not None and time.monotonic() - start > seconds:
                    break
                end, why = worker.attempt(kind, seed, number)
                ends[end] += 1
                if end not in (CLEAR, ACCEPTED):
                    fault = f"{end}: tests/fuzz {seed} --kind {kind} --case {number}: {why}"
                    found.faults.append(fault)
                    on_case(fault)
    finally:
        worker.close()
    return found


# In the process -----------------------------------------------------------------------------------


def tried(kind: str, seed: int, number: int) -> tuple[str, str]:
    """One case, in this process."""
    from actalker_core.errors import ACTalkerError

    case: Case = importlib.import_module(kind).case
    base = Path(tempfile.mkdtemp(prefix="actalker-fuzz-"))
    inside, outside = base / "in", base / "out"
    inside.mkdir()
    outside.mkdir()
    try:
        case(random.Random(f"{kind} {seed} {number}"), inside, outside)
        end, why = ACCEPTED, ""
    except ACTalkerError as error:
        end, why = CLEAR, str(error)
        if not why.isprintable() or not 10 < len(why) <= LONGEST_MESSAGE:
            end = "unclear"
    except BaseException as error:  # whatever it is, it is a fault
        place = traceback.extract_tb(error.__traceback__)[-4:]
        steps = " < ".join(f"{Path(step.filename).name}:{step.lineno}" for step in place[::-1])
        end, why = "fails", f"{type(error).__name__}: {str(error)[:300]!r} at {steps}"
    left = [path.name for path in outside.rglob("*") if ".part" in path.name]
    shutil.rmtree(base, ignore_errors=True)
    return ("leaves", ", ".join(left)) if left else (end, why)


def limit_memory() -> None:
    """Let a case that takes very much fail with a MemoryError."""
    with suppress(ImportError):  # Windows has none
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def serve() -> None:
    """Try what the lines of the standard input name, one after another."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    logging.disable(logging.CRITICAL)
    sys.path[:0] = [str(Path(__file__).parent), os.getcwd()]
    for kind in KINDS:
        importlib.import_module(kind).prepare()
    limit_memory()
    answers.write(json.dumps("ready") + "\n")
    for line in sys.stdin:
        kind, seed, number = json.loads(line)
        answer: Any = tried(kind, seed, number)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    serve()
