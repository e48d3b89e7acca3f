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
_noted: ContextVar[list[Path] | None] = ContextVar("noted", default=None)

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
    """Write a `.safetensors` as `replace_file` does, whatever the version of safetensors.

    Raises:
        ACTalkerError: of that kind; it cannot be written.
    """
    with replace_file(path, kind) as part:
        try:
            save_file(dict(tensors), part, dict(texts))
        except SafetensorError as error:
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
    known = list(suffixes)
    if path.suffix.lower() not in known:
        raise kind(
            f"{path}: expected a name that ends in {', '.join(filter(None, known))}, got "
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
            found = next((name for test, name in _KINDS if test(mode)), "something else")
            raise kind(f"{path}: expected a file to write, got {found}. Choose another name.")
        if mode is not None and not os.access(path, os.W_OK):
            raise kind(f"{path}: is write-protected. Choose another name or lift the protection.")
        if not path.is_symlink():
            return path
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise kind(
                f"{path}: expected a link into a folder that is there, got one to {target}. Mount "
                "its disk, or choose another name."
            )
        return target


@contextmanager
def record_written_files() -> Iterator[list[Path]]:
    """The files that take their places during the block."""
    files: list[Path] = []
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


@contextmanager
def translate_errors(path: Path, kind: Kind = MediaError) -> Iterator[None]:
    """Errors of the system become some of ours, which name the path and say what to do."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Choose another folder.")
        said = (error.strerror or str(error) or type(error).__name__).splitlines()[0]
        raise kind(f"{path}: cannot be written ({said}). {remedy}") from error


# Unfinished files --------------------------------------------------------------------------------


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder within a folder, for files that are not finished; gone after the block.

    Folders that had to be made for it go as well, unless something has come into them.

    Raises:
        OSError: it cannot be made.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    staged = lock = None
    try:
        with _uninterrupted():
            staged, lock = _make(folder)
            _remove_abandoned(folder)
        yield staged
    finally:
        with _uninterrupted():
            if staged is not None and lock is not None:
                os.close(lock)
                _remove(staged)
            for place in made:
                with suppress(OSError):
                    place.rmdir()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, lest it leave something between two steps."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    asked: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if asked:
            usual(*asked[0])


def move_into_place(part: Path, path: Path, kind: Kind = MediaError) -> None:
    """Let a finished file of a `staging_folder` folder take its place.

    Raises:
        OSError: it cannot.
        ACTalkerError: of that kind; something came there that is no file.
    """
    usual = stat.S_IMODE((part.parent / LOCK).stat().st_mode)
    if stat.S_IMODE(part.stat().st_mode) != usual:
        part.chmod(usual)  # safetensors may write for the owner alone
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    target = resolve_target(path, kind)
    os.replace(part, target)
    noted = _noted.get()
    if noted is not None:
        noted.append(path)


def _make(folder: Path) -> tuple[Path, int]:
    """A new staging folder and its lock, held."""
    for attempt in range(ATTEMPTS):
        staged = folder / f".actalker-{secrets.token_hex(8)}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            staged.mkdir()
            lock = os.open(staged / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:  # another run removed it at this moment
            if attempt == ATTEMPTS - 1:
                raise
            continue
        with suppress(OSError):  # without locks it goes as well
            if not _hold(lock):
                os.close(lock)
                continue
        if (staged / LOCK).exists():
            return staged, lock
        os.close(lock)
    raise OSError(errno.EBUSY, "other runs remove what is begun there")


def _remove_abandoned(folder: Path) -> None:
    """Remove the staging folders of processes that are gone."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if _STAGING.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(staged: Path) -> None:
    with suppress(OSError):
        try:
            lock = os.open(staged / LOCK, os.O_RDWR)
        except FileNotFoundError:  # killed before it had a lock; refused unless it is empty
            staged.rmdir()
            return
        try:
            held = _hold(lock)
            if held:
                _remove(staged)
        finally:
            os.close(lock)
        if held:
            _remove(staged)  # Windows does not remove what is open


def _remove(staged: Path) -> None:
    """Remove a staging folder; its lock goes last, so that it never lies there without one."""
    with suppress(OSError):
        for name in sorted(os.listdir(staged), key=LOCK.__eq__):
            (staged / name).unlink()
        staged.rmdir()


if sys.platform == "win32":
    import msvcrt

    def _hold(lock: int) -> bool:
        """Whether a lock is ours now; False if another process has it."""
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _hold(lock: int) -> bool:
        """Whether a lock is ours now; False if another process has it.

        Raises:
            OSError: the file system knows no locks.
        """
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
