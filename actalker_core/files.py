"""Files that are written: folders, and errors that name the path."""

from pathlib import Path

from .errors import MediaError


def make_folder(path: Path) -> None:
    """Make the folder of a file that is to be written.

    Raises:
        MediaError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error}). Choose another folder.") from error
