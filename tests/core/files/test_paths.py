"""Paths that lead to nothing that can be read: one clear line from every reader."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.tiny import TINY

from actalker_core.control.signals import (
    AudioSignal,
    ExpressionSignal,
    Signals,
    load_signals,
    max_samples,
    save_signals,
)
from actalker_core.control.words.bank import Bank, load_bank, read_references, save_bank
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.control.words.matchers import WordMatcher
from actalker_core.control.words.prompt import express_words, parse_prompt
from actalker_core.errors import ACTalkerError, InputError, MediaError
from actalker_core.faces import open_finder
from actalker_core.files.weight_files import read_weights
from actalker_core.media import VideoFrames, load_audio, load_image, save_image, write_video
from actalker_core.models.actalker.checkpoint import convert, summarize

EXPRESSION = ExpressionSignal(25.0, "test", torch.rand(3, 4))
READERS: dict[str, Callable[[Path], object]] = {
    "image": load_image,
    "audio": load_audio,
    "video": lambda path: list(VideoFrames(path, 25)),
    "checkpoint": summarize,
    "weights": read_weights,
    "release": lambda p: convert(p, p / "out", torch.float32, config=TINY),
    "signals": load_signals,
    "bank": load_bank,
    "pictures": read_references,
    "clip": CLIPEncoder,
    "landmarker": open_finder,
}
WRITERS: dict[str, Callable[[Path], object]] = {
    "signals": lambda path: save_signals(path, Signals(expression=EXPRESSION)),
    "bank": lambda path: save_bank(path, Bank(("a",), torch.rand(1, 3))),
    "image": lambda path: save_image(path.with_suffix(".png"), torch.rand(3, 8, 8)),
    "video": lambda path: write_video(path.with_suffix(".mp4"), [torch.rand(2, 3, 16, 16)], 25),
}
NAMES = {"NUL": "a\0b", "name": "x" * 300, "path": "/".join(["y" * 200] * 40), "text": "a\nb/c"}


def complaint(act: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ACTalkerError) as error:
        act(path)
    return str(error.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", READERS)
def test_a_name_that_no_system_takes_is_no_file(tmp_path: Path, kind: str, name: str) -> None:
    assert complaint(READERS[kind], tmp_path / NAMES[name]).isprintable()


@pytest.mark.parametrize("name", ["NUL", "name", "path"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_name_that_no_system_takes_is_not_written(tmp_path: Path, kind: str, name: str) -> None:
    assert complaint(WRITERS[kind], tmp_path / NAMES[name]).isprintable()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a file of Linux")
@pytest.mark.parametrize("kind", READERS)
def test_a_disk_that_fails_is_named(kind: str) -> None:
    """This file is there, is regular, and cannot be read from its beginning."""
    assert "/proc/self/mem" in complaint(READERS[kind], Path("/proc/self/mem"))


@pytest.mark.parametrize("edit", ["loop", "ping_pong", "hold"])
def test_a_signal_that_no_file_could_hold_is_refused(edit: str) -> None:
    """Ten million values of one number are allowed, and of two thousand they are 80 GB."""
    speech = AudioSignal(50.0, "test", torch.rand(3, 5, 400))
    with pytest.raises(InputError, match=r"Duration: expected 0\.02 s .* got 100000 s"):
        getattr(speech, edit)(100_000.0)
    with pytest.raises(InputError, match="Resample: expected"):
        speech.resample(90e6)
    assert max_samples(1) > max_samples(2000) > 50 * 3600


def test_words_for_longer_than_a_file_could_hold_are_refused() -> None:
    bank = Bank(("joyful",), torch.zeros(1, 100_000))
    with pytest.raises(InputError, match="Text: expected"):
        express_words(parse_prompt("joyful"), bank, WordMatcher(bank), seconds=30_000, rate_hz=25)


@pytest.mark.parametrize(("suffix", "width"), [(".webp", 16_400), (".jpg", 65_600)])
def test_a_picture_too_wide_for_its_format_is_not_written(
    tmp_path: Path, suffix: str, width: int
) -> None:
    with pytest.raises(MediaError, match=f"expected a size that {suffix} can hold, got {width}x2"):
        save_image(tmp_path / f"wide{suffix}", torch.zeros(3, 2, width))
    assert not list(tmp_path.iterdir())
