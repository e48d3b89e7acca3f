"""What reads words and faces: a small CLIP, and the encoder of expressions."""

from pathlib import Path

import pytest
from formula import filled
from made_banks import write_clip

from actalker_core.config import VARIANTS
from actalker_core.encoders.motion import HeadExpression
from actalker_core.expressions.clip import Clip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "tiny")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return Clip(clip_folder)


@pytest.fixture(scope="session")
def network() -> HeadExpression:
    return filled(HeadExpression(VARIANTS["tiny"].expression_encoder), 1)
