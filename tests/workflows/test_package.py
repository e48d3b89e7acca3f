"""comfy-cli takes the pack; its archive holds what an artist needs, and runs alone in a ComfyUI."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.http_host import REPOSITORY, Server, api_format, load_workflow, messages, small
from helpers.package import CLI, Package, unpack

NEEDED = {
    *("LICENSE", "README.md", "__init__.py", "pyproject.toml", "requirements.txt"),
    *("actalker_core", "locales", "nodes", "web", "workflows"),
}
WELCOME = {"CHANGELOG.md", "CONTRIBUTING.md", "docs"}
NOT_FOR_ARTISTS = "actalker_core/training/"
LIMIT_BYTES = 25_000_000

pytestmark = pytest.mark.skipif(not CLI.is_file(), reason=f"no comfy-cli at {CLI}: make test-comfy")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def archive(package: Package) -> Path:
    return package.pack()


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ComfyUI whose only pack is the archive's."""
    pack = unpack(archive, tmp_path_factory.mktemp("unpacked") / "actalker")
    running = Server(tmp_path_factory.mktemp("installed"), pack)
    yield running
    running.close()


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as file:
        return {name for name in file.namelist() if not name.endswith("/")}


def test_the_registry_takes_it(package: Package) -> None:
    said = package.validate()
    assert "passed" in said
    assert not re.search(r"warning|error", said, re.IGNORECASE), said


def test_the_archive_has_what_an_artist_needs_and_nothing_else(
    package: Package, archive: Path
) -> None:
    packed = names(archive)
    top = {name.split("/")[0] for name in packed}
    assert top - WELCOME == NEEDED
    expected = {name for name in package.list_files() if name.split("/")[0] in NEEDED | WELCOME}
    assert packed == {name for name in expected if not name.startswith(NOT_FOR_ARTISTS)}
    assert archive.stat().st_size < LIMIT_BYTES


def test_the_archive_alone_runs_a_template(installed: Server) -> None:
    assert any(name.startswith("ACTalker_") for name in installed.info)
    entry = installed.run(
        small(api_format(load_workflow("06 The model in one node"), installed.info))
    )
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    assert list((installed.base / "output").rglob("*.mp4"))
    log = installed.read_log()
    assert not [name for name in NEEDED if str(REPOSITORY / name) in log]
