"""Arguments that the command line takes and refuses."""

import argparse
from pathlib import Path

import pytest

from actalker_core import limits
from actalker_core.cli.parser import build_parser
from actalker_core.errors import MAX_MESSAGE_LENGTH, MAX_QUOTE_LENGTH


def parse(*arguments: str) -> argparse.Namespace:
    return build_parser().parse_args(
        ["generate", "--portrait", "p.png", "--out", "o.mp4", *arguments]
    )


def test_a_long_region_is_a_region(tmp_path: Path) -> None:
    region = "+".join(["lips", "eyes"] * 40)
    assert len(region) > 300
    assert parse("--audio-mask", region).audio_mask == region
    image = tmp_path / "mask.png"
    image.touch()
    assert parse("--audio-mask", str(image)).audio_mask == image


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
        parse(option, name)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert f"{option}: expected a path" in line
    assert line.isprintable()
    assert len(line) < 300


@pytest.mark.parametrize("text", ["x\n\u202ey", "z" * 10**5, "\udc80"])
def test_argparse_s_own_complaints_are_printable_too(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    for arguments in (["--masks", text], [text], ["--frames", text]):
        with pytest.raises(SystemExit):
            parse(*arguments)
        line = capsys.readouterr().err.splitlines()[-1]
        assert "error: " in line
        assert line.isprintable()
        assert len(line) < MAX_MESSAGE_LENGTH + 99
        assert "z" * (MAX_QUOTE_LENGTH + 2) not in line


def test_the_first_moment_of_a_clip_may_be_the_neutral_one() -> None:
    assert parse("--neutral", "0").neutral == 0


def test_each_option_takes_the_core_s_limits(capsys: pytest.CaptureFixture[str]) -> None:
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
        maximum = str(int(limit.maximum))
        assert getattr(parse(option, maximum), option[2:].replace("-", "_")) == limit.maximum
        with pytest.raises(SystemExit):
            parse(option, f"{maximum}1")
        assert limit.expected in capsys.readouterr().err
