"""The model that comes with the pack: that it is there, and that it talks."""

import logging

import pytest

from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH, NOTICE, load_built_in, summarize
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.synthetic.identities import make_identity
from actalker_core.training.evaluate import Performance, Scene, Studio, correlation

MOST_BYTES = 20_000_000
SECONDS = 2.0


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return load_built_in()


def test_it_is_a_row_of_the_table_and_small() -> None:
    assert BUILT_IN_PATH.stat().st_size <= MOST_BYTES
    assert summarize(BUILT_IN_PATH).config == VARIANTS["built-in"]


def test_it_says_what_it_is_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        load_built_in()
    assert NOTICE in caplog.text


def test_lips_follow_the_sound_and_rest_when_the_gate_is_shut(model: ACTalker) -> None:
    fps, studio = model.config.sampling.fps, Studio(model)
    scene, brief = (Scene(40, round(seconds * fps), fps) for seconds in (SECONDS, SECONDS / 2))
    heard = studio.film(scene, speech=scene.speech()).read("open")
    acted = Performance(make_identity(77), brief.motion())
    shut = studio.film(brief, speech=brief.speech(), driving=acted, audio_gate="0").read("open")
    assert correlation(heard, scene.mouth()[:, 0]) >= 0.6
    assert shut.std() <= 0.3 * heard.std()
