"""The model that comes with the pack: the whole chain from its file, measured on the pixels."""

import logging
from pathlib import Path

import pytest

from actalker_core import checkpoint
from actalker_core.bundle import ACTalker
from actalker_core.checkpoint import BUILT_IN_PATH, built_in, load_built_in, summarize
from actalker_core.config import VARIANTS
from actalker_core.errors import CheckpointError
from actalker_core.training.evaluate import Performance, Scene, Studio, correlation
from actalker_core.training.people import draw_person

MOST_BYTES = 20_000_000
SECONDS = 2.0


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return load_built_in()


def test_its_file_is_small_and_a_row_of_the_table() -> None:
    summary = summarize(BUILT_IN_PATH)
    assert summary.size_bytes <= MOST_BYTES
    assert summary.config == VARIANTS["built-in"]


def test_it_talks_and_falls_silent_with_the_gate(model: ACTalker) -> None:
    fps = model.config.sampling.fps
    scene, studio = Scene(40, round(SECONDS * fps), fps), Studio(model)
    acted = Performance(draw_person(77), scene.motion())
    spoken, truth = scene.speech(), scene.mouth()[:, 0]
    heard, shut = (
        studio.film(scene, speech=spoken, driving=acted, audio_gate=gate).read("open")
        for gate in ("1", "0")
    )
    assert correlation(heard, truth) >= 0.6
    assert shut.std() <= 0.3 * heard.std()


def test_it_says_what_it_is_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        load_built_in()
    assert "knows only the faces that this pack draws" in caplog.text


def test_a_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_in, "BUILT_IN_PATH", tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="the built-in model is missing"):
        checkpoint.load_built_in()
