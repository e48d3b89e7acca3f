"""What reads words and faces: a small CLIP, and the encoder of expressions."""

from pathlib import Path

import pytest
from helpers.banks import write_clip
from helpers.formula import fill_weights
from helpers.tiny import TINY

from actalker_core.control.words.bank import EncodeFaces
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.models.actalker.encoders.motion import HeadExpression, encode_expression


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "tiny")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> CLIPEncoder:
    return CLIPEncoder(clip_folder)


@pytest.fixture(scope="session")
def encode_faces() -> EncodeFaces:
    encoder = fill_weights(HeadExpression(TINY.expression_encoder), 1)
    return lambda images, boxes: encode_expression(encoder, images, boxes, rate_hz=1.0).features
