"""Weights as `torch.save` writes them, with damage; nothing in them may run."""

import io
import pickle
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from actalker_core.files.weight_files import read_weights
from fuzz.mutations import STRANGE, damage, repack


class Run:
    """Calls a function when it is read back."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (Path(self._path),)


def _save(value: Any, new: bool = True) -> bytes:
    content = io.BytesIO()
    torch.save(value, content, _use_new_zipfile_serialization=new)
    return content.getvalue()


@cache
def weights() -> tuple[bytes, ...]:
    """In the new and in the old form."""
    values = {"a.weight": torch.rand(4, 3), "a.bias": torch.rand(4), "step": torch.tensor(3)}
    return _save(values), _save(values, new=False), _save({"state_dict": values})


def prepare() -> None:
    """Make what is damaged."""
    weights()


def _strange(rng: random.Random, data: bytes) -> bytes:
    """Other values than tensors, or tensors of other kinds."""
    makers: tuple[Callable[[], Any], ...] = (
        lambda: torch.rand(3, 3).to_sparse(),
        lambda: torch.rand(3, 3).to_sparse_csr(),
        lambda: torch.empty(3, 3, device="meta"),
        lambda: torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.quint8),
        lambda: torch.full((3,), float("nan")),
        lambda: torch.zeros(3, dtype=torch.complex64),
        lambda: torch.zeros(1).expand(1 << 40),
        lambda: torch.nested.nested_tensor([torch.rand(1), torch.rand(2)]),
        *(s for s in STRANGE if not isinstance(s(), list)),
    )
    value = rng.choice(makers)()
    return _save(rng.choice(({"a": value}, value, {value if _is_key(value) else "b": {}})))


def _is_key(value: Any) -> bool:
    return not isinstance(value, list | dict | torch.Tensor)


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Read it; whatever it holds, nothing in it runs."""
    path, ran = inside / rng.choice(("w.pth", "w.ckpt", "w.bin")), outside / "ran"
    if rng.random() < 0.1:
        path.write_bytes(pickle.dumps({"a": Run(str(ran)), "b": torch.rand(2)}))
    else:
        mutate = rng.choice((damage, repack, _strange))
        path.write_bytes(mutate(rng, rng.choice(weights())))
    try:
        tensors = read_weights(path)
        assert all(isinstance(value, torch.Tensor) for value in tensors.values())
        assert all(len(str(value.sum())) > 0 for value in tensors.values())
    finally:
        assert not ran.exists(), "a pickle ran"
