"""Weight files with tensors that are none, or numbers that cannot be computed with."""

import collections
import io
import pickle
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.tiny import TINY
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from actalker_core.errors import CheckpointError
from actalker_core.files import weight_files
from actalker_core.files.tensor_checks import describe_misfit
from actalker_core.files.weight_files import read_weights
from actalker_core.models.actalker.checkpoint import convert, load, save
from actalker_core.models.actalker.networks import FLOAT32_LEAVES

CASES = Path(__file__).parents[4] / "data" / "cases"
QUICK_SECONDS = 5
FP8 = torch.float8_e4m3fn
Weights = dict[str, Tensor]


def expect_refusal(call: Callable[[], object], *words: str) -> str:
    """The one line that something is refused with."""
    start = time.process_time()
    with pytest.raises(CheckpointError) as error:
        call()
    assert time.process_time() - start < QUICK_SECONDS
    message = str(error.value)
    assert [word for word in words if word not in message] == [], message
    assert message.isprintable(), "one line of printable characters"
    assert len(message) < 1000
    return message


# Tensors that are none ---------------------------------------------------------------------------


def test_sparse_weights_are_refused(release_folder: Path, tmp_path: Path) -> None:
    path = release_folder / "vasa_linear-1.pth"
    path.unlink()
    shutil.copy(CASES / "vasa_linear-sparse.pth", path)
    out = tmp_path / "out.safetensors"
    expect_refusal(
        lambda: convert(release_folder, out, config=TINY), path.name, "proj1.weight", "sparse_coo"
    )
    assert not out.exists()


def quantise() -> Tensor:
    return torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8)


SPECIAL: dict[str, Callable[[], Tensor]] = {
    "sparse_coo": lambda: torch.eye(3).to_sparse(),
    "sparse_csr": lambda: torch.eye(3).to_sparse_csr(),
    "sparse_bsr": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "meta": lambda: torch.empty(3, 3, device="meta"),
    "quantised": quantise,
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "repeated": lambda: torch.ones(1).expand(2**40),
    "repeated rows": lambda: torch.ones(1, 3).expand(2**20, 3),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("is_zip", [True, False])
def test_special_tensors_are_refused(tmp_path: Path, kind: str, *, is_zip: bool) -> None:
    path = tmp_path / "x.pth"
    values = {"weight": torch.ones(2), "odd": SPECIAL[kind]()}
    torch.save(values, path, _use_new_zipfile_serialization=is_zip)
    expect_refusal(lambda: read_weights(path), "x.pth")


@pytest.mark.parametrize("opcode", [b"K\x01", b"]", b"("])
def test_endless_opcodes_in_the_old_format_are_not_read_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opcode: bytes
) -> None:
    # A share of the limit, as Python's collector makes lists dear where much else is in memory.
    monkeypatch.setattr(weight_files, "MAX_PICKLE_BYTES", weight_files.MAX_PICKLE_BYTES // 8)
    path = tmp_path / "endless.pth"
    with path.open("wb") as file:
        for part in (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {}):
            pickle.dump(part, file, protocol=2)
        file.write(b"\x80\x02" + opcode * 2**24)
    expect_refusal(lambda: read_weights(path), path.name, "bytes of names and sizes")


def test_the_old_format_may_hold_many_numbers(tmp_path: Path) -> None:
    values = {str(i): torch.rand(500, 500) for i in range(5)}
    torch.save(values, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    assert (tmp_path / "x.pth").stat().st_size > 2**22
    tensors = read_weights(tmp_path / "x.pth")
    assert all(torch.equal(tensors[key], values[key]) for key in values)


def test_ordinary_tensors_of_any_layout_are_read(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    values = {
        "parameter": nn.Parameter(base.clone()),
        "turned": base.T,
        "cut": base[1:, ::2],
        "none": torch.ones(0, 3),
        "a number": torch.tensor(3),
        3: base,
        ("a", "b"): base,
    }
    torch.save(values, tmp_path / "x.pth")
    tensors = read_weights(tmp_path / "x.pth")
    assert tensors.keys() == {key for key in values if isinstance(key, str)}
    assert all(torch.equal(tensors[key], values[key]) for key in tensors)
    assert not any(tensor.requires_grad for tensor in tensors.values())


def deep() -> Any:
    inner: Any = {}
    for _ in range(300):
        inner = {"state_dict": inner}
    return inner


@pytest.mark.parametrize(
    "values",
    [deep(), [torch.ones(1)], torch.ones(1), 3, None, {1: torch.ones(1)}, {"\x1b" * 9999: 1}],
    ids=range(7),
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, values: Any) -> None:
    torch.save(values, tmp_path / "x.pth")
    expect_refusal(lambda: read_weights(tmp_path / "x.pth"), "x.pth", "expected")


# Archives that torch does not write for a state dict ---------------------------------------------


def write_packed(path: Path) -> None:
    """A state dict whose entries are deflated."""
    content = io.BytesIO()
    torch.save({"weight": torch.zeros(1000)}, content)
    with (
        zipfile.ZipFile(content) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))


def bomb(path: Path) -> None:
    """64 MB of names that take 64 kB of the disk."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00" + b"N0" * 2**25 + b".")


def endless(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00" + b"N0" * 2**24 + b".")


@pytest.mark.filterwarnings("ignore")
def program(path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)


def old_archive(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())


ARCHIVES = {
    "packed": (write_packed, "packed"),
    "bomb": (bomb, "packed"),
    "endless": (endless, "names and sizes"),
    "program": (program, "TorchScript"),
    "tar": (old_archive, ".tar"),
    "other zip": (lambda path: zipfile.ZipFile(path, "w").close(), "cannot be read"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ARCHIVES)
def test_other_archives_are_refused(tmp_path: Path, kind: str) -> None:
    write, word = ARCHIVES[kind]
    path = tmp_path / "x.pth"
    write(path)
    expect_refusal(lambda: read_weights(path), "x.pth", word)


# Numbers -----------------------------------------------------------------------------------------


def of(*values: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=dtype)


@pytest.mark.parametrize(
    ("tensor", "dtype", "word"),
    [
        (of(1, torch.nan), torch.float32, "NaN"),
        (of(1, torch.inf), torch.float32, "infinite"),
        (of(-torch.inf, torch.inf), torch.float32, "infinite"),
        (of(torch.nan, dtype=torch.float16), torch.float16, "NaN"),
        (of(torch.nan, dtype=torch.bfloat16), torch.float32, "NaN"),
        (of(torch.nan).to(FP8), torch.float16, "NaN"),
        (of(65_505), torch.float16, "float16"),
        (of(-1e5), torch.float16, "float16"),
        (of(1e300, dtype=torch.float64), torch.float32, "float32"),
        (of(449), FP8, "float8"),
        (of(1).int(), torch.float32, "int32"),
        (of(1).bool(), torch.float32, "bool"),
        (of(1).to(torch.complex64), torch.float32, "complex64"),
        (of(1).to(torch.complex64), torch.int64, "complex64"),
    ],
)
def test_numbers_that_do_not_fit(tensor: Tensor, dtype: torch.dtype, word: str) -> None:
    assert word in (describe_misfit(tensor, dtype) or "")


@pytest.mark.parametrize(
    ("tensor", "dtype"),
    [
        (of(65_504, -65_504), torch.float16),
        (of(1e30), torch.bfloat16),
        (of(448), FP8),
        (of(2).to(FP8), torch.float16),
        (of(), torch.float16),
        (of(3).long(), torch.int64),
        (of(3), torch.int64),
        (of(3e38, -3e38), torch.float32),
    ],
)
def test_numbers_that_fit(tensor: Tensor, dtype: torch.dtype) -> None:
    assert describe_misfit(tensor, dtype) is None


def with_number(weights: Weights, value: float) -> tuple[Weights, str]:
    """One number of the UNet exchanged."""
    name = next(n for n in weights if n.startswith("unet.") and n.endswith("to_q.weight"))
    new_tensors = weights[name].clone()
    new_tensors[0, 0] = value
    return weights | {name: new_tensors}, name


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, FP8], ids=str)
def test_one_number_that_is_none_is_found_when_loading(
    weights: Weights, tmp_path: Path, value: float, dtype: torch.dtype
) -> None:
    new_tensors, name = with_number(weights, value)
    path = tmp_path / "tiny.safetensors"
    save(new_tensors, TINY, path, torch.float32)
    expect_refusal(lambda: load(path, dtype=dtype), path.name, name, "NaN or infinite")


def test_numbers_too_large_for_a_type_load_in_another(weights: Weights, tmp_path: Path) -> None:
    new_tensors, name = with_number(weights, 1e5)
    path = tmp_path / "tiny.safetensors"
    save(new_tensors, TINY, path, torch.float32)
    expect_refusal(lambda: load(path, dtype=torch.float16), path.name, name, "float16", "bf16")
    assert torch.equal(
        load(path, dtype=torch.bfloat16).state_dict()[name], new_tensors[name].bfloat16()
    )
    assert torch.equal(load(path).state_dict()[name], new_tensors[name])


@pytest.mark.parametrize("value", [torch.nan, 1e5])
def test_a_release_with_such_numbers_is_not_converted(
    release_folder: Path, tmp_path: Path, value: float
) -> None:
    path = release_folder / "vasa_linear-1.pth"
    new_tensors = torch.load(path)
    new_tensors["norm.weight"][0] = value
    new_tensors["norm.bias"][0] = value
    path.unlink()
    torch.save(new_tensors, path)
    out = tmp_path / "out.safetensors"
    expect_refusal(
        lambda: convert(release_folder, out, config=TINY), path.name, "norm.weight", "norm.bias"
    )
    assert not out.exists()


def test_scan_parameters_may_be_too_large_for_half_precision(
    weights: Weights, release_folder: Path, tmp_path: Path
) -> None:
    """They stay float32 everywhere."""
    path, out = release_folder / "unet-1.pth", tmp_path / "out.safetensors"
    new_tensors = torch.load(path)
    name = next(name for name in new_tensors if name.endswith(FLOAT32_LEAVES))
    new_tensors[name].flatten()[0] = 1e5
    path.unlink()
    torch.save(new_tensors, path)
    convert(release_folder, out, torch.float16, config=TINY)
    assert load_file(out)[f"unet.{name}"].max() == 1e5


@pytest.mark.parametrize("kind", [torch.int8, torch.bool, torch.complex64], ids=str)
def test_weights_of_another_type_are_refused(
    weights: Weights, checkpoint: Path, tmp_path: Path, kind: torch.dtype
) -> None:
    name = next(iter(weights))
    values, path = load_file(checkpoint), tmp_path / "tiny.safetensors"
    values[name] = values[name].to(kind)
    with safe_open(checkpoint, "pt") as file:
        save_file(values, path, file.metadata())
    expect_refusal(lambda: load(path), path.name, name, str(kind).removeprefix("torch."))


def test_whole_numbers_of_norms_may_be_of_any_type(weights: Weights, tmp_path: Path) -> None:
    """What other programs write in half precision, they write in it throughout."""
    names = [name for name in weights if name.endswith("num_batches_tracked")]
    kinds = collections.Counter(weights[name].dtype for name in names)
    assert kinds == {torch.int64: len(names)}
    halves = weights | {name: weights[name].half() for name in names}
    save(halves, TINY, tmp_path / "tiny.safetensors", torch.float32)
    tensors = load(tmp_path / "tiny.safetensors").state_dict()
    assert all(torch.equal(tensors[name], weights[name]) for name in names)
