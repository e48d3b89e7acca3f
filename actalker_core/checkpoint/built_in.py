"""The model that comes with the pack."""

import logging

import torch
from torch import nn

from ..bundle import ACTalker, place, random_model
from ..model.attention import Ops

log = logging.getLogger(__name__)

BUILT_IN = "built-in"
"""Its name wherever a checkpoint is chosen."""
NOTICE = (
    "The built-in model is still in training and has random weights: the picture means nothing. "
    "For photographs, fetch the released weights and convert them (see Weights in the README)."
)


def load_built_in(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, ops: Ops = nn
) -> ACTalker:
    """The built-in model; arguments as in `load`. Says once more what it is for."""
    log.warning(NOTICE)
    return place(random_model(BUILT_IN, ops=ops), torch.device(device), dtype)
