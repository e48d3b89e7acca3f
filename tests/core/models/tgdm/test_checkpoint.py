"""Files of the family: written, read, and refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from actalker_core.errors import CheckpointError
from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH as ACTALKER_PATH
from actalker_core.models.actalker.checkpoint import load as load_actalker
from actalker_core.models.tgdm.checkpoint import FORMAT, load_network, save_network
from actalker_core.models.tgdm.config import TGDMConfig
from actalker_core.models.tgdm.network import TGDM


@pytest.fixture
def path(network: TGDM, tmp_path: Path) -> Path:
    save_network(network, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def write_with(path: Path, metadata: dict[str, str]) -> None:
    save_file(load_file(path), path, metadata)


def test_what_was_written_is_read_in_half_precision(network: TGDM, path: Path) -> None:
    model = load_network(path)
    assert model.config == network.config
    for name, weight in network.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.half().float())
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_a_file_of_the_other_family_is_refused_by_its_name() -> None:
    with pytest.raises(CheckpointError, match=r"expected a file of TGDM .* got one of ACTalker"):
        load_network(ACTALKER_PATH)


def test_the_other_family_refuses_it_too(path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"expected a checkpoint.*{FORMAT}"):
        load_actalker(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": FORMAT, "variant": "huge"}, "expected a variant of tiny, .*'huge'"),
        ({"format": FORMAT}, "expected a variant"),
        ({"format": FORMAT, "variant": "built-in"}, "not of this model|of another shape|missing"),
        ({"format": "pt"}, "expected a file of TGDM .*'pt'"),
        ({}, "expected a file of TGDM"),
    ],
)
def test_what_a_file_says_of_itself_has_to_be_true(
    path: Path, metadata: dict[str, str], message: str
) -> None:
    write_with(path, metadata)
    with pytest.raises(CheckpointError, match=message):
        load_network(path)


def test_numbers_that_are_none_are_refused(network: TGDM, path: Path) -> None:
    tensors = load_file(path)
    tensors["conv_in.bias"][0] = torch.nan
    save_file(tensors, path, {"format": FORMAT, "variant": "tiny"})
    with pytest.raises(CheckpointError, match=r"conv_in.bias.*NaN"):
        load_network(path)


def test_a_missing_and_a_damaged_file_are_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none.safetensors: no such file"):
        load_network(tmp_path / "none.safetensors")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match=r"tiny.safetensors"):
        load_network(path)


def test_sizes_without_a_name_are_not_written(tmp_path: Path) -> None:
    network = TGDM(TGDMConfig(16, 2, (4, 8), 1, (1,), 2, 16))
    with pytest.raises(CheckpointError, match="expected a network of tiny"):
        save_network(network, tmp_path / "odd.safetensors")
    assert not list(tmp_path.iterdir())
