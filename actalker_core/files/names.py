"""Names of files that people choose from a list or make up, alike on every system.

A graph is made on one system and run on another, and a model folder is shared between them.
"""

import re
from collections.abc import Sequence

from ..errors import InputError, quote

MAX_BYTES = 255
UNWRITABLE = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
DEVICE_NAMES = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[1-9¹²³])(\..*)?", re.IGNORECASE
)
"""Windows keeps these for devices, with any ending."""


def split_name(kind: str, name: object, forbidden: str = ":\\") -> Sequence[str]:
    """The folders and the name of a relative path with forward slashes.

    Args:
        kind: what it is, for errors.
        forbidden: characters that it may not have besides those that cannot be written. Colons
            and backslashes lead elsewhere on Windows: to a drive, a folder, or a hidden stream.

    Raises:
        InputError: some system would refuse it, or it leads out of its folder.
    """
    if not isinstance(name, str):
        raise InputError(f"{kind}: expected a name, got {quote(name)}. Choose or write one.")
    parts = name.split("/")
    for part in parts:
        fault = _describe_fault(part, forbidden)
        if fault:
            raise InputError(f"{kind}: expected a name {fault}, got {quote(name)}. Change it.")
    return parts


def is_plain_name(name: str) -> bool:
    """Whether `split_name` takes it."""
    return not any(_describe_fault(part, ":\\") for part in name.split("/"))


FORBIDDEN_IN_NEW_NAMES = ':\\<>"|?*'
"""What the name of a new file may not have: Windows could not read it."""


def _describe_fault(part: str, forbidden: str) -> str:
    """What a part of a name should be and is not; "" if it is right."""
    if not part:
        return "with no empty part, below its folder"
    if part.startswith("."):
        return "that begins with no dot"
    if part[-1] in ". ":
        return "that ends in no dot or space"
    if any(c in forbidden for c in part):
        return f"without {' '.join(forbidden)}"
    if UNWRITABLE.search(part):
        return "of characters that can be written"
    if len(part.encode()) > MAX_BYTES:
        return f"of at most {MAX_BYTES} bytes"
    if DEVICE_NAMES.fullmatch(part):
        return "that Windows does not keep for a device"
    return ""
