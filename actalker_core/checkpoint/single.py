"""One .safetensors that holds every network, with its configuration in the metadata."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..bundle import FLOAT32_LEAVES, ACTalker, weight_dtype
from ..config import ModelConfig, from_dict, to_dict
from ..errors import CheckpointError, InputError
from ..files import save_tensors
from ..model.attention import Ops
from .files import check_keys, first_line, open_safetensors

FORMAT = "actalker-1"


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


def save(
    weights: Mapping[str, Tensor], config: ModelConfig, path: Path, dtype: torch.dtype
) -> None:
    """Write a whole bundle's tensors, replacing `path` only once all is on disk.

    Args:
        weights: under the keys of `bundle.ACTalker`.
        dtype: of all floating tensors but the scan parameters, which stay float32.

    Raises:
        CheckpointError: it cannot be written.
    """
    stored = _apart({name: _stored(name, tensor, dtype) for name, tensor in weights.items()})
    metadata = {"format": FORMAT, "config": json.dumps(to_dict(config))}
    save_tensors(path, stored, metadata, CheckpointError)


def size_bytes(weights: Mapping[str, Tensor], dtype: torch.dtype) -> int:
    """How large a file `save` writes, but for its header; the tensors may be without memory."""
    sizes = (
        tensor.numel() * _stored_dtype(name, tensor, dtype).itemsize
        for name, tensor in weights.items()
    )
    return sum(sizes)


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(_stored_dtype(name, tensor, dtype)).contiguous()


def _stored_dtype(name: str, tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    if not tensor.is_floating_point():
        return tensor.dtype
    return torch.float32 if name.rsplit(".", 1)[-1] in FLOAT32_LEAVES else dtype


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of those tensors that share memory with another, which the format refuses."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return tensors


def load(
    path: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    ops: Ops = nn,
) -> ACTalker:
    """Read a checkpoint tensor by tensor into a model that had no memory before.

    Args:
        device: where the weights go.
        dtype: what the UNet computes in (see `bundle.weight_dtype`).

    Raises:
        CheckpointError: not a checkpoint of this pack, damaged, or of other sizes.
    """
    with open_safetensors(path) as file:
        model = _empty_model(_config(file.metadata(), path), ops, path)
        # A host's layers may have no weights before they are loaded, so that torch's say which.
        named = model if ops is nn else _empty_model(model.config, nn, path)
        expected = named.state_dict()
        check_keys(
            {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()},  # noqa: SIM118
            {key: tuple(value.shape) for key, value in expected.items()},
            path,
        )
        weights = {}
        for key, value in expected.items():
            kind = (
                weight_dtype(key, dtype, value.ndim) if value.is_floating_point() else value.dtype
            )
            weights[key] = file.get_tensor(key).to(device, kind)
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def _empty_model(config: ModelConfig, ops: Ops, path: Path) -> ACTalker:
    try:
        with torch.device("meta"):
            return ACTalker(config, ops)
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(
            f"{path}: the sizes in its configuration do not make a model ({first_line(error)}). "
            "Convert the released files again."
        ) from error


def summarize(path: Path) -> Summary:
    """Describe a checkpoint from its header alone."""
    parameters: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    with open_safetensors(path) as file:
        config = _config(file.metadata(), path)
        for key in file.keys():  # noqa: SIM118
            entry = file.get_slice(key)
            parameters[key.split(".", 1)[0]] += torch.Size(entry.get_shape()).numel()
            dtypes[entry.get_dtype()] += 1
    return Summary(config, path.stat().st_size, dict(parameters), dict(dtypes))


def _config(metadata: Mapping[str, str] | None, path: Path) -> ModelConfig:
    values = metadata or {}
    if values.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this pack (format '{FORMAT}'), got "
            f"'{values.get('format', 'none')}'. Make one from the released files with "
            "`python -m actalker_core convert`, or the node Convert Checkpoint."
        )
    try:
        return from_dict(ModelConfig, json.loads(values["config"]))
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise CheckpointError(
            f"{path}: its configuration cannot be read ({first_line(error)}). "
            "Convert the released files again."
        ) from error
