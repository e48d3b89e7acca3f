"""Files that are, or are not, MediaPipe's `face_landmarker.task`."""

import zipfile
from collections.abc import Mapping
from pathlib import Path


def read_zip(path: Path) -> dict[str, bytes]:
    """The content of each file in a zip."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write_zip(path: Path, files: Mapping[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path
