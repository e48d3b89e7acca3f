"""A network that the tests of TGDM share."""

import pytest
from helpers.tgdm import make_network

from actalker_core.models.tgdm.network import TGDM


@pytest.fixture(scope="package")
def network() -> TGDM:
    return make_network()
