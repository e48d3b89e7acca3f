"""Files that are written: whole or not at all, and in place of nothing but another file.

What is not finished stands in a hidden folder beside its place, `.actalker-….part`, one for each
run: two runs may write the same file, and the last one to end wins. A lock in it, which the system
releases with the process, tells the folder of a living run from what a killed one left; the next
run that writes there removes the latter. Where a file system has no locks, leftovers stay.
"""

import errno
import os
import re
import secrets
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import ACTalkerError, MediaError

LOCK, PART = "lock", "part"
TRIAL_BYTES = 65_536
"""What `check_writable` writes: more than a full disk takes."""
ATTEMPTS = 20
"""A new folder may be taken for an abandoned one before its lock is held; then another is made."""

_STAGING = re.compile(r"\.actalker-[0-9a-f]{16}\.part")
_NO_SPACE = "Free some space or choose another disk."
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EACCES: "Choose a folder that you may write to, and close what has the file open.",
}
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_written_files: ContextVar[list[Path] | None] = ContextVar("written_files", default=None)

Kind = type[ACTalkerError]


# Writing -----------------------------------------------------------------------------------------


@contextmanager
def replace_file(path: Path, kind: Kind = MediaError) -> Iterator[Path]:
    """A file to be written that takes the place of `path` if the block ends well.

    A link stays, and what it points to is replaced. The file gets the permissions of any new file.

    Args:
        kind: of the error.

    Yields:
        Where to write it. Other files may be written beside it; they go at the end.

    Raises:
        ACTalkerError: of that kind; it cannot be written, or `path` is no file.
    """
    with translate_errors(path, kind), staging_folder(resolve_target(path, kind).parent) as folder:
        yield folder / PART
        move_into_place(folder / PART, path, kind)


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], texts: Mapping[str, str], kind: Kind = MediaError
) -> None:
    """Write tensors (…) as a `.safetensors`, in the way of `replace_file`.

    Raises:
        ACTalkerError: of that kind; it cannot be written.
    """
    with replace_file(path, kind) as part:
        try:
            save_file(dict(tensors), part, dict(texts))
        except SafetensorError as error:  # newer versions wrap what the system says into this
            number = re.search(r"(?:os error|code:) (\d+)", str(error))
            raise OSError(int(number[1]) if number else 0, str(error)) from error


def check_writable(path: Path, kind: Kind = MediaError, size_bytes: int = 0) -> None:
    """Find out whether a file can be written, before the work that it is to hold. Nothing stays.

    Args:
        size_bytes: how large it will be, if that is known.

    Raises:
        ACTalkerError: of that kind; it cannot.
    """
    with translate_errors(path, kind), staging_folder(resolve_target(path, kind).parent) as folder:
        space = shutil.disk_usage(folder)
        if space.total and space.free < size_bytes:
            raise kind(
                f"{path}: expected {size_bytes / 1e9:.2f} GB of free space, got "
                f"{space.free / 1e9:.2f} GB. {_NO_SPACE}"
            )
        with (folder / PART).open("wb") as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())


def check_suffix(path: Path, suffixes: Iterable[str], kind: Kind = MediaError) -> None:
    """Refuse a name that says that the file is something else. Capitals do not matter.

    Raises:
        ACTalkerError: of that kind; names the suffixes.
    """
    endings = list(suffixes)
    if path.suffix.lower() not in endings:
        raise kind(
            f"{path}: expected a name that ends in {', '.join(filter(None, endings))}, got "
            f"'{path.suffix}'. Choose another name."
        )


def resolve_target(path: Path, kind: Kind = MediaError) -> Path:
    """The file that a path stands for: what a link points to, else itself; it may be missing.

    Raises:
        ACTalkerError: of that kind; there is something that is no file or may not be changed.
    """
    with translate_errors(path, kind):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            mode = None
        except ValueError as error:
            raise OSError(0, str(error)) from error
        if mode is not None and not stat.S_ISREG(mode):
            name = next((name for test, name in _KINDS if test(mode)), "something else")
            raise kind(f"{path}: expected a file to write, got {name}. Choose another name.")
        if mode is not None and not os.access(path, os.W_OK):
            raise kind(f"{path}: is write-protected. Choose another name or lift the protection.")
        if not path.is_symlink():
            return path
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise kind(
                f"{path}: expected a link into an existing folder, got one to {target}. Mount "
                "its disk, or choose another name."
            )
        return target


@contextmanager
def record_written_files() -> Iterator[list[Path]]:
    """The files that take their places during the block."""
    files: list[Path] = []
    token = _written_files.set(files)
    try:
        yield files
    finally:
        _written_files.reset(token)


@contextmanager
def translate_errors(path: Path, kind: Kind = MediaError) -> Iterator[None]:
    """Errors of the system become some of ours, which name the path and say what to do."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Choose another folder.")
        reason = (error.strerror or str(error) or type(error).__name__).splitlines()[0]
        raise kind(f"{path}: cannot be written ({reason}). {remedy}") from error


# Unfinished files --------------------------------------------------------------------------------


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder within a folder, for files that are not finished; gone after the block.

    Folders that had to be made for it go as well, unless something has come into them.

    Raises:
        OSError: it cannot be made.
    """
    new_folders = [place for place in (folder, *folder.parents) if not place.exists()]
    staging = lock = None
    try:
        with _defer_interrupts():
            staging, lock = _make_staging(folder)
            _remove_abandoned(folder)
        yield staging
    finally:
        with _defer_interrupts():
            if staging is not None and lock is not None:
                os.close(lock)
                _remove(staging)
            for place in new_folders:
                with suppress(OSError):
                    place.rmdir()


@contextmanager
def _defer_interrupts() -> Iterator[None]:
    """Hold back Ctrl-C until the block ends: between two steps it would leave a folder behind."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    interrupts: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: interrupts.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if interrupts:
            handler(*interrupts[0])


def move_into_place(part: Path, path: Path, kind: Kind = MediaError) -> None:
    """Let a finished file of a `staging_folder` folder take its place.

    Raises:
        OSError: it cannot.
        ACTalkerError: of that kind; something came there that is no file.
    """
    mode = stat.S_IMODE((part.parent / LOCK).stat().st_mode)
    if stat.S_IMODE(part.stat().st_mode) != mode:
        part.chmod(mode)  # safetensors may write for the owner alone
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    target = resolve_target(path, kind)
    os.replace(part, target)
    files = _written_files.get()
    if files is not None:
        files.append(path)


def _make_staging(folder: Path) -> tuple[Path, int]:
    """A new staging folder and its lock, held."""
    for attempt in range(ATTEMPTS):
        staging = folder / f".actalker-{secrets.token_hex(8)}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            staging.mkdir()
            lock = os.open(staging / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:  # another run removed it at this moment
            if attempt == ATTEMPTS - 1:
                raise
            continue
        with suppress(OSError):  # without locks it goes as well
            if not _take_lock(lock):
                os.close(lock)
                continue
        if (staging / LOCK).exists():
            return staging, lock
        os.close(lock)
    raise OSError(errno.EBUSY, "other runs remove what is begun there")


def _remove_abandoned(folder: Path) -> None:
    """Remove the staging folders of processes that are gone."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if _STAGING.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(staging: Path) -> None:
    with suppress(OSError):
        try:
            lock = os.open(staging / LOCK, os.O_RDWR)
        except FileNotFoundError:  # killed before it had a lock; refused unless it is empty
            staging.rmdir()
            return
        try:
            has_lock = _take_lock(lock)
            if has_lock:
                _remove(staging)
        finally:
            os.close(lock)
        if has_lock:
            _remove(staging)  # Windows does not remove what is open


def _remove(staging: Path) -> None:
    """Remove a staging folder; its lock goes last, so that it never lies there without one."""
    with suppress(OSError):
        for name in sorted(os.listdir(staging), key=LOCK.__eq__):
            (staging / name).unlink()
        staging.rmdir()


if sys.platform == "win32":
    import msvcrt

    def _take_lock(lock: int) -> bool:
        """Take a lock; whether it is ours now, and not another process's."""
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _take_lock(lock: int) -> bool:
        """Take a lock; whether it is ours now, and not another process's.

        Raises:
            OSError: the file system knows no locks.
        """
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
