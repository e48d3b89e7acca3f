"""Checkpoints whose configuration holds other values than a model has."""

import random
from pathlib import Path

from fuzz import headers
from fuzz.mutations import alter_metadata


def prepare() -> None:
    """Make what is damaged."""
    headers.prepare()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Describe it, then load it."""
    path, content = inside / "model.safetensors", headers.header()
    for _ in range(rng.choice((1, 1, 1, 3))):
        content = alter_metadata(rng, content, rng.choice(("config", "config", "format")))
    headers.write(path, content, headers.body_bytes())
    headers.read(path)
