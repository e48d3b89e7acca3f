"""Our own small files: tensors and texts in one `.safetensors` that says what it is."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from ..errors import MediaError, quote
from .headers import open_tensors
from .writing import save_tensors

VERSION = "1"
MAX_BYTES = 2**33
"""Some six hours of speech; a larger file is no work of this pack."""


def format_name(kind: str) -> str:
    """How a file of a kind calls itself."""
    return f"actalker-{kind}"


def write_archive(
    path: Path, kind: str, tensors: Mapping[str, Tensor], texts: Mapping[str, str]
) -> None:
    """Write tensors (…) and texts, whole or not at all.

    Raises:
        MediaError: the file cannot be written.
    """
    metadata = {"format": format_name(kind), "version": VERSION, **texts}
    content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_tensors(path, content, metadata)


def read_format(path: Path) -> str:
    """What a `.safetensors` says it is, from its header alone; "" if it says nothing."""
    try:
        with open_tensors(path) as file:
            return str((file.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError):
        return ""


def read_archive(
    path: Path, kind: str, names: Collection[str]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `write_archive` wrote, bit for bit: name -> tensor (…), and the texts.

    Args:
        names: of the tensors that such a file may hold.

    Raises:
        MediaError: missing, damaged, too large, another kind of file, or with other tensors.
    """
    if not os.path.isfile(path):
        raise MediaError(f"{path}: no such file. Expected saved {kind} there; check the path.")
    try:
        with open_tensors(path) as file:
            texts = dict(file.metadata() or {})
            _check_format(path, kind, texts)
            _check_names(path, kind, list(file.keys()), names)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise MediaError(
            f"{path}: expected saved {kind}; it cannot be read ({quote(str(error))}). Choose "
            "another file, or save it again."
        ) from error
    return tensors, texts


def _check_format(path: Path, kind: str, texts: Mapping[str, str]) -> None:
    label = f"{texts.get('format', 'no format')} {texts.get('version', '')}".strip()
    expected = f"{format_name(kind)} {VERSION}"
    if label != expected:
        raise MediaError(
            f"{path}: expected a .safetensors of format {expected}, got {quote(label)}. Choose "
            "another file, or save it again."
        )
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise MediaError(
            f"{path}: expected saved {kind} of at most {MAX_BYTES:,} bytes, got {size:,}. Make "
            "it of a shorter recording."
        )


def _check_names(path: Path, kind: str, keys: list[str], names: Collection[str]) -> None:
    foreign = [name for name in keys if name not in names]
    if foreign:
        raise MediaError(
            f"{path}: expected saved {kind} with {', '.join(names)}, got {len(foreign)} other "
            f"tensors, such as {quote(foreign[0])}. Choose another file, or save it again."
        )
