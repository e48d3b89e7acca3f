"""Banks of expressions with other contents, or with damage."""

import random
from functools import cache
from pathlib import Path

import torch

from actalker_core.control.words.bank import Bank, load_bank, save_bank
from actalker_core.control.words.matchers import PresetMatcher, WordMatcher
from actalker_core.control.words.prompt import express_words, parse_prompt
from actalker_core.faces.blendshapes import NAMES
from fuzz import mutations
from fuzz.saved_signals import bytes_of


@cache
def banks() -> tuple[bytes, ...]:
    """With captions, with pictures' embeddings and blendshapes, with names alone."""
    names, draw = ("neutral", "joyful", "sad"), torch.Generator().manual_seed(0)
    features = torch.rand(3, 8, generator=draw)
    shapes = torch.rand(3, len(NAMES), generator=draw)
    examples = (
        Bank(names, features, captions=names),
        Bank(names, features, torch.rand(3, 6, generator=draw), shapes, clip_fingerprint="6:0"),
        Bank(names, features),
    )
    return tuple(bytes_of(lambda path, bank=bank: save_bank(path, bank)) for bank in examples)


def prepare() -> None:
    """Make what is damaged."""
    banks()


def case(rng: random.Random, inside: Path, outside: Path) -> None:
    """Load it, then let words choose from it, and save it."""
    path, data = inside / "bank.safetensors", rng.choice(banks())
    key = rng.choice(("names", "captions", "clip", "format", "version"))
    mutators = (
        mutations.damage,
        mutations.alter_header,
        lambda r, data: mutations.alter_metadata(r, data, key),
        lambda r, data: mutations.alter_metadata(r, data, key),
    )
    path.write_bytes(rng.choice(mutators)(rng, data))
    bank = load_bank(path)
    assert 0 <= bank.neutral_index < len(bank)
    matcher = WordMatcher(bank) if bank.blendshapes is None else PresetMatcher(bank)
    signal = express_words(
        parse_prompt("0s: neutral; 1s: joyful"), bank, matcher, seconds=2, rate_hz=5
    )
    assert signal.features.isfinite().all()
    save_bank(outside / "again.safetensors", bank)
    assert load_bank(outside / "again.safetensors").names == bank.names
