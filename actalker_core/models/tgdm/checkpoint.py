"""One .safetensors for a network of the family, with the name of its variant in the metadata."""

from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError, quote
from ...files.tensor_checks import describe_misfit, refuse_tensors
from ...files.weight_files import check_keys, open_safetensors
from ...files.writing import save_tensors
from .config import VARIANTS
from .network import TGDM

FORMAT = "tgdm-1"
BUILT_IN = "built-in"
BUILT_IN_PATH = Path(__file__).with_name("built_in.safetensors")
"""Trained on drawn people."""
STORED_DTYPE = torch.float16
FAMILIES = {"actalker": "ACTalker", "tgdm": "TGDM"}
"""How formats of checkpoints begin, and whose they are."""


def save_network(network: TGDM, path: Path) -> None:
    """Write the weights in half precision, replacing `path` only once all is on disk.

    Raises:
        CheckpointError: the network is no variant, or the file cannot be written.
    """
    variants = {config: name for name, config in VARIANTS.items()}
    if network.config not in variants:
        raise CheckpointError(
            f"{path}: expected a network of {', '.join(VARIANTS)}, got other sizes. Add a row to "
            "`VARIANTS`."
        )
    weights = {
        name: tensor.detach().to("cpu", STORED_DTYPE).contiguous()
        for name, tensor in network.state_dict().items()
    }
    metadata = {"format": FORMAT, "variant": variants[network.config]}
    save_tensors(path, weights, metadata, CheckpointError)


def load_network(
    source: str | Path = BUILT_IN,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> TGDM:
    """The built-in network, or that of a file that `save_network` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, of another family, or holds numbers that
            are not finite.
    """
    path = BUILT_IN_PATH if source == BUILT_IN else Path(source)
    with open_safetensors(path) as file:
        network = TGDM(VARIANTS[_read_variant(file.metadata() or {}, path)])
        expected = network.state_dict()
        check_keys(
            {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()},  # noqa: SIM118
            {key: tuple(value.shape) for key, value in expected.items()},
            path,
        )
        weights, misfits = {}, {}
        for key in expected:
            tensor = file.get_tensor(key)
            if fault := describe_misfit(tensor, dtype):
                misfits[key] = fault
            weights[key] = tensor
        refuse_tensors(misfits, path)
    network.load_state_dict(weights)
    return network.to(device, dtype).train(False).requires_grad_(False)


def _read_variant(metadata: dict[str, Any], path: Path) -> str:
    """The variant of a file's metadata."""
    file_format = str(metadata.get("format", "none"))
    if file_format != FORMAT:
        family = FAMILIES.get(file_format.partition("-")[0])
        got = f"one of {family} ({quote(file_format)})" if family else quote(file_format)
        raise CheckpointError(
            f"{path}: expected a file of TGDM (format '{FORMAT}'), got {got}. Choose a file that "
            "`python -m actalker_core personal` or the node Train Personal wrote, or the built-in "
            "one."
        )
    variant = metadata.get("variant")
    if variant not in VARIANTS:
        raise CheckpointError(
            f"{path}: expected a variant of {', '.join(VARIANTS)}, got {quote(variant)}. Train it "
            "anew, or update the pack."
        )
    return str(variant)
