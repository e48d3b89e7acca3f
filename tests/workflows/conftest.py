"""One server for all workflows."""

from collections.abc import Iterator

import pytest
from helpers.http_host import Server, lay_landmarker
from helpers.input_files import write_input_files


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("server")
    lay_landmarker(base)
    write_input_files(base / "input")
    running = Server(base)
    yield running
    running.close()
