"""A model that is ready to run."""

from pathlib import Path

import torch

from ...ops.layers import CASTING_LAYERS, FUSED_LAYERS
from .checkpoint import BUILT_IN, load, load_built_in
from .networks import ACTalker
from .unet.mamba import use_scan_backend


def load_model(
    source: str | Path = BUILT_IN,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    *,
    scan: str = "auto",
) -> ACTalker:
    """The built-in model, or that of a converted checkpoint.

    Args:
        source: `built-in`, or a `.safetensors` that `convert` wrote.
        dtype: of the UNet's weights; None for half precision on CUDA and float32 elsewhere. Those
            of 8 bits compute in half precision.
        scan: backend of the selective scan, one of `selective_scan.CHOICES`.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
        InputError: a backend that does not run here.
    """
    device = torch.device(device)
    if dtype is None:
        dtype = torch.float16 if device.type == "cuda" else torch.float32
    ops = CASTING_LAYERS if dtype.itemsize == 1 else FUSED_LAYERS
    if source == BUILT_IN:
        model = load_built_in(device, dtype, ops)
    else:
        model = load(Path(source), device, dtype, ops)
    use_scan_backend(model, scan)
    return model
