"""Saved signals with other contents, or with damage."""

import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from actalker_core.control.edits import EDITS, parse_edit
from actalker_core.control.signals import (
    AudioSignal,
    ExpressionSignal,
    PoseSignal,
    Signals,
    load_signals,
    save_signals,
)
from fuzz import mutations


def bytes_of(save: Callable[[Path], object]) -> bytes:
    """What a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.safetensors"
        save(path)
        return path.read_bytes()


@cache
def signals() -> tuple[bytes, ...]:
    """One kind each, and all three."""
    draw = torch.Generator().manual_seed(0)
    audio = AudioSignal(50.0, "speech", torch.rand(20, 2, 4, generator=draw))
    expression = ExpressionSignal(12.5, "clip", torch.rand(7, 6, generator=draw))
    rotation_degrees = 360 * torch.rand(7, 3, generator=draw) - 180
    pose = PoseSignal(12.5, "clip", rotation_degrees, torch.rand(7, 3, generator=draw))
    examples = (
        Signals(audio=audio),
        Signals(expression=expression),
        Signals(pose=pose),
        Signals(audio, expression, pose),
    )
    return tuple(bytes_of(lambda path, s=s: save_signals(path, s)) for s in examples)


def prepare() -> None:
    """Make what is damaged."""
    signals()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Load them, edit them, and save them."""
    path, data = inside / "signals.safetensors", rng.choice(signals())
    texts = mutations.header_and_body(data)[0]["__metadata__"]
    key = rng.choice(sorted(texts))
    mutators = (
        mutations.damage,
        mutations.alter_header,
        mutations.alter_header,
        lambda r, d: mutations.alter_metadata(r, d, key),
    )
    path.write_bytes(rng.choice(mutators)(rng, data))
    source = load_signals(path)
    values = {1: "0.3", 2: "0.1:0.4"}
    name = rng.choice(list(EDITS))
    edit = parse_edit(f"{name}={'9' if name == 'resample' else values[EDITS[name][1]]}")
    result = edit(source)
    save_signals(outside / "again.safetensors", result)
    again = load_signals(outside / "again.safetensors")
    for kind, signal in result.present.items():
        over = signal.sample(5, 12.5)
        for track, value in over.tracks.items():
            assert value.isfinite().all()
            assert len(value) == 5
            assert torch.equal(again.present[kind].tracks[track], signal.tracks[track])
