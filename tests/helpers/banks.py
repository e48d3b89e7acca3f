"""A small CLIP of made weights, banks of expressions, and stand-ins for what reads them."""

import json
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from actalker_core.control.words.bank import Bank, Reference
from actalker_core.control.words.matchers import TEMPLATE, CLIPMatcher, Matcher, PresetMatcher
from actalker_core.control.words.presets import PRESETS
from actalker_core.control.words.prompt import express_words, parse_prompt
from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.box import Box, image_box
from actalker_core.faces.face import Face, SearchDepth
from helpers.formula import rand, randn

WIDTH = 24
IMAGE_PX = 32
WORDS = ("neutral", "joyful", "surprised", "sad")
FPS = 12.5
KINDS = ("clip", "preset")


def write_clip(folder: Path, seed: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    """A CLIP of made weights that reads lower-case letters."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{x}</w>" for x in letters), "<|startoftext|>", "<|endoftext|>"]
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    tower |= {"num_attention_heads": 4}
    start, end = len(tokens) - 2, len(tokens) - 1
    text = tower | {"vocab_size": len(tokens), "bos_token_id": start, "eos_token_id": end}
    config = CLIPConfig(
        text_config=text | {"pad_token_id": end},
        vision_config=tower | {"image_size": IMAGE_PX, "patch_size": 8},
        projection_dim=WIDTH,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(config).to(dtype).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


class StubClip:
    """Embeds texts by a formula of their letters, and keeps the images that it was given."""

    image_px = 48

    def __init__(self, width: int = WIDTH, fingerprint: str = "stub", gap: float = 0.0) -> None:
        self.width, self.fingerprint, self.gap = width, fingerprint, gap
        self.images: list[Tensor] = []

    def encode_texts(self, texts: list[str]) -> Tensor:
        return torch.stack([randn(1, text, self.width) for text in texts]) + self.gap

    def encode_images(self, images: Tensor) -> Tensor:
        self.images.append(images)
        return images.mean((2, 3)).repeat(1, self.width // 3)


class NameMatcher:
    """Gives all weight to the entry of that name."""

    def __init__(self, bank: Bank) -> None:
        self.names = bank.names

    def match(self, text: str) -> Tensor:
        return F.one_hot(torch.tensor(self.names.index(text)), len(self.names)).float()


class WholeImageFinder:
    """Sees one face that fills each image, and none in a black one."""

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        box = image_box(image.shape[2], image.shape[1])
        return [Face(box, 1.0)] if image.any() else []

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        return next(iter(self.find(image)), None)


def references(*names: str, caption: str = "") -> list[Reference]:
    return [Reference(n, rand(0, n, 3, 40, 64), caption and f"{caption} {n}") for n in names]


def phrases(words: tuple[str, ...] | list[str]) -> list[str]:
    return [TEMPLATE.format(word) for word in words]


def shapes_of(preset: str) -> list[float]:
    return [PRESETS[preset].get(name, 0.0) for name in NAMES]


def preset_bank() -> Bank:
    """The presets themselves, as far from each other as can be."""
    shapes = torch.tensor([shapes_of(preset) for preset in PRESETS])
    return Bank(tuple(PRESETS), torch.eye(len(PRESETS)), blendshapes=shapes)


def named_bank(names: tuple[str, ...] = WORDS) -> Bank:
    return Bank(names, torch.eye(len(names)), captions=names)


def matcher_of(kind: str, bank: Bank, temperature: float | None) -> Matcher:
    if kind == "clip":
        return CLIPMatcher(replace(bank, captions=bank.names), StubClip(), temperature)
    return PresetMatcher(bank, temperature)


def express(text: str, bank: Bank, matcher: Matcher, strength: float = 1.0) -> Tensor:
    prompt = parse_prompt(text)
    return express_words(prompt, bank, matcher, seconds=6, rate_hz=FPS, strength=strength).features
