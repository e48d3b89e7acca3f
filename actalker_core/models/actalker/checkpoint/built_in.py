"""The model that comes with the pack."""

import logging
from pathlib import Path

import torch

from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..networks import ACTalker
from .single_file import load

log = logging.getLogger(__name__)

BUILT_IN = "built-in"
"""Its name wherever a checkpoint is chosen."""
BUILT_IN_PATH = Path(__file__).with_name("built_in.safetensors")
NOTICE = (
    "The built-in model knows only the faces that this pack draws (Demo Media, `make demo`). For "
    "photographs, fetch the released weights and convert them (see docs/install-weights.md)."
)


def load_built_in(
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    ops: LayerOps = FUSED_LAYERS,
) -> ACTalker:
    """The built-in model; arguments and errors as in `load`. Says what it is for."""
    log.info(NOTICE)
    return load(BUILT_IN_PATH, device, dtype, ops)
