"""Sizes as data."""

import json

import pytest

from actalker_core.errors import InputError
from actalker_core.models.actalker.config import (
    VARIANTS,
    ModelConfig,
    UNetConfig,
    from_dict,
    to_dict,
)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_survive_json(name: str) -> None:
    config = VARIANTS[name]
    assert from_dict(ModelConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("name", VARIANTS)
def test_sizes_fit_each_other(name: str) -> None:
    c = VARIANTS[name]
    width = c.unet.cross_attention_dim
    assert c.audio_projection.output_dim == c.identity_projection.output_dim == width
    assert c.expression_projection.output_dim == width - 6
    assert c.audio_projection.blocks == c.audio_encoder.encoder_layers + 1
    assert c.audio_projection.channels == c.audio_encoder.d_model
    assert c.identity_projection.input_dim == c.identity_encoder.output_dim
    assert c.expression_projection.input_dim == c.expression_encoder.output_dim
    assert c.pose_guider.conditioning_embedding_channels == c.unet.block_out_channels[0]
    assert c.unet.projection_class_embeddings_input_dim == 3 * c.unet.addition_time_embed_dim


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="UNetConfig: does not know 'depth'"):
        from_dict(UNetConfig, {"depth": 3})
