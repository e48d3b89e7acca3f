"""Checkpoints -> MODEL, encoders and VAE under ComfyUI's memory management."""

from functools import partial
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch

from ....actalker_core.errors import check_choice
from ....actalker_core.models.actalker.checkpoint import (
    BUILT_IN,
    BUILT_IN_PATH,
    load,
    load_built_in,
    summarize,
)
from ....actalker_core.models.actalker.config import ModelConfig
from ....actalker_core.models.actalker.defaults import list_warnings
from ....actalker_core.models.actalker.networks import ACTalker, Encoders
from ....actalker_core.models.actalker.unet.mamba import use_scan_backend
from ....actalker_core.ops.selective_scan import CHOICES
from ...common.files import model_path
from .model import Layers, make_patcher
from .vae import TemporalVAE

DTYPES = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "fp8_e4m3fn": torch.float8_e4m3fn,
}
COMPUTE_DTYPES = [torch.float16, torch.bfloat16, torch.float32]


class EncoderBox:
    """The encoders, loaded when they are used and moved away for whatever needs the room.

    Attributes:
        config: of the model that they belong to.
    """

    def __init__(self, encoders: Encoders) -> None:
        self.config: ModelConfig = encoders.config
        self._patcher = comfy.model_patcher.ModelPatcher(
            torch.nn.ModuleList([encoders]),  # which may be told a device; encoders know theirs
            load_device=comfy.model_management.get_torch_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )

    def list_warnings(self, *, short_side_px: int | None = None) -> list[str]:
        """What the model will not do well at a size; None is its own."""
        return list_warnings(self.config, short_side_px=short_side_px)

    def load(self) -> Encoders:
        """The networks on the device that computes."""
        comfy.model_management.load_models_gpu([self._patcher], force_full_load=True)
        return self._patcher.model[0]


def load_model(
    name: str, dtype: str, scan: str
) -> tuple[comfy.model_patcher.ModelPatcher, EncoderBox, TemporalVAE]:
    """MODEL, encoders and VAE of a checkpoint.

    Args:
        dtype: of the denoiser's weights, or auto. scan: see `actalker_core.ops.selective_scan`.

    Raises:
        CheckpointError: the file is missing or of another kind.
        InputError: an unknown type.
    """
    check_choice("dtype", dtype, ("auto", *DTYPES))
    check_choice("scan_backend", scan, CHOICES)
    model, weight_dtype, compute_dtype = _read(name, dtype, scan)
    unet, vae = model.unet, model.vae
    del model.unet, model.vae
    patcher, decoder = (
        make_patcher(model.config, unet, weight_dtype, compute_dtype),
        TemporalVAE(vae, model.config),
    )
    # With these newer ComfyUI makes another MODEL or VAE for another GPU, or a MODEL that it does
    # not stream.
    patcher.cached_patcher_init = (load_denoiser, (name, dtype, scan))
    decoder.patcher.cached_patcher_init = (load_autoencoder, (name, dtype, scan))
    return patcher, EncoderBox(model), decoder


def load_denoiser(
    name: str, dtype: str, scan: str, disable_dynamic: bool = False
) -> comfy.model_patcher.ModelPatcher:
    """The MODEL of `load_model` anew; its last argument is ComfyUI's."""
    model, weight_dtype, compute_dtype = _read(name, dtype, scan)
    return make_patcher(
        model.config, model.unet, weight_dtype, compute_dtype, dynamic=not disable_dynamic
    )


def load_autoencoder(
    name: str, dtype: str, scan: str, disable_dynamic: bool = False
) -> comfy.model_patcher.ModelPatcher:
    """What runs the VAE of `load_model`, anew; ComfyUI never streams it."""
    model, _, _ = _read(name, dtype, scan)
    return TemporalVAE(model.vae, model.config).patcher


def _read(name: str, dtype: str, scan: str) -> tuple[ACTalker, torch.dtype, torch.dtype | None]:
    """A checkpoint, and what its denoiser's weights are stored in and compute in."""
    is_built_in = name == BUILT_IN
    path = BUILT_IN_PATH if is_built_in else model_path(name)
    weight_dtype, compute_dtype = _types(summarize(path).parameters["unet"], DTYPES.get(dtype))
    layers: Any = Layers  # whose layers are ComfyUI's, of which no types are known
    model = (load_built_in if is_built_in else partial(load, path))(dtype=weight_dtype, ops=layers)
    use_scan_backend(model, scan)
    return model, weight_dtype, compute_dtype


def _types(numbers: int, dtype: torch.dtype | None) -> tuple[torch.dtype, torch.dtype | None]:
    """What the weights are stored in, and what they compute in if that is another type."""
    manage = comfy.model_management
    weight_dtype = dtype or manage.unet_dtype(model_params=numbers, supported_dtypes=COMPUTE_DTYPES)
    return weight_dtype, manage.unet_manual_cast(
        weight_dtype, manage.get_torch_device(), COMPUTE_DTYPES
    )
