"""Command lines: options and values in any number, some of them run."""

import contextlib
import io
import random
from pathlib import Path

from actalker_core.cli import main
from actalker_core.cli.inputs import check_texts
from actalker_core.cli.parser import build_parser
from actalker_core.errors import MAX_MESSAGE_LENGTH, InputError
from fuzz import saved_signals, words
from fuzz.mutations import damage

COMMANDS = ("generate", "inspect", "signals", "bank", "faces", "convert", "info", "download", "x")
VALUES = (
    *(
        "0",
        "1",
        "-1",
        "1.5",
        "nan",
        "inf",
        "1e300",
        "1_0",
        "१०",
        "0x10",
        "640000",
        "99999999999999",
    ),
    *("", " ", "x", "a\0b", "\udc80", "x" * 300, "x" * 5000, "/", "..", "/dev/null", "/dev/zero"),
    *("1:2", "1:x", "16:9", "0:0", "1e9:1", "1,2,3,4", "0,0,64,64", "nan,0,1,1", "whole", "left"),
    *("joyful", "0s: neutral; 2s: joyful", "lips+eyes", "lips" + "+lips" * 70, "karras", "hold"),
    *("in/none.png", "in/none.mp4", "out/x.gif", "out/x.exe", "out/%05d.png", "out/%s%n.png"),
)
RUN_MOST = 0.3


def prepare() -> None:
    """Make what the commands read."""
    saved_signals.prepare()


def _options(command: str) -> list[str]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        build_parser().parse_args([command, "--help"])
    tokens = [word.strip("[],") for word in text.getvalue().split()]
    return sorted({word for word in tokens if word.startswith("--") and word != "--help"})


OPTIONS = {command: _options(command) for command in COMMANDS if command != "x"}


def _value(rng: random.Random, inside: Path, outside: Path) -> str:
    if rng.random() < 0.3:
        write, _ = rng.choice(words.READERS)
        return words.strewn(rng, write(rng))[:100_000]
    text = rng.choice(VALUES)
    return text.replace("in/", f"{inside}/").replace("out/", f"{outside}/")


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Parse it and check what is written in it, or run a short command."""
    if rng.random() < RUN_MOST:
        _run(rng, inside, outside)
        return
    command = rng.choice(COMMANDS)
    arguments = [command]
    for _ in range(rng.randrange(6)):
        arguments.append(rng.choice(OPTIONS.get(command) or ["--x"]))
        arguments += [_value(rng, inside, outside)] * rng.choice((0, 1, 1, 1, 1, 2))
    if command in ("generate", "inspect"):
        arguments += ["--portrait", f"{inside}/p.png", "--out", f"{outside}/o.mp4"]
    elif rng.random() < 0.7:
        arguments += ["--out", f"{outside}/o.safetensors"]
    output, options = io.StringIO(), None
    with contextlib.redirect_stderr(output), contextlib.suppress(SystemExit):
        options = build_parser().parse_args(arguments)
    if options is None:
        line = output.getvalue().splitlines()[-1]
        assert ": error: " in line
        assert line.isprintable(), ascii(line)
        assert len(line) < MAX_MESSAGE_LENGTH + 100, len(line)
        raise InputError(line)
    if hasattr(options, "audio_gate"):
        check_texts(options)


def _run(rng: random.Random, inside: Path, outside: Path) -> None:
    """Describe, list or bank a damaged file; one line, and no half of a file."""
    file = inside / rng.choice(("a.safetensors", "a.png", "a\n\u202e.bin"))
    file.write_bytes(damage(rng, rng.choice(saved_signals.signals())))
    out = outside / rng.choice(("b.safetensors", "deep/b.safetensors", "b.exe", "x" * 300))
    arguments = rng.choice(
        (
            ["info", str(file)],
            ["faces", str(file)],
            ["bank", "--signals", str(file), "--captions", words.prompt(rng), "--out", str(out)],
            ["convert", str(inside), "--out", str(out)],
        )
    )
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    assert code in (0, 1, 2), code
    if code:
        assert not [path for path in outside.rglob("*") if path.is_file()]
        raise InputError(f"{arguments[0]} ended with {code}.")
