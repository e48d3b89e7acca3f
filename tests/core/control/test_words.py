"""What people write ends in a value or in one printable line, and soon."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers.conditioning import FRAMES, conditioning
from helpers.tiny import tiny_model
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actalker_core import limits
from actalker_core.cli.parser import build_parser
from actalker_core.control import curves, regions
from actalker_core.control.edits import parse_edit
from actalker_core.control.grammar import Span
from actalker_core.control.signals import AudioSignal, Signals
from actalker_core.control.words.bank import read_references
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.diffusion.guidance import GuidanceInterval
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import (
    MAX_MESSAGE_LENGTH,
    MAX_QUOTE_LENGTH,
    InputError,
    quote,
    to_one_line,
)
from actalker_core.faces import Face
from actalker_core.faces.portrait import prepare_portrait
from actalker_core.limits import MAX_TEXT_LENGTH
from actalker_core.models.actalker.config import SamplingConfig
from actalker_core.models.actalker.guidance import Guidance
from actalker_core.models.actalker.pipeline import sample_latents
from actalker_core.models.actalker.plan import RegionChoice, plan_video
from actalker_core.text import check_text, parse_number, parse_whole_number

SOON_SECONDS = 5.0
"""Of the processor; what was quadratic took minutes."""
ANY = st.text(max_size=200) | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Zs"]))
quick = settings(max_examples=80, deadline=None, database=None)

# What messages say --------------------------------------------------------------------------------


@quick
@given(ANY)
@example("\ud800" * 900)
@example("a\n\u202eb\x00")
def test_a_message_is_one_printable_line_that_can_be_encoded(text: str) -> None:
    said = str(InputError(f"{text}: cannot be read."))
    assert said.isprintable()
    assert said.encode()
    assert len(said) <= MAX_MESSAGE_LENGTH
    assert to_one_line(said) == said


def test_a_long_message_keeps_what_failed_and_what_to_do() -> None:
    said = str(InputError(f"Bank: expected {'words ' * 500}. Choose one."))
    assert said.startswith("Bank: expected words")
    assert said.endswith("Choose one.")


@quick
@given(ANY)
def test_what_is_quoted_is_short_and_printable(text: str) -> None:
    said = quote(text)
    assert said.isprintable()
    assert len(said) <= MAX_QUOTE_LENGTH + 2
    if text.isprintable() and len(text) <= MAX_QUOTE_LENGTH:
        assert said == f"'{text}'"


@pytest.mark.parametrize(
    "value", [None, 5, 10**5000, [1] * 10**6, {"a": {"b": "c" * 999}}, b"x"], ids=type
)
def test_what_is_no_text_is_quoted_too(value: object) -> None:
    assert 0 < len(quote(value)) <= MAX_QUOTE_LENGTH


# Numbers ------------------------------------------------------------------------------------------

NO_NUMBERS = [
    "",
    " 1",
    "1_0",
    "१०",
    "１",
    "0x10",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1,0",
    "²",
    "+",
    ".",
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1\u00a0", "1\n", "1e", "--1", "9" * 400])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.0", "1e3", "9" * 21, "9" * 5000])
def test_what_only_python_takes_for_a_whole_number_is_none(text: str) -> None:
    assert parse_whole_number(text) is None


@quick
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**19), 10**19))
def test_numbers_are_read_as_python_writes_them(value: float, count: int) -> None:
    assert parse_number(repr(value)) == value
    assert parse_whole_number(str(count)) == count


@pytest.mark.parametrize("number", NO_NUMBERS[2:])
@pytest.mark.parametrize(
    ("read", "form"),
    [
        (lambda text: curves.parse_curve(text, 3, 25), "0:{}"),
        (lambda text: curves.parse_curve(text, 3, 25), "{}s:1"),
        (lambda text: curves.parse_curve(text, 3, 25), "{}f:1"),
        (parse_edit, "smooth={}"),
        (parse_prompt, "{}s: joyful"),
    ],
)
def test_no_text_reads_such_numbers(read: Callable, form: str, number: str) -> None:
    with pytest.raises(InputError, match="expected"):
        read(form.format(number))


LIMITS = [value for value in vars(limits).values() if isinstance(value, limits.Limits)]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_number_is_held_by_its_limits_alone(limit: limits.Limits) -> None:
    kind = int if limit.integer else float
    for value in (kind(limit.minimum), kind(limit.maximum)):
        assert limit.check(value) == value
    absurd = [float("nan"), float("inf"), -float("inf"), 1e300, None, "1", True, [1]]
    for wrong in absurd + ([limit.minimum + 0.5] if limit.integer else []):
        with pytest.raises(InputError, match=rf"{limit.name}: expected .*, got "):
            limit.check(wrong)  # type: ignore[type-var]


NAN = float("nan")


def plan(**values: Any) -> Any:
    """A plan of 4 s."""
    portrait = prepare_portrait(torch.rand(3, 64, 64), Face((8, 8, 56, 56), 1.0), 64)
    signals = Signals(audio=AudioSignal(50.0, "speech", torch.zeros(200, 3, 32)))
    return plan_video(portrait, signals, SamplingConfig(), **values)


def sample_from(**values: Any) -> Any:
    """Latents of the tiny model."""
    gates = [1.0] * FRAMES
    return sample_latents(tiny_model(), conditioning(gates, gates), **values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RegionChoice(grow_px=10**9),
        lambda: plan(max_frames=10**9),
        *(lambda v=v: plan(fps=v) for v in (NAN, 0.0, 1e9)),
        *(lambda v=v: sample_from(seed=v) for v in (-1, 2**64)),
        lambda: sample_from(steps=10**9),
        lambda: sample_from(passes_at_once=5),
        *(lambda v=v: Guidance(audio=(1.0, v)) for v in (NAN, 1e300, -1.0)),
        *(lambda v=v: GuidanceInterval(guide_from=v) for v in (NAN, 1e300)),
        lambda: GuidanceInterval(guide_to=NAN),
        lambda: GuidanceInterval(reuse_every=10**9),
        *(lambda v=v: Windows(v) for v in (10**9, 2.5)),
        lambda: Windows(shift_per_step=10**9),
        lambda: regions.grow_mask(torch.zeros(1, 1, 8, 8), 20_000),
    ],
)
def test_absurd_numbers_are_refused_by_the_core(make: Callable) -> None:
    with pytest.raises(InputError, match="expected"):
        make()


def test_each_option_takes_the_core_s_limits(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["generate", "--portrait", "p.png", "--out", "o.mp4"]
    for option, limit in {
        "--frames": limits.FRAMES,
        "--fps": limits.FPS,
        "--grow-px": limits.GROW_PX,
        "--feather-px": limits.FEATHER_PX,
        "--steps": limits.STEPS,
        "--seed": limits.SEED,
        "--strength": limits.STRENGTH,
        "--guide-to": limits.SIGMA,
        "--passes": limits.PASSES,
    }.items():
        most = str(int(limit.maximum))
        options = build_parser().parse_args([*given, option, most])
        assert getattr(options, option[2:].replace("-", "_")) == limit.maximum
        with pytest.raises(SystemExit):
            build_parser().parse_args([*given, option, f"{most}1"])
        assert limit.expected in capsys.readouterr().err


def complaint(read: Callable, text: str) -> str:
    """What a reader says; nothing if it can read the text."""
    try:
        read(text)
    except InputError as error:
        return str(error)
    return ""


# Long texts ---------------------------------------------------------------------------------------


def keys(count: int) -> str:
    return ", ".join(f"{i * 0.04:.2f}:0.5" for i in range(count))


READERS = {
    "gate": curves.check_curve,
    "prompt": parse_prompt,
    "edit": parse_edit,
    "region": regions.parse_region,
}
LONG = [
    ("gate", keys(20_000)),
    ("gate", "invert " * 2_000 + "1"),
    ("gate", "invert " * (MAX_TEXT_LENGTH // 7 - 1) + "1"),
    ("gate", "0 " * (MAX_TEXT_LENGTH // 2)),
    ("gate", "*" * MAX_TEXT_LENGTH),
    ("gate", " " * MAX_TEXT_LENGTH),
    ("gate", "0:1," * (MAX_TEXT_LENGTH // 4)),
    ("gate", "1" * MAX_TEXT_LENGTH),
    ("gate", ", " * (MAX_TEXT_LENGTH // 2)),
    ("prompt", ";" * MAX_TEXT_LENGTH),
    ("prompt", "1s: a;" * (MAX_TEXT_LENGTH // 6)),
    ("prompt", "1s: a" + ", 1" * (MAX_TEXT_LENGTH // 4)),
    ("edit", "trim=" + "1:" * (MAX_TEXT_LENGTH // 2 - 3)),
    ("region", "lips+" * (MAX_TEXT_LENGTH // 5)),
    *((name, "x" * 1_000_000) for name in READERS),
]


@pytest.mark.parametrize(("name", "text"), LONG, ids=lambda text: f"{text[:9]}… {len(text)}")
def test_long_texts_are_read_or_refused_soon(name: str, text: str) -> None:
    start = time.process_time()
    assert len(complaint(READERS[name], text)) <= MAX_MESSAGE_LENGTH
    assert time.process_time() - start < SOON_SECONDS


def test_2000_inversions_are_none_and_one_more_is_one() -> None:
    assert curves.parse_curve("invert " * 2_000 + "0.25", 1, 25).item() == 0.25
    assert curves.parse_curve("invert " * 2_001 + "0.25", 1, 25).item() == 0.75


@pytest.mark.parametrize("value", [None, 5, 1.5, ["a"], {"a": 1}, b"text", True])
def test_what_is_no_text_is_refused(value: object) -> None:
    for read in READERS.values():
        with pytest.raises(InputError, match=r"expected a text, got .*\. Write"):
            read(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["\ud800", "\0"], ids=ascii)
def test_what_cannot_be_written_is_refused_where_it_stands(wrong: str) -> None:
    with pytest.raises(InputError, match=rf"'ab{re.escape(quote(wrong)[1:])}.* at character 3\."):
        check_text("Prompt", f"ab{wrong}")


@quick
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in READERS.values():
        assert complaint(read, text).isprintable()


def test_a_part_is_stripped_of_every_kind_of_space() -> None:
    spaces = " \t\n\u3000\u00a0\u2028\x1f"
    assert Span.from_text("Gate", f"{spaces}1{spaces}").text == "1"


def test_a_caption_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "joy.png").touch()
    (tmp_path / "joy.txt").write_text("a" * 1_000_000)
    cv2.imwrite(str(tmp_path / "joy.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r"joy\.txt 'aaa.* at most 250,000 characters"):
        list(read_references(tmp_path))


# Regions ------------------------------------------------------------------------------------------


def test_a_disc_widens_as_opencv_does_it() -> None:
    plane = np.random.default_rng(0).random((70, 50), np.float32) ** 40
    for pixels in (1, 2, 7, -3, 40, -69, 99):
        side = 2 * abs(pixels) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        wanted = (cv2.dilate if pixels > 0 else cv2.erode)(plane, disc)
        assert np.array_equal(
            regions.grow_mask(torch.from_numpy(plane)[None, None], pixels)[0, 0], wanted
        )


def test_the_widest_disc_takes_no_longer_than_a_blink() -> None:
    start = time.process_time()
    regions.grow_mask(torch.zeros(1, 1, 288, 288), 256)
    assert time.process_time() - start < 1.0  # 3 s when a disc was taken at once


# The command line ---------------------------------------------------------------------------------


def options(*more: str) -> object:
    return build_parser().parse_args(["generate", "--portrait", "p.png", "--out", "o.mp4", *more])


def test_a_long_region_is_a_region(tmp_path: Path) -> None:
    written = "+".join(["lips", "eyes"] * 40)
    assert len(written) > 300
    assert options("--audio-mask", written).audio_mask == written  # type: ignore[attr-defined]
    picture = tmp_path / "mask.png"
    picture.touch()
    assert options("--audio-mask", str(picture)).audio_mask == picture  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["a\0b.png", "x" * 300 + ".png", "/".join(["y" * 200] * 40) + ".a"]
)
@pytest.mark.parametrize(
    "option", ["--portrait", "--audio", "--out", "--model", "--audio-mask", "--bank", "--clip"]
)
def test_names_that_no_system_takes_are_refused(
    capsys: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    with pytest.raises(SystemExit):
        options(option, name)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert f"{option}: expected a path" in line
    assert line.isprintable()
    assert len(line) < 300


@pytest.mark.parametrize("text", ["x\n\u202ey", "z" * 10**5, "\udc80"])
def test_argparse_s_own_complaints_are_printable_too(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    for more in (["--masks", text], [text], ["--frames", text]):
        with pytest.raises(SystemExit):
            options(*more)
        said = capsys.readouterr().err.splitlines()[-1]
        assert "error: " in said
        assert said.isprintable()
        assert len(said) < MAX_MESSAGE_LENGTH + 99
        assert "z" * (MAX_QUOTE_LENGTH + 2) not in said


def test_json_takes_every_message() -> None:
    assert json.loads(json.dumps(str(InputError("\ud800\n"))))
