"""Texts that nearly follow a grammar."""

import random
from pathlib import Path

import numpy as np

from actalker_core.control import curves, regions
from actalker_core.control.edits import parse_edit
from actalker_core.control.grammar import Span
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.files.names import split_name
from actalker_core.media import Audio
from actalker_core.text import check_text, parse_number

NUMBERS = ("0", "1", "0.5", ".25", "1e-3", "-1", "2", "1e400", "nan", "inf", "1_0", "१", "0x1", "")
SPACES = ("", " ", "  ", "\n", "\t", "\u3000", "\u00a0", "\u2028", "\r")
STRAYS = ("\0", "\ud800", "\u202e", "\u200b", "é", "😀", "'", '"', "\\", "%s", "{}", "\x1b[31m")
EDIT_NAMES = ("trim", "loop", "scale", "smooth", "resample", "pose.hold", "audio.trim", "x.trim")
SOUND = Audio(np.sin(np.arange(16_000, dtype=np.float32))[None], 16_000)


def prepare() -> None:
    """Nothing is needed."""


def _pick(rng: random.Random, *choices: str) -> str:
    return rng.choice(choices)


def _number(rng: random.Random) -> str:
    return rng.choice((*NUMBERS, f"{rng.random():.3f}", str(rng.randrange(100)), "9" * 400))


def _key(rng: random.Random) -> str:
    ease = _pick(rng, "", "", " hold", " ease", " linear", " wobble", " hold ease")
    return f"{_number(rng)}{_pick(rng, '', 's', 'f', 'x')}:{_number(rng)}{ease}"


def _term(rng: random.Random) -> str:
    inversion = "invert " * rng.choice((0, 0, 0, 0, 1, 2, 5000))
    options = " ".join(
        f"{_pick(rng, 'attack', 'release', 'threshold', 'loud')}={_number(rng)}"
        for _ in range(rng.randrange(3))
    )
    count = 2000 if rng.random() < 0.02 else rng.choice((1, 1, 2, 3, 9))
    several = _pick(rng, ",", ";", " ", "\n").join(_number(rng) for _ in range(count))
    keys = _pick(rng, ",", ", ", ";", "\n").join(_key(rng) for _ in range(count))
    return inversion + _pick(rng, several, keys, f"envelope {options}", "")


def gate(rng: random.Random) -> str:
    """Terms joined by stars."""
    return _pick(rng, "*", " * ", "**").join(
        _term(rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 120)))
    )


def prompt(rng: random.Random) -> str:
    """Moments joined by semicolons."""
    words = ("joyful", "neutral", "", "a b", "x:y", ", 2s: sad")
    return _pick(rng, ";", "\n", "; ").join(
        f"{_number(rng)}{_pick(rng, 's', '', 'f')}{_pick(rng, ':', ': ', '')}{_pick(rng, *words)}"
        for _ in range(rng.choice((1, 2, 3, 1500)))
    )


def edit(rng: random.Random) -> str:
    """A name and numbers."""
    values = ":".join(_number(rng) for _ in range(rng.choice((0, 1, 2, 3, 1000))))
    return f"{_pick(rng, *EDIT_NAMES)}{_pick(rng, '=', ' = ', '')}{values}"


def region(rng: random.Random) -> str:
    """Parts joined by signs."""
    names = (*regions.PARTS, "nose", "", "Lips")
    parts = [_pick(rng, *names) for _ in range(rng.choice((1, 2, 5, 300)))]
    return "".join(f"{_pick(rng, '+', '-', '&', ' + ')}{part}" for part in parts)[
        rng.randrange(2) :
    ]


def name(rng: random.Random) -> str:
    """Folders and a file."""
    parts = ("a", "..", ".", "", "CON", "nul.x", "C:", "a\\b", "é" * 200, "b ", "c.", "x" * 300)
    return "/".join(_pick(rng, *parts) for _ in range(rng.choice((1, 2, 3))))


def strewn(rng: random.Random, text: str) -> str:
    """With spaces and strays where nobody wants them."""
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice((*SPACES, *STRAYS)) + text[at:]
    if rng.random() < 0.02:
        text = (text or "x") * min(rng.choice((100, 20_000)), 1_000_000 // len(text or "x"))
    return text


def _read_gate(text: str) -> None:
    frames = 30
    curve = curves.parse_curve(text, frames, 12.5, SOUND)
    assert curve.shape == (frames,)
    assert bool(((curve >= 0) & (curve <= 1)).all())


def _read_prompt(text: str) -> None:
    moments = parse_prompt(text)
    times = [moment.seconds for moment in moments]
    assert times == sorted(set(times))
    assert all(moment.text.strip() for moment in moments)


def _read_number(text: str) -> None:
    value = parse_number(check_text("Number", text)[:400])
    assert value is None or abs(value) < float("inf")
    Span.from_text("Number", text).parse_number()


READERS = (
    (gate, _read_gate),
    (prompt, _read_prompt),
    (edit, parse_edit),
    (region, regions.parse_region),
    (name, lambda text: split_name("Name", text)),
    (_number, _read_number),
)


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Read it as what it nearly is, or as something else."""
    write, read = rng.choice(READERS)
    if rng.random() < 0.05:
        _, read = rng.choice(READERS)
    read(strewn(rng, write(rng)))
