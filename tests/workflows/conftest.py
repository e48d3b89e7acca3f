"""One server for all workflows."""

from collections.abc import Iterator

import pytest
from helpers.http_host import Server
from helpers.recorded_faces import TASK


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("server")
    if TASK.is_file():
        models = base / "models" / "actalker"
        models.mkdir(parents=True)
        (models / TASK.name).symlink_to(TASK)
    running = Server(base)
    yield running
    running.close()
