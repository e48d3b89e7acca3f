"""The smallest model that has every part: it runs at once, and its frames mean nothing."""

import functools

import torch

from actalker_core.models.actalker import config
from actalker_core.models.actalker.config import ModelConfig
from actalker_core.models.actalker.networks import ACTalker
from helpers.tiny_config import tiny_config

TINY: ModelConfig = tiny_config(config)


@functools.cache
def tiny_model() -> ACTalker:
    """A model with random weights."""
    torch.manual_seed(0)
    return ACTalker(TINY).eval().requires_grad_(False)
