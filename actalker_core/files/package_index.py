"""Files of Python packages, from the index that pip is set to use; nothing is installed.

Source: the simple repository API, https://packaging.python.org/specifications/simple-repository-api.
"""

import configparser
import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from ..progress import Report, report_nothing
from .fetching import UNREACHABLE, fetch, hide_password

DEFAULT_INDEX = "https://pypi.org/simple"
MAX_PAGE_BYTES = 4_000_000
SECTIONS = ("download", "global")
"""Of pip's configuration, the stronger one first."""


def fetch_package_file(
    package: str, name: str, max_bytes: int, report: Report = report_nothing
) -> bytes:
    """A file of a package, from the first index that has it.

    Raises:
        OSError: no index can be reached, or none has the file; says why for each.
        HTTPException, ValueError: see `fetch`.
    """
    reasons = []
    for index in list_indexes():
        page = f"{index.rstrip('/')}/{package}/"
        try:
            url = _find_link(page, name)
        except UNREACHABLE as error:
            reasons.append(f"{hide_password(index)}: {error}")
            continue
        if url is not None:
            return fetch(url, max_bytes, f"Fetching {name}", report)
        reasons.append(f"{hide_password(index)}: no {name}")
    raise OSError("; ".join(reasons))


def list_indexes() -> list[str]:
    """The addresses of the indexes that pip would ask, in its order."""
    main = _read_setting("index-url") or DEFAULT_INDEX
    return list(dict.fromkeys([main, *_read_setting("extra-index-url").split()]))


def _read_setting(name: str) -> str:
    """What pip's variable says, else what its files say; "" if none does."""
    value = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if value:
        return value
    for path in _list_configurations():
        # pip reads values as they are; `%` is part of addresses.
        configuration = configparser.RawConfigParser()
        try:
            configuration.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeError):
            continue  # pip complains of it; here it only means one index less
        for section in SECTIONS:
            if configuration.has_option(section, name):
                return configuration.get(section, name)
    return ""


def _list_configurations() -> Iterator[Path]:
    """Pip's files, the strongest first. Source: pip's documentation of its configuration."""
    setting = os.environ.get("PIP_CONFIG_FILE")
    if setting == os.devnull:
        return
    if setting:
        yield Path(setting)
    home, file = Path.home(), "pip.ini" if os.name == "nt" else "pip.conf"
    yield Path(sys.prefix, file)
    if os.name == "nt":
        yield Path(os.environ.get("APPDATA", home), "pip", file)
        yield home / "pip" / file
        yield Path(os.environ.get("PROGRAMDATA", home), "pip", file)
        return
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", file)
    yield home / "Library" / "Application Support" / "pip" / file
    yield home / ".pip" / file
    yield Path("/etc", file)
    for folder in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(folder, "pip", file)


def _find_link(page: str, name: str) -> str | None:
    """The address of a file on a package's page; `fetch` has the errors."""
    if page.startswith("file:"):
        page = f"{page}index.html"
    links = _Links()
    links.feed(fetch(page, MAX_PAGE_BYTES).decode("utf-8", "replace"))
    for link in links.addresses:
        url = urljoin(page, link)
        if unquote(urlsplit(url).path).rpartition("/")[2] == name:
            return re.sub("#.*", "", url)
    return None


class _Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        self.addresses += [
            value for name, value in attrs if tag == "a" and name == "href" and value
        ]
