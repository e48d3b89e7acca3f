"""The model that comes with the pack: that it is there, and that it talks."""

import logging

import pytest

from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH, NOTICE, load_built_in, summarize
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.synthetic.identities import make_identity
from actalker_core.training.evaluation import DrivingVideo, EvaluationCase, Evaluator, correlation

MOST_BYTES = 20_000_000
SECONDS = 1.2


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
    fps, evaluator = model.config.sampling.fps, Evaluator(model)
    case, brief = (
        EvaluationCase(40, round(seconds * fps), fps) for seconds in (SECONDS, SECONDS / 2)
    )
    open_track = evaluator.generate_video(case, speech=case.speech()).measure("open")
    driving = DrivingVideo(make_identity(77), brief.motion())
    shut_track = evaluator.generate_video(
        brief, speech=brief.speech(), driving=driving, audio_gate="0"
    ).measure("open")
    assert correlation(open_track, case.mouth()[:, 0]) >= 0.6
    assert shut_track.std() <= 0.3 * open_track.std()
