"""Configurations that no model has are refused from the header, before anything is built."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.refusals import refusal
from helpers.tiny import TINY
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from actalker_core.errors import CheckpointError, InputError
from actalker_core.models.actalker.checkpoint import load, single_file, summarize
from actalker_core.models.actalker.config import VARIANTS, ModelConfig, from_dict, to_dict
from actalker_core.models.actalker.sizes import check_sizes

CASES = Path(__file__).parents[3] / "data" / "cases"
QUICK_SECONDS = 5
Reader = Callable[[Path], object]
READERS = pytest.mark.parametrize("read", [load, summarize])


def write_config(path: Path, config: str) -> Path:
    save_file({"a": torch.ones(1)}, path, {"format": single_file.FORMAT, "config": config})
    return path


@READERS
@pytest.mark.parametrize("case", ["cfg_no_channels", "cfg_hang_layers"])
def test_a_checkpoint_that_claims_nonsense(read: Reader, case: str, tmp_path: Path) -> None:
    shutil.copy(CASES / f"{case}.safetensors", tmp_path / "x.safetensors")
    assert "expected 1 to" in refusal(read, tmp_path / "x.safetensors", CheckpointError)


@READERS
@pytest.mark.parametrize(
    "config",
    [
        "[" * 200_000,
        '{"unet":' * 100_000,
        '{"unet": {}, "unet": {}}',
        '{"sampling": {"fps": NaN}}',
        '{"sampling": {"sigma_max": Infinity}}',
        '{"sampling": {"sigma_max": 1e999}}',
        '{"unet": {"state": ' + "9" * 5000 + "}}",
        '{"unet": {"num_frames": true}}',
        json.dumps({"unet": {"x" * 100_000: 1}}),
        json.dumps({"\x1b[31m\n": 1}),
        json.dumps({"unet": [[[]]] * 10_000}),
    ],
    ids=range(11),
)
def test_json_that_nobody_would_write(read: Reader, config: str, tmp_path: Path) -> None:
    refusal(read, write_config(tmp_path / "x.safetensors", config), CheckpointError)


def numbers_in(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(section, name) for section, sizes in values.items() for name in sizes]


SIZES = to_dict(TINY)
STRANGE = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.none(),
    st.booleans(),
    st.lists(st.integers(-5, 10**12), max_size=8),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def building() -> None:
    """What the first building of a model imports takes seconds of its own."""
    single_file._build_empty(TINY, torch.nn, Path("x"))


@pytest.mark.usefixtures("building")
@settings(max_examples=80, deadline=None, database=None)
@given(place=st.sampled_from(numbers_in(SIZES)), value=STRANGE)
def test_any_number_is_refused_or_makes_a_model_in_no_time(
    place: tuple[str, str], value: object
) -> None:
    section, name = place
    values = {**SIZES, section: {**SIZES[section], name: value}}
    try:
        config = from_dict(ModelConfig, json.loads(json.dumps(values)))
        check_sizes(config)
    except InputError:
        return
    start = time.process_time()
    single_file._build_empty(config, torch.nn, Path("x"))  # fits, hence it can be built
    assert time.process_time() - start < QUICK_SECONDS


def change_sizes(section: str, **sizes: object) -> ModelConfig:
    return from_dict(ModelConfig, {**SIZES, section: {**SIZES[section], **sizes}})


@pytest.mark.parametrize(
    ("section", "sizes"),
    [
        ("unet", {"num_attention_heads": [3, 2, 2, 2]}),
        ("unet", {"num_attention_heads": [1, 2, 2]}),
        ("unet", {"norm_num_groups": 5}),
        ("unet", {"cross_attention_dim": 64}),
        ("unet", {"addition_time_embed_dim": 33, "projection_class_embeddings_input_dim": 99}),
        ("unet", {"projection_class_embeddings_input_dim": 32}),
        ("unet", {"signal_scales": [1.0]}),
        ("unet", {"layers_per_block": 8, "transformer_layers_per_block": 8}),
        ("unet", {"in_channels": 9}),
        ("audio_projection", {"blocks": 4}),
        ("audio_encoder", {"encoder_attention_heads": 5}),
        ("audio_encoder", {"max_source_positions": 10}),
        ("identity_encoder", {"layers": [1, 1, 1]}),
        ("expression_encoder", {"layers": [1, 1, 1, 1, 1]}),
        ("head_pose_encoder", {"output_dim": 7}),
        ("pose_guider", {"block_out_channels": [8, 16]}),
        ("vae", {"block_out_channels": [32, 32]}),
        ("vae", {"block_out_channels": [16, 32, 32, 32]}),
        ("sampling", {"sigma_min": 10.0, "sigma_max": 1.0}),
    ],
    ids=str,
)
def test_networks_that_do_not_fit_each_other(section: str, sizes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"expected .*, got "):
        check_sizes(change_sizes(section, **sizes))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_fits_and_is_far_from_the_bounds(name: str) -> None:
    config = VARIANTS[name]
    check_sizes(config)
    assert from_dict(ModelConfig, to_dict(config)) == config


@READERS
@pytest.mark.parametrize("names", [["a"], [f"unet.{i}" for i in range(2000)], ["\n" * 500]])
def test_tensors_of_other_networks(read: Reader, names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    texts = {"format": single_file.FORMAT, "config": json.dumps(SIZES)}
    save_file({name: torch.ones(1) for name in names}, path, texts)
    assert "expected" in refusal(read, path, CheckpointError)
