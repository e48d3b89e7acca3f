"""Runs damaged files and texts in a process that may hang, crash or run out of memory."""

import importlib
import json
import logging
import math
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
    "landmarkers",
    "images",
    "audio",
    "videos",
    "words",
    "command_lines",
)
CASE_SECONDS = 5.0
"""Of a processor; a busy machine gives it more time by the clock."""
CASE_WALL_SECONDS = 60.0
START_SECONDS = 240.0
MEMORY_BYTES = 2 * 1024**3
"""What a case may take beyond what the libraries do."""
MAX_MESSAGE_LENGTH = 600
CLEAR, SUCCESS = "clear", "accepted"

Case = Callable[[random.Random, Path, Path], None]
"""Given a folder to read from and one to write to; ends in an error of the pack, or well."""


@dataclass
class Report:
    """What a run found.

    Attributes:
        ends: how many cases ended in which way, by kind.
        faults: what should not be, with the words that repeat it.
    """

    ends: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[str]:
        """A table."""
        yield f"{'kind':16}{'tried':>8}{CLEAR:>8}{SUCCESS:>10}{'faults':>8}"
        for kind, ends in self.ends.items():
            good = ends[CLEAR] + ends[SUCCESS]
            yield (
                f"{kind:16}{ends.total():>8}{ends[CLEAR]:>8}{ends[SUCCESS]:>10}"
                f"{ends.total() - good:>8}"
            )


class Worker:
    """A process that tries cases, and is started anew when it had to be ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_kinds: set[str] = set()

    def attempt(self, kind: str, seed: int, number: int) -> tuple[str, str]:
        """How a case ends, and what is to be said about it.

        One that fails otherwise than in a fault of its own, by time or memory, is tried again in a
        new process, which holds nothing of the cases before.
        """
        result = self._once(kind, seed, number)
        if result[0] in ("hangs", "crashes") or "memory" in result[1].lower():
            self.close()
            result = self._once(kind, seed, number)
        return result

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _once(self, kind: str, seed: int, number: int) -> tuple[str, str]:
        process = self._start()
        if kind not in self._ready_kinds:
            self._send([kind])
            if self._answer(START_SECONDS) is None:
                raise RuntimeError(f"{kind} does not start: try tests/fuzz --kind {kind} --case 0")
            self._ready_kinds.add(kind)
        start = processor_seconds(process.pid)
        self._send([kind, seed, number])
        answer = self._answer(CASE_WALL_SECONDS, start + CASE_SECONDS)
        if answer is None:
            code = process.poll()
            self.close()
            if code is None:
                return "hangs", f"more than {CASE_SECONDS:g} s"
            return "crashes", f"the process ended with {code}"
        end, why = json.loads(answer)
        return end, why

    def _send(self, words: list[Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._ready_kinds.clear()
            environment = os.environ | {
                "OMP_NUM_THREADS": "1",
                "PYTHONWARNINGS": "ignore",
                "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[1:3])),
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fuzz.runner"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=Path(__file__).parents[2],
            )
        return self._process

    def _answer(self, seconds: float, most_processor_seconds: float = math.inf) -> str | None:
        """A line of the process; None if it ends, or is silent for too long."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        pipe, end, line = process.stdout.fileno(), time.monotonic() + seconds, b""
        while time.monotonic() < end and processor_seconds(process.pid) < most_processor_seconds:
            ready, _, _ = select.select([pipe], [], [], 0.5)
            part = os.read(pipe, 65536) if ready else None
            if part == b"":
                process.wait(5)
                return None
            line += part or b""
            if line.endswith(b"\n"):
                return line.decode()
        return None


def run(
    kinds: tuple[str, ...],
    seed: int,
    cases: int,
    seconds: float | None = None,
    on_case: Callable[[str], None] = lambda row: None,
) -> Report:
    """Try cases of each kind.

    Args:
        cases: of each kind, at most.
        seconds: for each kind, at most; None for as long as it takes.
        on_case: told of each fault.
    """
    report, worker = Report(), Worker()
    try:
        for kind in kinds:
            ends, start = report.ends.setdefault(kind, Counter()), time.monotonic()
            for number in range(cases):
                if seconds is not None and time.monotonic() - start > seconds:
                    break
                end, why = worker.attempt(kind, seed, number)
                ends[end] += 1
                if end not in (CLEAR, SUCCESS):
                    fault = f"{end}: tests/fuzz {seed} --kind {kind} --case {number}: {why}"
                    report.faults.append(fault)
                    on_case(fault)
    finally:
        worker.close()
    return report


def processor_seconds(process: int) -> float:
    """What a process has taken of the processors; of this one by the clock where none tells."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# In the process -----------------------------------------------------------------------------------


def draws(kind: str, seed: int, number: int) -> random.Random:
    """What a case is drawn from."""
    return random.Random(f"{kind} {seed} {number}")


def try_case(kind: str, seed: int, number: int) -> tuple[str, str]:
    """One case, in this process."""
    from actalker_core.errors import ACTalkerError

    case: Case = importlib.import_module(f"fuzz.{kind}").case
    base = Path(tempfile.mkdtemp(prefix="actalker-fuzz-"))
    inside, outside = base / "in", base / "out"
    inside.mkdir()
    outside.mkdir()
    try:
        case(draws(kind, seed, number), inside, outside)
        end, why = SUCCESS, ""
    except ACTalkerError as error:
        end, why = CLEAR, str(error)
        if not why.isprintable() or not 10 < len(why) <= MAX_MESSAGE_LENGTH:
            end = "unclear"
    except BaseException as error:  # whatever it is, it is a fault
        place = traceback.extract_tb(error.__traceback__)[-4:]
        steps = " < ".join(f"{Path(step.filename).name}:{step.lineno}" for step in place[::-1])
        end, why = "fails", f"{type(error).__name__}: {str(error)[:300]!r} at {steps}"
    left = [path.name for path in outside.rglob("*") if ".part" in path.name]
    shutil.rmtree(base, ignore_errors=True)
    return ("leaves", ", ".join(left)) if left else (end, why)


def prepare(kind: str) -> str:
    """Load what a kind needs, and let a case that takes very much more fail by memory."""
    import resource

    hard_limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard_limit, hard_limit))
    importlib.import_module(f"fuzz.{kind}").prepare()
    with suppress(OSError):  # only Linux tells
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard_limit))
    return "ready"


def serve() -> None:
    """Try what the lines of the standard input name, one after another."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        kind, *arguments = json.loads(line)
        answer: Any = try_case(kind, *arguments) if arguments else prepare(kind)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    serve()
