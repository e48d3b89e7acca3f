"""What reads words and faces: a small CLIP, and the encoder of expressions."""

from pathlib import Path

import pytest
from helpers.banks import write_clip
from helpers.formula import filled
from helpers.tiny import TINY

from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.models.actalker.encoders.motion import HeadExpression


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "tiny")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> CLIPEncoder:
    return CLIPEncoder(clip_folder)


@pytest.fixture(scope="session")
def network() -> HeadExpression:
    return filled(HeadExpression(TINY.expression_encoder), 1)
