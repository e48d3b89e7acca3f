"""Weight files, read so that nothing in them can run, and errors that say what to do."""

import io
import os
import pickle
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import CheckpointError, quote
from .headers import open_tensors
from .tensor_checks import abbreviate, describe_unreadable, refuse_tensors

MAX_PICKLE_BYTES = 3 * 2**19
"""Of names and sizes, without the numbers: thrice that of the release. It is read in Python."""
DOWNLOAD_AGAIN = "Download it again and compare its size with the source."

_CODE = re.compile(r"unsupported (global|class|function)|\bGLOBAL\b", re.IGNORECASE)
"""How torch says that a pickle asks for something to be called."""


def read_weights(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Name -> tensor (…) of a .safetensors or a pickle, of names with a prefix, without it.

    Tensors stay on disk until they are used, where the format allows.

    Raises:
        CheckpointError: the file is missing, truncated, of another kind or holds code.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path, prefix)
    return select_tensors(read_pickle(path), path, prefix)


def select_tensors(values: Any, path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Name -> tensor (…) of a mapping, of names with a prefix, without it.

    Raises:
        CheckpointError: no mapping, no tensors, or some of a special kind.
    """
    if not isinstance(values, Mapping):
        raise CheckpointError(
            f"{path}: expected a state dict (names and tensors), got {type(values).__name__}. "
            "Check that it is the file that this place needs."
        )
    tensors = {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if isinstance(name, str) and name.startswith(prefix) and isinstance(value, Tensor)
    }
    if not tensors:
        place = f" below '{prefix}'" if prefix else ""
        raise CheckpointError(
            f"{path}: expected tensors{place}, got {list_names(values)}. "
            "Check that it is the file that this place needs."
        )
    refuse_tensors(
        {name: what for name, value in tensors.items() if (what := describe_unreadable(value))},
        path,
    )
    return {name: value.detach() for name, value in tensors.items()}


def list_names(values: Mapping[Any, Any]) -> str:
    """The first few names of a mapping."""
    return abbreviate([name for name in values if isinstance(name, str)]) or "no names"


def read_pickle(path: Path) -> Any:
    """A .pth, .ckpt or .bin, with `weights_only=True`."""
    _require(path)
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            _check_zip(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        with io.BufferedReader(_BoundedFile(path)) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:  # of the disk
        raise _damage_error(path, error) from error
    except Exception as error:  # a damaged pickle may raise anything
        if tarfile.is_tarfile(path):
            raise _format_error(path, "one in the old .tar format") from error
        if isinstance(error, pickle.UnpicklingError) and _asks_for_code(error, path):
            raise CheckpointError(
                f"{path}: refused, because it holds Python objects besides tensors, which could "
                "run code. Expected a plain state dict. Get the file from its original source."
            ) from error
        raise _damage_error(path, error) from error


class _BoundedFile(io.FileIO):
    """A file in torch's old format, whose names and sizes end at a limit.

    It counts blocks, not the single bytes that a pickle is read by. Numbers do not count: torch
    reads them past this, from the file's descriptor.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path, self._count = path, 0

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill a buffer, as `io.FileIO` does; refuses endless names."""
        size = super().readinto(buffer)
        self._count += size or 0
        if self._count > MAX_PICKLE_BYTES:
            raise _format_error(self._path, f"over {MAX_PICKLE_BYTES:,} bytes of names and sizes")
        return size


def _check_zip(path: Path) -> None:
    """Refuse what torch never writes for a state dict: packed entries, programs, endless names."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    size = path.stat().st_size
    if any(Path(entry.filename).name == "constants.pkl" for entry in entries):
        raise _format_error(path, "a TorchScript program")
    if any(e.compress_type != zipfile.ZIP_STORED or e.file_size > size for e in entries):
        raise _format_error(path, "packed entries")
    names = sum(entry.file_size for entry in entries if entry.filename.endswith(".pkl"))
    if names > MAX_PICKLE_BYTES:
        raise _format_error(path, f"{names:,} bytes of names and sizes")


def _format_error(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected a plain state dict as torch.save writes it, got {what}. Get the file "
        "from its original source, or save its state dict anew."
    )


def _asks_for_code(error: Exception, path: Path) -> bool:
    """Whether torch refused a call, or a pickle that torch did not write (byte 0x80 begins one)."""
    with path.open("rb") as file:
        is_pickle = file.read(1) == b"\x80"
    return bool(_CODE.search(str(error))) or (is_pickle and "Unsupported operand" in str(error))


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """A .safetensors whose tensors are read one by one."""
    _require(path)
    try:
        with open_tensors(path) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise _damage_error(path, error) from error


def _read_safetensors(path: Path, prefix: str) -> dict[str, Tensor]:
    with open_safetensors(path) as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        if not names:
            raise CheckpointError(
                f"{path}: expected tensors below '{prefix}', got {abbreviate(list(file.keys()))}. "
                "Check that it is the file that this place needs."
            )
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def check_keys(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Refuse a state dict that lacks a tensor, has one too many or one of another shape.

    Raises:
        CheckpointError: names the file and the first few differences.
    """
    missing = [key for key in expected if key not in shapes]
    foreign = [key for key in shapes if key not in expected]
    misshapen = [
        f"{key} (expected {list(expected[key])}, got {quote(list(shape))})"
        for key, shape in shapes.items()
        if key in expected and shape != expected[key]
    ]
    complaints = [
        f"{len(keys)} {what}: {abbreviate(keys)}"
        for what, keys in (
            ("missing", missing),
            ("not of this model", foreign),
            ("of another shape", misshapen),
        )
        if keys
    ]
    if complaints:
        raise CheckpointError(
            f"{path}: expected the {len(expected)} tensors of this model, got {len(shapes)}; "
            f"{'; '.join(complaints)}. Check that it belongs to this release and is complete."
        )


def _require(path: Path) -> None:
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: no such file. Expected weights there; check the path.")


def _damage_error(path: Path, error: Exception) -> CheckpointError:
    size = path.stat().st_size
    return CheckpointError(
        f"{path}: cannot be read; it is truncated, damaged or not a weight file ({size:,} bytes). "
        f"{DOWNLOAD_AGAIN} ({first_line(error)})"
    )


def first_line(error: Exception) -> str:
    """What an error says, short enough for another message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
