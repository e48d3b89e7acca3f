"""Files of packages come from the indexes that pip is set to use."""

import configparser
from pathlib import Path

import pytest

from actalker_core.files.fetching import UNREACHABLE
from actalker_core.files.package_index import DEFAULT_INDEX, fetch_package_file, list_indexes

NAME = "thing-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def no_pip_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a system in which pip is not set at all."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home"))
    monkeypatch.setenv("PROGRAMDATA", str(tmp_path / "system"))
    read = configparser.RawConfigParser.read

    def read_of_test(self: configparser.RawConfigParser, path: Path, encoding: str) -> list[str]:
        return [] if path.parent == Path("/etc") else read(self, path, encoding)

    monkeypatch.setattr(configparser.RawConfigParser, "read", read_of_test)


def make_index(folder: Path, content: bytes, link: str = f"../../files/{NAME}#sha256=0") -> str:
    """An index of one package with one file; returns its address."""
    page = folder / "simple" / "thing" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<html><body><a href="../other.whl">other</a><a href="{link}">x</a></body>')
    (folder / "files").mkdir()
    (folder / "files" / NAME).write_bytes(content)
    return (folder / "simple").as_uri()


def configure(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_file_comes_from_the_first_index_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = make_index(tmp_path / "a", b"a", link="other-1.0.whl")
    second, third = make_index(tmp_path / "b", b"b"), make_index(tmp_path / "c", b"c")
    monkeypatch.setenv("PIP_INDEX_URL", absent)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{second}/ {third}")
    assert fetch_package_file("thing", NAME, 10) == b"b"


def test_an_index_without_the_file_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = make_index(tmp_path / "a", b"a", link="other-1.0.whl")
    monkeypatch.setenv("PIP_INDEX_URL", absent)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(UNREACHABLE) as error:
        fetch_package_file("thing", NAME, 10)
    assert f"{absent}: no {NAME}" in str(error.value)
    assert "secret" not in str(error.value)


def test_without_settings_it_is_pypi() -> None:
    assert list_indexes() == [DEFAULT_INDEX]


@pytest.mark.parametrize("section", ["global", "download"])
def test_the_files_of_pip_say_which_index(tmp_path: Path, section: str) -> None:
    path = tmp_path / "environment" / "pip.conf"
    configure(path, f"[{section}]\nindex-url = https://a/%40\nextra-index-url =\n  b\n  c\n")
    assert list_indexes() == ["https://a/%40", "b", "c"]


def test_the_environment_is_stronger_than_the_user_and_a_variable_than_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path / "home" / ".config" / "pip" / "pip.conf", "[global]\nindex-url = user\n")
    assert list_indexes() == ["user"]
    configure(tmp_path / "environment" / "pip.conf", "[global]\nindex-url = environment\n")
    assert list_indexes() == ["environment"]
    configure(tmp_path / "named", "[global]\nindex-url = named\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named"))
    assert list_indexes() == ["named"]
    monkeypatch.setenv("PIP_INDEX_URL", "variable")
    assert list_indexes() == ["variable"]


@pytest.mark.parametrize("content", [b"no section", b"\xff\xfe\0", b"[global\nindex-url = x"])
def test_damaged_settings_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "environment" / "pip.conf"
    path.parent.mkdir()
    path.write_bytes(content)
    assert list_indexes() == [DEFAULT_INDEX]
