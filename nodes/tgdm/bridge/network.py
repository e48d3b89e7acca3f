"""The network of TGDM under ComfyUI's memory management."""

from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch

from ....actalker_core.errors import InputError
from ....actalker_core.models.tgdm.checkpoint import BUILT_IN, FORMAT, load_network
from ....actalker_core.models.tgdm.network import TGDM
from ...common import files


class TGDMBox:
    """A network, loaded when it is used and moved away for whatever needs the room."""

    def __init__(self, network: TGDM) -> None:
        self._patcher = comfy.model_patcher.ModelPatcher(
            torch.nn.ModuleList([network]),  # which may be told a device
            load_device=comfy.model_management.get_torch_device(),
            offload_device=comfy.model_management.unet_offload_device(),
        )

    def load(self) -> TGDM:
        """The network on the device that computes."""
        comfy.model_management.load_models_gpu([self._patcher], force_full_load=True)
        network: TGDM = self._patcher.model[0]
        return network


def make_room() -> torch.device:
    """The device that computes, once all models have left it: a training takes what it needs."""
    comfy.model_management.unload_all_models()
    device: torch.device = comfy.model_management.get_torch_device()
    return device


def list_networks() -> list[str]:
    """What there is to load; the built-in network stands first."""
    return [BUILT_IN, *files.list_models(FORMAT)]


def read_network(source: str | Path) -> TGDMBox:
    """The built-in network, or that of a file, in the type that the device computes in.

    Raises:
        CheckpointError: the file is missing, damaged, or of another family.
    """
    device = comfy.model_management.get_torch_device()
    is_half = comfy.model_management.should_use_fp16(device)
    return TGDMBox(load_network(source, dtype=torch.float16 if is_half else torch.float32))


def check_network(tgdm: Any, name: str) -> TGDMBox:
    """A network that came over a wire.

    Raises:
        InputError: it is none.
    """
    if not isinstance(tgdm, TGDMBox):
        raise InputError(
            f"{name}: expected a network of TGDM, got {type(tgdm).__name__}. Connect Load TGDM or "
            "Train Personal."
        )
    return tgdm
