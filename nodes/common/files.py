"""Files by name from lists: `models/actalker`, the input and the output folder."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import folder_paths

from ...actalker_core.errors import FaceError, InputError, MediaError, quote
from ...actalker_core.faces import FaceFinder, open_finder, require_landmarker
from ...actalker_core.faces.finder import HaarFinder
from ...actalker_core.faces.landmarker import Landmarker
from ...actalker_core.faces.landmarker_file import NAME as LANDMARKER
from ...actalker_core.faces.landmarker_file import find_landmarker
from ...actalker_core.files.archive import format_name, read_format
from ...actalker_core.files.names import FORBIDDEN_IN_NEW_NAMES, is_plain_name, split_name
from ...actalker_core.geometry.mesh import FaceMesh, load_mesh
from ...actalker_core.text import check_text
from .progress import Bar

log = logging.getLogger(__name__)

KIND, HOST_CHECKPOINTS = "actalker", "checkpoints"
CHECKPOINTS = {".safetensors"}
NO_FILE = "none"
TRAININGS = "actalker_training"
INPUT_MARK, OUTPUT_MARK, TEMP_MARK = " [input]", " [output]", " [temp]"
NUMBER_SUFFIX = "_00001_.safetensors"
"""What `get_save_image_path` lets a prefix be followed by."""
Identity = tuple[int, int]
"""Device and number of a folder, by which it is known again whatever link leads there."""
MAX_FOLDERS = 10_000
"""Links to folders may multiply what is below them without end."""


@dataclass(frozen=True)
class Recording:
    """A kind of file that one node writes and another reads.

    Attributes:
        format: in the file's metadata.
        label: what it holds, for errors.
        writer: name of the node that writes it.
    """

    format: str
    label: str
    writer: str


SIGNALS = Recording(format_name("signals"), "Signals", "Save Signals")
MOTION = Recording(format_name("motion"), "Motion", "Save Motion")


def register_folder() -> None:
    """Add `models/actalker` beside what extra_model_paths.yaml may have named for it."""
    paths, extensions = folder_paths.folder_names_and_paths.get(KIND, ([], set()))
    usual = os.path.join(folder_paths.models_dir, KIND)
    all_paths = [*paths, *([] if usual in paths else [usual])]
    folder_paths.folder_names_and_paths[KIND] = (all_paths, set(extensions) | CHECKPOINTS)


def list_models(kind: str) -> list[str]:
    """Checkpoints of one format within `models/actalker`."""
    return _list_names(lambda path: _is(path, kind))


def list_folders() -> list[str]:
    """Folders within `models/actalker`: releases to convert, CLIP models."""
    return [NO_FILE, *_list_names(lambda path: path.is_dir())]


def _list_names(is_listed: Callable[[Path], bool]) -> list[str]:
    names = []
    for root in map(Path, folder_paths.get_folder_paths(KIND)):
        names += [name for name in _names_below(root) if is_listed(root / name)]
    return list(dict.fromkeys(names))


def _names_below(root: Path) -> list[str]:
    """Relative paths of all files and folders that `_find_below` also finds, in order.

    Links are followed, as ComfyUI does it: people keep models on other disks. A folder is not
    entered again below itself.
    """
    names, folder_count = [], 0
    pending: list[tuple[str, tuple[Identity | None, ...]]] = [("", (_identity(root),))]
    while pending and folder_count < MAX_FOLDERS:
        (folder, ancestors), folder_count = pending.pop(), folder_count + 1
        for entry in filter(is_plain_name, _entries(root / folder)):
            path = root / folder / entry
            is_folder = os.path.isdir(path)
            if is_folder or os.path.isfile(path):
                names.append(folder + entry)
            identity = _identity(path) if is_folder else None
            if identity is not None and identity not in ancestors:
                pending.append((f"{folder}{entry}/", (*ancestors, identity)))
    if pending:
        log.warning("%s: not all of its %d folders and more are listed.", root, folder_count)
    return sorted(names, key=lambda name: name.split("/"))


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _identity(folder: Path) -> Identity | None:
    """Which folder it is, whatever it is called; None if it is gone."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _is(path: Path, kind: str) -> bool:
    return path.suffix == ".safetensors" and path.is_file() and read_format(path) == kind


def model_path(name: str) -> Path:
    """The full path of something that is listed in `models/actalker`.

    Raises:
        InputError: no such file or folder there.
    """
    parts = split_name("Name", name)
    for root in map(Path, folder_paths.get_folder_paths(KIND)):
        path = _find_below(root, parts)
        if path is not None:
            return path
    places = ", ".join(folder_paths.get_folder_paths(KIND))
    raise InputError(
        f"{quote(name)}: expected a file or folder in {places}. Put it there and reload."
    )


def list_host_checkpoints() -> list[str]:
    """What lies in ComfyUI's own `models/checkpoints`."""
    return folder_paths.get_filename_list(HOST_CHECKPOINTS)


def host_checkpoint_path(widget: str, name: str) -> Path:
    """The full path of a file of `models/checkpoints`.

    Raises:
        InputError: no such file there; says which widget names it.
    """
    try:
        return Path(folder_paths.get_full_path_or_raise(HOST_CHECKPOINTS, check_text(widget, name)))
    except FileNotFoundError:  # it repeats the name as it is, which ComfyUI's log may not take
        raise InputError(
            f"{widget}: expected a file of models/checkpoints, got {quote(name)}. Put it there."
        ) from None


def new_model_path(name: str) -> Path:
    """Where a new checkpoint goes.

    Raises:
        InputError: a name that is no plain file name.
    """
    if len(split_name("File name", name, FORBIDDEN_IN_NEW_NAMES)) != 1:
        raise InputError(
            f"File name: expected a name without folders, got {quote(name)}. Change it."
        )
    root = Path(folder_paths.get_folder_paths(KIND)[-1])
    file_name = name if name.endswith(".safetensors") else f"{name}.safetensors"
    return root.joinpath(*split_name("File name", file_name, FORBIDDEN_IN_NEW_NAMES))


def training_folder(name: str, digest: str) -> Path:
    """Where a training keeps its checkpoint: below the output folder, for each name and clip.

    Args:
        digest: letters that tell the clip.

    Raises:
        InputError: a name that some system refuses.
    """
    [folder] = split_name("File name", f"{name}-{digest}", FORBIDDEN_IN_NEW_NAMES + "/")
    return Path(_output(), TRAININGS, folder)


def list_recordings(kind: Recording) -> list[str]:
    """What a loader offers: files of the input folder, then of the output folder."""
    inside = {"": folder_paths.get_input_directory(), OUTPUT_MARK: _output()}
    return [
        name + mark
        for mark, folder in inside.items()
        for name in _names_below(Path(folder))
        if _is(Path(folder, name), kind.format)
    ] or [NO_FILE]


def recording_path(kind: Recording, name: str) -> Path:
    """The full path of a file of the input folder, or of the output folder if it is marked so.

    Raises:
        MediaError: no such file there.
        InputError: no name, or one that leaves the folder.
    """
    is_output = isinstance(name, str) and name.endswith(OUTPUT_MARK)
    root = _output() if is_output else folder_paths.get_input_directory()
    folder = "output" if is_output else "input"
    plain_name = name.removesuffix(OUTPUT_MARK) if is_output else name
    path = _find_below(Path(root), split_name(f"{kind.label} of the {folder} folder", plain_name))
    if path is None or path.suffix != ".safetensors":
        raise MediaError(
            f"{quote(name)}: expected a .safetensors in ComfyUI's {folder} folder. Choose one of "
            f"the list; {kind.writer} writes them."
        )
    return path


def picture_path(name: object) -> Path:
    """The file of the input folder that Load Image calls so: `sub/name.png`, ` [input]` or not.

    Raises:
        MediaError: there is no such file.
        InputError: no name, or one that leads out of the folder, by a link or a mark too.
    """
    plain_name = name.removesuffix(INPUT_MARK) if isinstance(name, str) else name
    parts = split_name("Picture", plain_name)
    folder = Path(os.path.realpath(folder_paths.get_input_directory()))
    path = Path(os.path.realpath(folder.joinpath(*parts)))
    if not path.is_relative_to(folder) or parts[-1].endswith((OUTPUT_MARK, TEMP_MARK)):
        raise InputError(
            f"Picture: expected one that lies in ComfyUI's input folder, got {quote(name)}, which "
            "leads out of it. Copy the file there."
        )
    if not os.path.isfile(path):
        raise MediaError(
            f"Picture: expected one of ComfyUI's input folder, got {quote(name)}. Choose it anew "
            "in Load Image."
        )
    return path


def read_recording_stamp(kind: Recording, name: str | None) -> str:
    """Tells whether a file was replaced; of a linked name, None, ComfyUI tells nothing."""
    return NO_FILE if name is None else read_stamp(recording_path(kind, name))


def check_recording_prefix(prefix: str) -> None:
    """Refuse a prefix that no new file may have.

    Raises:
        InputError: a name that some system refuses, or one that leaves the folder.
    """
    split_name("Prefix in the output folder", _with_number(prefix), FORBIDDEN_IN_NEW_NAMES)


def new_recording_path(prefix: str) -> Path:
    """A new numbered file in the output folder.

    Raises:
        InputError: a name that some system refuses, or one that leaves the folder.
    """
    check_recording_prefix(prefix)
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, _output())
    while (path := Path(folder, f"{name}_{counter:05}_.safetensors")).exists():
        counter += 1
    return path


def _output() -> str:
    return folder_paths.get_output_directory()


def _with_number(prefix: object) -> object:
    return f"{prefix}{NUMBER_SUFFIX}" if isinstance(prefix, str) else prefix


def _find_below(root: Path, parts: Sequence[str]) -> Path | None:
    """A file or folder below another, links followed; None if it is missing or something else."""
    path = root.joinpath(*parts)
    return path if os.path.isfile(path) or os.path.isdir(path) else None


def read_stamp(path: Path) -> str:
    """Tells whether a file was replaced."""
    stat = path.stat()
    return f"{stat.st_mtime_ns}:{stat.st_size}"


def open_face_finder() -> FaceFinder:
    """What finds faces: MediaPipe's landmarker, fetched if it is missing, else what OpenCV has."""
    folders = _landmarker_folders()
    path = find_landmarker(folders)
    if path is None:
        return open_finder(folders=folders, report=Bar().report)
    return _open_landmarker_at(path, read_stamp(path))


def open_local_face_finder() -> FaceFinder:
    """What finds faces without fetching anything: a page that is looked at asks no other machine.

    Raises:
        FaceError: there is nothing to find them with yet.
    """
    path = find_landmarker(_landmarker_folders())
    if path is not None:
        return _open_landmarker_at(path, read_stamp(path))
    if HaarFinder.is_available():
        return HaarFinder()
    raise FaceError(
        f"Faces cannot be shown yet: {LANDMARKER} is missing. Run the graph once, which fetches it."
    )


def open_landmarker() -> Landmarker:
    """What finds landmarks: MediaPipe's landmarker, fetched if it is missing.

    Raises:
        CheckpointError: the file is missing and cannot be fetched.
    """
    path = landmarker_path()
    return _open_landmarker_at(path, read_stamp(path))


def has_landmarker() -> bool:
    """Whether MediaPipe's landmarker is there without being fetched."""
    return find_landmarker(_landmarker_folders()) is not None


def landmarker_path() -> Path:
    """MediaPipe's landmarker, fetched if it is missing.

    Raises:
        CheckpointError: it cannot be fetched; names folder and sources.
    """
    return require_landmarker(folders=_landmarker_folders(), report=Bar().report)


def _landmarker_folders() -> list[Path]:
    """`models/actalker`, first where a new file goes, as in `new_model_path`."""
    return [Path(root) for root in reversed(folder_paths.get_folder_paths(KIND))]


@lru_cache(maxsize=1)
def _open_landmarker_at(path: Path, stamp: str) -> Landmarker:
    return Landmarker(path)


def open_face_mesh() -> FaceMesh:
    """The mesh of the landmarker's own file.

    Raises:
        CheckpointError: the file is missing and cannot be fetched.
    """
    path = landmarker_path()
    return _load_mesh_at(path, read_stamp(path))


@lru_cache(maxsize=1)
def _load_mesh_at(path: Path, stamp: str) -> FaceMesh:
    return load_mesh(path)
