"""What readers and writers of media warn of."""

import logging

import pytest


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of a test, from warnings on."""
    caplog.set_level(logging.WARNING, "actalker_core.media")
    return caplog
