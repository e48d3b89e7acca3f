"""Content of an address: within a time and a size, reported while it comes."""

import http.client
import os
import time
import urllib.request
from urllib.parse import urlsplit, urlunsplit

from ..progress import Report, report_nothing

TIMEOUT_SECONDS = 20
"""Without a byte."""
MAX_SECONDS = 300
"""In all; a server that sends a byte now and then never times out otherwise."""
CHUNK_BYTES = 65_536
OFFLINE = "ACTALKER_OFFLINE"
"""The variable that keeps everything from the network: any value but 0."""
UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
"""What `fetch` raises."""


def is_offline() -> bool:
    """Whether the user keeps the pack from the network."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


def fetch(
    url: str,
    max_bytes: int,
    stage: str = "",
    report: Report = report_nothing,
    max_seconds: float = MAX_SECONDS,
) -> bytes:
    """All that an address gives.

    Args:
        url: `https:` or `file:`; a name and a password in it are left out.
        stage: what is reported as being fetched.

    Raises:
        OSError: no connection, an answer that is none, or one that takes too long.
        HTTPException: the connection ends before the content does.
        ValueError: no address, or more content than expected.
    """
    deadline = time.monotonic() + max_seconds
    with urllib.request.urlopen(hide_password(url), timeout=TIMEOUT_SECONDS) as response:
        length = response.headers.get("Content-Length") or ""
        total = int(length) if length.isdecimal() else None
        content = bytearray()
        while chunk := response.read1(CHUNK_BYTES):  # returns what has come, so the clock is seen
            content += chunk
            if len(content) > max_bytes:
                raise ValueError(f"more than the expected {max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {max_seconds:g} seconds")
            report(stage, len(content), total)
    if total is not None and len(content) < total:
        raise http.client.IncompleteRead(bytes(content), total - len(content))
    return bytes(content)


def hide_password(url: str) -> str:
    """An address without the name and the password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
