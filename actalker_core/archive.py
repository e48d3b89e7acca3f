"""Our own small files: tensors and texts in one `.safetensors` that says what it is."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import MediaError
from .files import save_tensors

VERSION = "1"


def format_name(kind: str) -> str:
    """How a file of a kind calls itself."""
    return f"actalker-{kind}"


def write_archive(
    path: Path, kind: str, tensors: Mapping[str, Tensor], texts: Mapping[str, str]
) -> None:
    """Write tensors and texts, whole or not at all.

    Raises:
        MediaError: the file cannot be written.
    """
    metadata = {"format": format_name(kind), "version": VERSION, **texts}
    content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_tensors(path, content, metadata)


def format_of(path: Path) -> str:
    """What a `.safetensors` says it is, from its header alone; "" if it says nothing."""
    try:
        with safe_open(path, "pt") as file:
            return str((file.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError):
        return ""


def read_archive(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `write_archive` wrote, bit for bit: tensors and texts.

    Raises:
        MediaError: missing, damaged, or another kind of file.
    """
    if not path.is_file():
        raise MediaError(f"{path}: no such file. Expected saved {kind} there; check the path.")
    try:
        with safe_open(path, "pt") as file:
            texts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise MediaError(f"{path}: expected saved {kind}; it cannot be read ({error}).") from error
    found = f"{texts.get('format', 'no format')} {texts.get('version', '')}".strip()
    wanted = f"{format_name(kind)} {VERSION}"
    if found != wanted:
        raise MediaError(
            f"{path}: expected a .safetensors of format {wanted}, found {found}. Choose another "
            "file, or save it again."
        )
    return tensors, texts
