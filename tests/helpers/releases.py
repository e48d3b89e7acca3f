"""Releases in miniature: converting them, damaging their files, and the errors that follow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from actalker_core.errors import CheckpointError
from actalker_core.models.actalker.checkpoint import (
    convert,
)
from actalker_core.models.actalker.networks import FLOAT32_LEAVES
from helpers.tiny import TINY

Weights = dict[str, Tensor]

REPOSITORY = Path(__file__).parents[2]
LDM_KEYS = REPOSITORY / "tests" / "data" / "svd_vae_ldm_keys.json"
WHISPER, VAE = "whisper-tiny/model.safetensors", "svd/vae/diffusion_pytorch_model.safetensors"
PICKLES = (
    "unet-1.pth",
    "pose_guider-1.pth",
    "audio_linear-1.pth",
    "id_proj_model-1.pth",
    "vasa_linear-1.pth",
    "adapter_module-1.pth",
    "motion.ckpt",
    "backbone.pth",
)
FILES = (*PICKLES, WHISPER, VAE)
REMEDY = re.compile(
    r"\b(ask|check|choose|convert|download|draw|free|get|give|keep|make|name|remove|update|use)\b",
    re.IGNORECASE,
)


def convert_tiny(folder: Path, out: Path, **options: Any) -> None:
    convert(folder, out, options.pop("dtype", torch.float32), config=TINY, **options)


@contextmanager
def expect_error(*words: str) -> Iterator[None]:
    """A CheckpointError of one line with these words in it, and advice."""
    with pytest.raises(CheckpointError) as error:
        yield
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    assert REMEDY.search(text), f"no remedy in: {text}"
    assert "\n" not in text, "the command line prints one line"


@contextmanager
def expect_refusal(folder: Path, *words: str, **options: Any) -> Iterator[None]:
    """The body damages a released folder; converting that must fail and leave nothing behind."""
    yield
    out = folder.parent / "out" / "tiny.safetensors"
    with expect_error(*words):
        convert_tiny(folder, out, **options)
    assert not out.parent.exists() or not list(out.parent.iterdir())


def rewrite(path: Path, content: bytes | Any) -> None:
    """Replace a file that may be a link; whatever is no bytes is written in the file's format."""
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)


def read_contents(path: Path) -> Any:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)


def check_weights(weights: Weights, expected: Weights, dtype: torch.dtype = torch.float32) -> None:
    """Bit by bit what is left of the wanted ones after rounding to a type."""
    assert weights.keys() == expected.keys()
    for key, value in expected.items():
        rounds = value.is_floating_point() and not key.endswith(FLOAT32_LEAVES)
        expected = value.to(dtype).to(value.dtype) if rounds else value
        assert torch.equal(weights[key], expected), key


def choose_name(values: Weights, prefix: str) -> str:
    return next(key for key in values if key.startswith(prefix) and key.endswith(".weight"))


def remove_tensor(values: Weights, prefix: str) -> tuple[Weights, str]:
    key = choose_name(values, prefix)
    return {k: v for k, v in values.items() if k != key}, key


def add_tensor(values: Weights, prefix: str) -> tuple[Weights, str]:
    return values | {f"{prefix}oddity.weight": torch.ones(1)}, "oddity.weight"


def reshape_tensor(values: Weights, prefix: str) -> tuple[Weights, str]:
    key = choose_name(values, prefix)
    return values | {key: torch.cat([values[key]] * 2)}, key
