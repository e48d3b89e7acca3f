"""One .safetensors that holds every network, with its configuration in the metadata."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....errors import ACTalkerError, CheckpointError, InputError, quote
from ....files.archive import read_format
from ....files.headers import parse_json
from ....files.tensor_checks import abbreviate, describe_misfit, refuse_tensors
from ....files.weight_files import check_keys, first_line, open_safetensors
from ....files.writing import save_tensors
from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import ModelConfig, from_dict, to_dict
from ..networks import ACTalker, choose_stored_dtype, choose_weight_dtype
from ..sizes import check_sizes

FORMAT = "actalker-1"
NETWORKS = {field.name for field in fields(ModelConfig)} - {"sampling"}


@dataclass(frozen=True)
class Summary:
    """What a checkpoint holds, without loading it.

    Attributes:
        parameters: numbers per network. dtypes: tensors per stored type.
    """

    config: ModelConfig
    size_bytes: int
    parameters: Mapping[str, int]
    dtypes: Mapping[str, int]


def find_checkpoint(folders: Iterable[Path]) -> Path | None:
    """The first converted checkpoint in some folders, which need not be there; None without one."""
    for folder in folders:
        for path in sorted(folder.glob("*.safetensors")):
            if read_format(path) == FORMAT:
                return path
    return None


def save(
    weights: Mapping[str, Tensor], config: ModelConfig, path: Path, dtype: torch.dtype
) -> None:
    """Write all tensors of a model, replacing `path` only once all is on disk.

    Args:
        weights: name in `networks.ACTalker` -> tensor (…).
        dtype: of all floating tensors but the scan parameters, which stay float32.

    Raises:
        CheckpointError: it cannot be written.
    """
    tensors = {
        name: tensor.to(choose_stored_dtype(name, dtype, tensor.dtype)).contiguous()
        for name, tensor in weights.items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(to_dict(config))}
    save_tensors(path, _separate(tensors), metadata, CheckpointError)


def count_bytes(weights: Mapping[str, Tensor], dtype: torch.dtype) -> int:
    """How large a file `save` makes of tensors (…), but for its header; they need no memory."""
    sizes = (
        tensor.numel() * choose_stored_dtype(name, dtype, tensor.dtype).itemsize
        for name, tensor in weights.items()
    )
    return sum(sizes)


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of those tensors that share memory with another, which the format refuses."""
    addresses: set[int] = set()
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if memory in addresses else tensor
        addresses.add(memory)
    return tensors


def load(
    path: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    ops: LayerOps = FUSED_LAYERS,
) -> ACTalker:
    """Read a checkpoint tensor by tensor into a model that had no memory before.

    Args:
        device: where the weights go.
        dtype: what the UNet computes in (see `networks.choose_weight_dtype`).

    Raises:
        CheckpointError: not a checkpoint of this pack, damaged, of other sizes, or with numbers
            that are not finite or that the type cannot hold.
    """
    with open_safetensors(path) as file:
        model = _build_empty(_read_config(file, path), ops, path)
        # A host's layers may have no weights before they are loaded: torch's say which there are.
        template = model if ops is FUSED_LAYERS else _build_empty(model.config, FUSED_LAYERS, path)
        expected = template.state_dict()
        check_keys(
            {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()},  # noqa: SIM118
            {key: tuple(value.shape) for key, value in expected.items()},
            path,
        )
        weights, misfits = {}, {}
        for key, value in expected.items():
            kind = (
                choose_weight_dtype(key, dtype, value.ndim)
                if value.is_floating_point()
                else value.dtype
            )
            tensor = file.get_tensor(key)
            if fault := describe_misfit(tensor, kind):
                misfits[key] = fault
            else:
                weights[key] = tensor.to(device, kind)
        refuse_tensors(misfits, path)
    model.load_state_dict(weights, assign=True)
    return model.train(False).requires_grad_(False)


def _build_empty(config: ModelConfig, ops: LayerOps, path: Path) -> ACTalker:
    try:
        with torch.device("meta"):
            return ACTalker(config, ops)
    except ACTalkerError:
        raise
    except Exception as error:  # sizes that nobody thought of may raise anything
        raise CheckpointError(
            f"{path}: the sizes in its configuration do not make a model ({first_line(error)}). "
            "Convert the released files again."
        ) from error


def summarize(path: Path) -> Summary:
    """Describe a checkpoint from its header alone.

    Raises:
        CheckpointError: not a checkpoint of this pack, damaged, or of other networks.
    """
    parameters: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    with open_safetensors(path) as file:
        config = _read_config(file, path)
        for key in file.keys():  # noqa: SIM118
            entry = file.get_slice(key)
            parameters[key.split(".", 1)[0]] += math.prod(entry.get_shape())
            dtypes[entry.get_dtype()] += 1
    return Summary(config, path.stat().st_size, dict(parameters), dict(dtypes))


def _read_config(file: Any, path: Path) -> ModelConfig:
    """The configuration of an open checkpoint, which fits itself and the networks in the file."""
    values = file.metadata() or {}
    if values.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this pack (format '{FORMAT}'), got "
            f"{quote(values.get('format', 'none'))}. Make one from the released files with "
            "`python -m actalker_core convert`, or the node Convert Checkpoint."
        )
    try:
        config = from_dict(ModelConfig, parse_json(values["config"]))
        check_sizes(config)
    except (KeyError, InputError) as error:
        raise CheckpointError(
            f"{path}: expected a configuration of this pack, got another "
            f"({first_line(error).rstrip('.')}). "
            "Convert the released files again."
        ) from error
    networks = list(dict.fromkeys(key.partition(".")[0] for key in file.keys()))  # noqa: SIM118
    if set(networks) != NETWORKS:
        raise CheckpointError(
            f"{path}: expected weights of {', '.join(sorted(NETWORKS))}, got those of "
            f"{abbreviate(networks) or 'none'}. Convert the released files again."
        )
    return config
