"""Weights and inputs as a formula of (seed, key, shape), so that golden data needs no weight file.

The rules are those of `tests/data/golden/README.md`.
"""

import zlib

import numpy as np
import torch
from torch import Tensor, nn


def _random(key: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=zlib.crc32(key.encode())))


def randn(seed: int, name: str, *shape: int) -> Tensor:
    """The normal input called `name`."""
    return torch.from_numpy(_random(f"{seed}:input:{name}").standard_normal(shape).astype("f4"))


def rand(seed: int, name: str, *shape: int) -> Tensor:
    """The uniform input called `name`, in 0…1."""
    return torch.from_numpy(_random(f"{seed}:input:{name}").random(shape).astype("f4"))


def weight(seed: int, key: str, shape: torch.Size) -> Tensor:
    """The value of one entry of a state dict."""
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.long)
    z = _random(f"{seed}:{key}").standard_normal(tuple(shape)).astype("f4")
    return torch.from_numpy(np.asarray(_scale(leaf, z), dtype="f4"))


def _scale(leaf: str, z: np.ndarray) -> np.ndarray:
    if leaf == "A_logs":
        return np.log(np.arange(1, z.shape[-1] + 1, dtype="f4")) + 0.1 * z
    if leaf == "running_var":
        return 1 + 0.1 * np.abs(z)
    offset_and_gain = {
        "dt_projs_bias": (-4, 0.5),
        "mix_factor": (0, 0.3),
        "bias": (0, 0.05),
        "running_mean": (0, 0.05),
    }
    if leaf in offset_and_gain or z.ndim == 1:  # another vector: Ds, norm scale, PReLU slope
        offset, gain = offset_and_gain.get(leaf, (1, 0.1))
        return offset + gain * z
    last_only = leaf in ("x_proj_weight", "dt_projs_weight")
    return z / np.sqrt(z.shape[-1] if last_only else np.prod(z.shape[1:]))


def fill_weights(module: nn.Module, seed: int) -> nn.Module:
    """The module with every weight replaced by its formula, ready for inference."""
    state = {key: weight(seed, key, value.shape) for key, value in module.state_dict().items()}
    module.load_state_dict(state, strict=True)
    return module.eval().requires_grad_(False)
