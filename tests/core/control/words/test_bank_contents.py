"""Banks whose contents no one could have saved are refused in one line."""

import json
from pathlib import Path

import pytest
import torch
from helpers.refusals import refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.control.words.bank import MAX_ENTRIES, Bank, load_bank, save_bank
from actalker_core.errors import InputError, MediaError
from actalker_core.limits import MAX_TEXT_LENGTH

CASES = Path(__file__).parents[3] / "data" / "cases"
TEXTS = {"names": '["a", "b"]', "captions": "[]", "clip": ""}


def write_bank(path: Path, tensors: dict[str, Tensor] | None = None, **texts: str) -> Path:
    """A bank of two entries with something changed."""
    metadata = {"format": "actalker-bank", "version": "1", **TEXTS, **texts}
    save_file({"features": torch.ones(2, 7)} | (tensors or {}), path, metadata)
    return path


@pytest.mark.parametrize(
    ("case", "word"), [("bank_int32", "int32"), ("bank_names_deep", "nested too deep")]
)
def test_a_bank_of_another_kind_of_contents(case: str, word: str) -> None:
    assert word in refusal(load_bank, CASES / f"{case}.safetensors")


@pytest.mark.parametrize("key", ["names", "captions"])
@pytest.mark.parametrize(
    "value",
    [
        "[" * 200_000,
        "[" * 500 + "]" * 500,
        '{"a": 1, "b": 2}',
        '{"a": 1, "a": 2}',
        '"ab"',
        "null",
        "1e999",
        "NaN",
        "[1, 2]",
        '["a", null]',
        '["a", ["b"]]',
        '["a"]',
        json.dumps(["x" * (MAX_TEXT_LENGTH + 1), "b"]),
        '["a", "\\ud800"]',
        json.dumps(["a"] * (MAX_ENTRIES + 1)),
    ],
    ids=range(15),
)
def test_texts_are_a_list_of_texts(tmp_path: Path, key: str, value: str) -> None:
    refusal(load_bank, write_bank(tmp_path / "bank.safetensors", **{key: value}))


OTHER_TYPES = (torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64)
ODD = {
    **{str(kind): {"features": torch.ones(2, 7).to(kind)} for kind in OTHER_TYPES},
    "fp8": {"features": torch.ones(2, 7).to(torch.float8_e4m3fn)},
    "flat": {"features": torch.ones(2)},
    "a number": {"features": torch.tensor(1.0)},
    "deep": {"features": torch.ones(2, 7, 1)},
    "no width": {"features": torch.ones(2, 0)},
    "no entries": {"features": torch.ones(0, 7)},
    "three entries": {"features": torch.ones(3, 7)},
    "NaN": {"features": torch.tensor([[1.0], [torch.nan]])},
    "infinite": {"features": torch.tensor([[1.0], [-torch.inf]])},
    "infinite in float32": {"features": torch.tensor([[1.0], [1e300]], dtype=torch.float64)},
    "integer embeddings": {"images": torch.ones(2, 9, dtype=torch.int8)},
    "embeddings of one": {"images": torch.ones(1, 9)},
    "flat embeddings": {"images": torch.ones(2)},
    "few blendshapes": {"blendshapes": torch.ones(2, 51)},
    "blendshapes above 1": {"blendshapes": torch.full((2, 52), 1.5)},
    "blendshapes below 0": {"blendshapes": torch.full((2, 52), -0.1)},
    "blendshapes that are not numbers": {"blendshapes": torch.full((2, 52), torch.nan)},
    "another part": {"smell\n" * 500: torch.ones(2, 7)},
    "many other parts": {f"part {i}": torch.ones(1) for i in range(2000)},
}


@pytest.mark.parametrize("odd", ODD)
def test_parts_are_float_numbers_of_two_dimensions(tmp_path: Path, odd: str) -> None:
    refusal(load_bank, write_bank(tmp_path / "bank.safetensors", ODD[odd]))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_floats_become_float32(tmp_path: Path, kind: torch.dtype) -> None:
    features = torch.tensor([[0.1, 2.0], [-3.0, 0.7]]).to(kind)
    bank = load_bank(write_bank(tmp_path / "bank.safetensors", {"features": features}))
    assert bank.features.dtype == torch.float32
    assert torch.equal(bank.features, features.float())


def test_float32_comes_back_bit_for_bit(tmp_path: Path) -> None:
    features = torch.tensor([[0.1, -0.0, 1e-45], [3.4e38, 1.17e-38, 2.0]])
    save_bank(tmp_path / "bank.safetensors", Bank(("a", "b"), features))
    result = load_bank(tmp_path / "bank.safetensors").features
    assert torch.equal(result.view(torch.int32), features.view(torch.int32))


def test_texts_that_are_not_needed_do_not_matter(tmp_path: Path) -> None:
    assert len(load_bank(write_bank(tmp_path / "bank.safetensors", note="x" * 10_000))) == 2


@pytest.mark.parametrize("name", ["x" * (MAX_TEXT_LENGTH + 1), "\udce4.png", 3])
def test_a_bank_is_not_built_of_such_names_either(name: str) -> None:
    with pytest.raises(InputError, match="Bank, text") as error:
        Bank((name,), torch.ones(1, 7))
    assert str(error.value).isprintable()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to be overwritten by every example."""
    return tmp_path_factory.mktemp("scratch") / "scratch.safetensors"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, database=None)
@given(names=JSON, captions=JSON, shape=st.lists(st.integers(0, 3), max_size=3))
def test_any_contents_are_a_bank_or_named(
    scratch: Path, names: object, captions: object, shape: list[int]
) -> None:
    texts = {"names": json.dumps(names), "captions": json.dumps(captions)}
    write_bank(scratch, {"features": torch.ones(shape)}, **texts)
    try:
        bank = load_bank(scratch)
    except MediaError:
        return
    assert list(bank.names) == names
    assert all(isinstance(text, str) for text in bank.names + bank.captions)
    assert bank.neutral_index in range(len(bank))
