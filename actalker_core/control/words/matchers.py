"""Matchers: how much of each entry of a bank a text asks for."""

import re
from collections.abc import Iterable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError, quote
from ...faces.blendshapes import NAMES
from ...limits import TEMPERATURE
from .bank import Bank
from .clip import CLIPEncoder
from .presets import PRESETS, SYNONYMS

TEMPLATE = "a photo of a {} face"
CLIP_TEMPERATURE = 0.1
PRESET_TEMPERATURE = 0.25
"""Each matcher's own; lower ones choose fewer entries of the bank."""


class Matcher(Protocol):
    """Compares texts with the n entries of a bank."""

    def match(self, text: str) -> Tensor:
        """Weights (entries,) of the entries for a text; they sum to 1."""


class CLIPMatcher:
    """Compares a text with the captions of a bank, or with its images if it has no captions.

    weights = softmax(cos(t − m, e − e̅) / temperature), where t is the text's embedding, e are
    the bank's, e̅ their mean, and m the mean of the other texts that t could have been (the
    captions, or the emotions of `presets`). Both means go because embeddings of images and of
    texts each crowd around a direction of their own.

    Source: Radford et al., arXiv 2103.00020; Liang et al., arXiv 2203.02053 (the two crowds).

    Raises:
        InputError: the bank has neither, or was encoded by another CLIP; a temperature outside
            `limits.TEMPERATURE`.
    """

    def __init__(self, bank: Bank, clip: CLIPEncoder, temperature: float | None = None) -> None:
        temperature = TEMPERATURE.check(CLIP_TEMPERATURE if temperature is None else temperature)
        self._clip, self._temperature = clip, temperature
        if bank.captions:
            embeddings = clip.encode_texts(_phrases(bank.captions))
            self._text_mean = embeddings.mean(0)
        else:
            embeddings = _check_images(bank, clip)
            self._text_mean = clip.encode_texts(_phrases(PRESETS)).mean(0)
        self._entries = F.normalize(embeddings - embeddings.mean(0), dim=1)

    def match(self, text: str) -> Tensor:
        """Weights (entries,) by the angle between the text's embedding and each entry's."""
        embedding = self._clip.encode_texts(_phrases([text]))[0]
        direction = F.normalize(embedding - self._text_mean, dim=0)
        return torch.softmax(self._entries @ direction / self._temperature, dim=0)


def _phrases(words: Iterable[str]) -> list[str]:
    return [TEMPLATE.format(word) for word in words]


def _check_images(bank: Bank, clip: CLIPEncoder) -> Tensor:
    """The bank's image embeddings (entries, e), if this CLIP has made them."""
    if bank.image_embeddings is None:
        raise InputError(
            "This bank has neither captions nor CLIP embeddings. Build it again with a CLIP, add "
            "captions, or match by blendshapes."
        )
    if bank.clip_fingerprint != clip.fingerprint:
        raise InputError(
            f"The bank was encoded by a CLIP of width {bank.image_embeddings.shape[1]} "
            f"({bank.clip_fingerprint}), the text by one of width {clip.width} "
            f"({clip.fingerprint}). Image and text tower must be of one CLIP: give that folder, or "
            "build the bank again with this one."
        )
    return bank.image_embeddings


class PresetMatcher:
    """Compares the blendshapes of an emotion with those of the bank, without CLIP.

    weights = softmax(−|b − p|² / temperature²), where p are the preset's blendshapes and b the
    bank's.

    Raises:
        InputError: the bank has no blendshapes, or a temperature outside `limits.TEMPERATURE`.
    """

    def __init__(self, bank: Bank, temperature: float | None = None) -> None:
        temperature = TEMPERATURE.check(PRESET_TEMPERATURE if temperature is None else temperature)
        if bank.blendshapes is None:
            raise InputError(
                "This bank has no blendshapes. Build it again with MediaPipe's "
                "face_landmarker.task in models/actalker, or match by CLIP."
            )
        self._entries, self._temperature = bank.blendshapes, temperature

    def match(self, text: str) -> Tensor:
        """Weights (entries,) by the distance between the preset's blendshapes and each entry's.

        Raises:
            InputError: no preset is called so.
        """
        preset = PRESETS[find_preset(text)]
        target = torch.tensor([preset.get(name, 0.0) for name in NAMES])
        # The first blendshape is `_neutral`, which is no movement.
        distances = (self._entries - target)[:, 1:].double().square().sum(1)
        # A softmax is the same where all scores are shifted. From the nearest entry they are at
        # most 0; dividing twice keeps a tiny temperature from becoming 0 when it is squared.
        scores = (distances.min() - distances) / self._temperature / self._temperature
        return torch.softmax(scores, dim=0).float()


class WordMatcher:
    """Finds the entries whose caption, or else name, shares words with a text, without CLIP.

    Entries that share most words weigh the same, all others nothing. A synonym (see `presets`)
    counts where no word itself is shared.
    """

    def __init__(self, bank: Bank) -> None:
        self._entries = [_words(text) for text in bank.captions or bank.names]

    def match(self, text: str) -> Tensor:
        """Weights (entries,), the same for all entries that share most words.

        Raises:
            InputError: the text shares no word with the bank.
        """
        words = _words(text)
        synonyms = words.union(*(group for group in _groups().values() if group & words))
        for query in (words, synonyms):
            counts = torch.tensor([float(len(query & entry)) for entry in self._entries])
            if counts.any():
                is_best = (counts == counts.max()).float()
                return is_best / is_best.sum()
        expected = ", ".join(sorted(" ".join(sorted(entry)) for entry in self._entries))
        raise InputError(
            f"No expression of the bank is called {quote(text)}: expected words of {expected}. "
            "Caption the bank so, or match by CLIP."
        )


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _groups() -> dict[str, set[str]]:
    """The words that each preset is called by."""
    return {name: {name, *SYNONYMS.get(name, ())} for name in PRESETS}


def find_preset(text: str) -> str:
    """The first preset that a word of the text calls, or a synonym of it.

    Raises:
        InputError: no word is any.
    """
    words = _words(text)
    for name, group in _groups().items():
        if group & words:
            return name
    raise InputError(
        f"No preset is called {quote(text)}: expected one of {', '.join(PRESETS)}, or a synonym. "
        "Give a CLIP to match any text."
    )
