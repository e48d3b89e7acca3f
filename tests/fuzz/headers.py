"""Checkpoints whose header is damaged, or says something else."""

import random
from functools import cache
from pathlib import Path

import torch
from helpers.tiny import TINY

from actalker_core.files.archive import read_format
from actalker_core.models.actalker.checkpoint import load, save, summarize
from actalker_core.models.actalker.networks import ACTalker
from fuzz.mutations import alter_header, damage, header_and_body, join


@cache
def header() -> bytes:
    """Of a checkpoint of the smallest variant; its weights would be noughts."""
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(".")
    path = folder / f"actalker-fuzz-{random.SystemRandom().randrange(10**12)}.safetensors"
    try:
        weights = ACTalker(TINY).state_dict()
        save(weights, TINY, path, torch.float16)
        content, _ = header_and_body(path.read_bytes())
        return join(content, b"")
    finally:
        path.unlink(missing_ok=True)


@cache
def body_bytes() -> int:
    """How long the weights are."""
    content, _ = header_and_body(header())
    return max(entry["data_offsets"][1] for name, entry in content.items() if name[0] != "_")


def prepare() -> None:
    """Make what is damaged."""
    body_bytes()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Describe it, then load it."""
    path = inside / "model.safetensors"
    mutate = rng.choice((damage, alter_header))
    write(path, mutate(rng, header()), body_bytes() + rng.choice((0, 0, 0, -1, 1, 4096)))
    read(path)


def write(path: Path, start: bytes, more: int) -> None:
    """A header and a hole in place of the weights."""
    path.write_bytes(start)
    with path.open("r+b") as file:
        file.truncate(len(start) + more)


def read(path: Path) -> None:
    """What it says about itself, and its weights."""
    assert isinstance(read_format(path), str)
    summary = summarize(path)
    assert all(count >= 0 for count in summary.parameters.values())
    model = load(path)
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())
