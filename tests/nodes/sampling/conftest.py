"""Clips that tests of sampling have in common."""

from typing import Any

import pytest
from helpers.host import Comfy
from helpers.sampling import EXACT_SIDE_PX, SIDE_PX, Preparation, conditioned_on, prepare


@pytest.fixture(scope="session")
def preparation(comfy: Comfy, models: Any) -> Preparation:
    return prepare(comfy, models, SIDE_PX)


@pytest.fixture(scope="session")
def exact_preparation(comfy: Comfy, models: Any) -> Preparation:
    return prepare(comfy, models, EXACT_SIDE_PX)


@pytest.fixture(scope="session")
def clip(comfy: Comfy, models: Any, preparation: Preparation) -> Any:
    """CONDITIONING and LATENT."""
    return conditioned_on(comfy, models, preparation)


@pytest.fixture(scope="session")
def exact_clip(comfy: Comfy, models: Any, exact_preparation: Preparation) -> Any:
    """The same, large enough to compare computations that round in another order."""
    return conditioned_on(comfy, models, exact_preparation)
