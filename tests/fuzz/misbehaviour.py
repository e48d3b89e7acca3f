"""Cases that do what none should, so that the fuzzer itself is tried."""

import os
import random
from collections.abc import Callable
from pathlib import Path

from actalker_core.errors import InputError


def prepare() -> None:
    """Nothing is needed."""


def hang(outside: Path) -> None:
    """Never end."""
    while True:
        pass


def crash(outside: Path) -> None:
    """End without a word."""
    os.abort()


def take_memory(outside: Path) -> None:
    """More than there may be."""
    bytearray(1 << 33)


def fail(outside: Path) -> None:
    """Raise what no caller expects."""
    raise ValueError("inner")


def leave_half(outside: Path) -> None:
    """Stop while writing."""
    (outside / ".actalker-0.part").touch()
    raise InputError("Written: expected all of it.")


def say_little(outside: Path) -> None:
    """Raise without a word of help."""
    raise InputError("no")


def refuse(outside: Path) -> None:
    """Do it right."""
    raise InputError("Size: expected 1 to 2, got 3.")


def accept(outside: Path) -> None:
    """Do it right."""


CASES: tuple[tuple[Callable[[Path], None], str], ...] = (
    (hang, "hangs"),
    (crash, "crashes"),
    (take_memory, "fails"),
    (fail, "fails"),
    (leave_half, "leaves"),
    (say_little, "unclear"),
    (refuse, "clear"),
    (accept, "accepted"),
)
"""And what the fuzzer calls each."""


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """One of them."""
    CASES[rng.randrange(len(CASES))][0](outside)
