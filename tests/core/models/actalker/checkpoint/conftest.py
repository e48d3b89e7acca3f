"""What the tests of checkpoints share."""

import functools

import pytest

from actalker_core.models.actalker.checkpoint import release
from actalker_core.models.actalker.networks import ACTalker


@pytest.fixture(autouse=True)
def expected_shapes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a refusal would go into the shapes that are the same for all."""
    monkeypatch.setattr(release, "ACTalker", model_once, raising=False)


model_once = functools.cache(ACTalker)
