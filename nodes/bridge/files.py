"""Files by name from lists: `models/actalker`, the input and the output folder."""

import os
from functools import lru_cache
from pathlib import Path

import folder_paths

from ...actalker_core.archive import format_name, format_of
from ...actalker_core.checkpoint import BUILT_IN
from ...actalker_core.checkpoint.single import FORMAT
from ...actalker_core.errors import InputError, MediaError
from ...actalker_core.faces import FaceFinder, open_finder

KIND = "actalker"
CHECKPOINTS = {".safetensors"}
NONE = "none"
OUTPUT_MARK = " [output]"
SIGNALS_FORMAT = format_name("signals")
LANDMARKER = "face_landmarker.task"


def register_folder() -> None:
    """Add `models/actalker` beside what extra_model_paths.yaml may have named for it."""
    paths, extensions = folder_paths.folder_names_and_paths.get(KIND, ([], set()))
    usual = os.path.join(folder_paths.models_dir, KIND)
    merged = [*paths, *([] if usual in paths else [usual])]
    folder_paths.folder_names_and_paths[KIND] = (merged, set(extensions) | CHECKPOINTS)


def checkpoints() -> list[str]:
    """What LoadModel offers; the built-in model stands first."""
    return [BUILT_IN, *_listed(lambda path: _is(path, FORMAT))]


def folders() -> list[str]:
    """Folders within `models/actalker`: releases to convert, CLIP models."""
    return [NONE, *_listed(lambda path: path.is_dir() and not path.name.startswith("."))]


def _listed(wanted) -> list[str]:
    found = []
    for root in map(Path, folder_paths.get_folder_paths(KIND)):
        if root.is_dir():
            found += [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if wanted(p)]
    return list(dict.fromkeys(found))


def _is(path: Path, kind: str) -> bool:
    return path.suffix == ".safetensors" and path.is_file() and format_of(path) == kind


def model_path(name: str) -> Path:
    """The full path of something that is listed in `models/actalker`.

    Raises:
        InputError: no such file or folder there.
    """
    for root in map(Path, folder_paths.get_folder_paths(KIND)):
        path = _within(root, name)
        if path is not None:
            return path
    places = ", ".join(folder_paths.get_folder_paths(KIND))
    raise InputError(f"'{name}': expected a file or folder in {places}. Put it there and reload.")


def new_model_path(name: str) -> Path:
    """Where a new checkpoint goes.

    Raises:
        InputError: a name that is no plain file name.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise InputError(f"File name: expected a name without folders, got '{name}'.")
    root = Path(folder_paths.get_folder_paths(KIND)[-1])
    return root / (name if name.endswith(".safetensors") else f"{name}.safetensors")


def saved_signals() -> list[str]:
    """What LoadSignals offers: files of the input folder, then of the output folder."""
    inside = {"": folder_paths.get_input_directory(), OUTPUT_MARK: _output()}
    return [
        path.relative_to(folder).as_posix() + mark
        for mark, folder in inside.items()
        for path in sorted(Path(folder).rglob("*.safetensors"))
        if _is(path, SIGNALS_FORMAT)
    ] or [NONE]


def signals_path(name: str) -> Path:
    """The full path of a file of the input folder, or of the output folder if it is marked so.

    Raises:
        MediaError: no such file there, or a path that leaves the folder.
    """
    marked = name.endswith(OUTPUT_MARK)
    root = _output() if marked else folder_paths.get_input_directory()
    path = _within(Path(root), name.removesuffix(OUTPUT_MARK))
    if path is None or path.suffix != ".safetensors":
        where = "output" if marked else "input"
        raise MediaError(
            f"'{name}': expected a .safetensors in ComfyUI's {where} folder. Choose one of the "
            "list; Save Signals writes them."
        )
    return path


def new_signals_path(prefix: str) -> Path:
    """A new numbered file in the output folder."""
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, _output())
    while (path := Path(folder, f"{name}_{counter:05}_.safetensors")).exists():
        counter += 1
    return path


def _output() -> str:
    return folder_paths.get_output_directory()


def _within(root: Path, name: str) -> Path | None:
    """A path below a folder, links followed; None if it is missing or leads out of it."""
    path = Path(os.path.realpath(root / name))
    home = os.path.realpath(root)
    inside = bool(name) and path.is_relative_to(home)
    return path if inside and path.exists() else None


def changed_at(path: Path) -> str:
    """Tells whether a file was replaced."""
    stat = path.stat()
    return f"{stat.st_mtime_ns}:{stat.st_size}"


def face_finder() -> FaceFinder:
    """What finds faces: MediaPipe's landmarker in `models/actalker`, else what OpenCV has."""
    roots = [Path(root) for root in folder_paths.get_folder_paths(KIND)]
    there = [root / LANDMARKER for root in roots if (root / LANDMARKER).is_file()]
    if there:
        return _finder_at(there[0], changed_at(there[0]))
    return open_finder(usual=roots[-1] / LANDMARKER)


@lru_cache(maxsize=1)
def _finder_at(path: Path, changed: str) -> FaceFinder:
    return open_finder(path)
