"""Checkpoints whose configuration holds other values than a model has."""

import random
from pathlib import Path

from fuzz import headers
from fuzz.mutations import altered_metadata


def prepare() -> None:
    """Make what is damaged."""
    headers.prepare()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Describe it, then load it."""
    path, changed = inside / "model.safetensors", headers.header()
    for _ in range(rng.choice((1, 1, 1, 3))):
        changed = altered_metadata(rng, changed, rng.choice(("config", "config", "format")))
    headers.write(path, changed, headers.body_bytes())
    headers.read(path)
