"""A prompt over time -> an expression signal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError, quoted
from ...faces.blendshapes import NAMES
from ...limits import FPS, STRENGTH, TEMPERATURE
from ..grammar import Span
from ..signals import ExpressionSignal, longest
from .bank import NEUTRAL, Bank
from .clip import CLIPEncoder
from .presets import PRESETS, SYNONYMS

TEMPLATE = "a photo of a {} face"
CLIP_TEMPERATURE = 0.1
PRESET_TEMPERATURE = 0.25
"""Lower ones choose fewer entries of the bank; see `ClipMatcher` and `PresetMatcher`."""


class Matcher(Protocol):
    """Something that finds words in a bank."""

    def weights(self, text: str) -> Tensor:
        """(n,) how much of each entry of the bank a text asks for; they sum to 1."""


class ClipMatcher:
    """Compares a text with the captions of a bank, or with its pictures if it has no captions.

    weights = softmax(cos(t − m, e − e̅) / temperature), where t is the text's embedding, e are
    the bank's, e̅ their mean, and m the mean of the other texts that t could have been (the
    captions, or the emotions of `presets`). Both means go because embeddings of pictures and of
    texts each crowd around a direction of their own.

    Source: Radford et al., arXiv 2103.00020; Liang et al., arXiv 2203.02053 (the two crowds).

    Raises:
        InputError: the bank has neither, or was indexed by another CLIP; a temperature outside
            `limits.TEMPERATURE`.
    """

    def __init__(
        self, bank: Bank, clip: CLIPEncoder, temperature: float = CLIP_TEMPERATURE
    ) -> None:
        TEMPERATURE.check(temperature)
        self._clip, self._temperature = clip, temperature
        if bank.captions:
            known = clip.text(_phrases(bank.captions))
            self._text_mean = known.mean(0)
        else:
            known = _images(bank, clip)
            self._text_mean = clip.text(_phrases(PRESETS)).mean(0)
        self._known = F.normalize(known - known.mean(0), dim=1)

    def weights(self, text: str) -> Tensor:
        """See the class."""
        asked = F.normalize(self._clip.text(_phrases([text]))[0] - self._text_mean, dim=0)
        return torch.softmax(self._known @ asked / self._temperature, dim=0)


def _phrases(words: Sequence[str] | dict[str, dict[str, float]]) -> list[str]:
    return [TEMPLATE.format(word) for word in words]


def _images(bank: Bank, clip: CLIPEncoder) -> Tensor:
    if bank.images is None:
        raise InputError(
            "This bank has neither captions nor CLIP embeddings. Build it again with a CLIP, add "
            "captions, or match by blendshapes."
        )
    if bank.clip != clip.fingerprint:
        raise InputError(
            f"The bank was indexed by a CLIP of width {bank.images.shape[1]} ({bank.clip}), the "
            f"text is embedded by one of width {clip.width} ({clip.fingerprint}). Image and text "
            "tower must be of one CLIP: give that folder, or build the bank again with this one."
        )
    return bank.images


class PresetMatcher:
    """Compares the blendshapes of an emotion with those of the bank, without CLIP.

    weights = softmax(−|b − p|² / temperature²), where p are the preset's blendshapes and b the
    bank's.

    Raises:
        InputError: the bank has no blendshapes, or a temperature outside `limits.TEMPERATURE`.
    """

    def __init__(self, bank: Bank, temperature: float = PRESET_TEMPERATURE) -> None:
        TEMPERATURE.check(temperature)
        if bank.blendshapes is None:
            raise InputError(
                "This bank has no blendshapes. Build it again with MediaPipe's "
                "face_landmarker.task in models/actalker, or match by CLIP."
            )
        self._known, self._temperature = bank.blendshapes, temperature

    def weights(self, text: str) -> Tensor:
        """See the class; raises InputError for a word that no preset is called by."""
        preset = PRESETS[_preset_called(text)]
        asked = torch.tensor([preset.get(name, 0.0) for name in NAMES])
        apart = (self._known - asked)[:, 1:].double().square().sum(1)  # the first is no movement
        nearer = (apart.min() - apart) / self._temperature / self._temperature
        return torch.softmax(nearer, dim=0).float()


class WordMatcher:
    """Finds the entries whose caption, or else name, shares words with a text, without CLIP.

    Entries that share most words weigh the same, all others nothing. A synonym (see `presets`)
    counts where no word itself is shared.
    """

    def __init__(self, bank: Bank) -> None:
        self._known = [_words(text) for text in bank.captions or bank.names]

    def weights(self, text: str) -> Tensor:
        """See the class; raises InputError for a text that shares no word with the bank."""
        words = _words(text)
        for asked in (words, _with_synonyms(words)):
            shared = torch.tensor([float(len(asked & known)) for known in self._known])
            if shared.any():
                best = (shared == shared.max()).float()
                return best / best.sum()
        known = ", ".join(sorted(" ".join(sorted(words)) for words in self._known))
        raise InputError(
            f"No expression of the bank is called {quoted(text)}: expected words of {known}. "
            "Caption the bank so, or match by CLIP."
        )


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _with_synonyms(words: set[str]) -> set[str]:
    groups = [{name, *SYNONYMS.get(name, ())} for name in PRESETS]
    return words.union(*(group for group in groups if group & words))


def _preset_called(text: str) -> str:
    words = _words(text)
    for name in PRESETS:
        if {name, *SYNONYMS.get(name, ())} & words:
            return name
    raise InputError(
        f"No preset is called {quoted(text)}: expected one of {', '.join(PRESETS)}, or a synonym. "
        "Give a CLIP to match any text."
    )


MOST_MOMENTS = 1000
"""Of a prompt; each is looked for in the bank."""


@dataclass(frozen=True)
class Moment:
    """A text and when it is reached."""

    seconds: float
    text: str


def parse_prompt(text: str) -> list[Moment]:
    """`joyful`, or texts over time: `0s: neutral; 2s: joyful; 4s: surprised`.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    whole = Span.from_text("Prompt", text)
    if text.count(";") + text.count("\n") > MOST_MOMENTS:
        raise whole.error(f"at most {MOST_MOMENTS:,} moments")
    parts = whole.split(r"[;\n]")
    if not parts:
        raise whole.error("a text, such as joyful")
    if len(parts) == 1 and ":" not in parts[0].text:
        return [Moment(0.0, parts[0].text)]
    moments: dict[float, Moment] = {}
    for part in parts:
        time, words = part.partition(":", "time: text, such as 2s: joyful")
        if not words.text:
            raise words.error("a text after the time")
        if re.search(r",\s*[0-9.]+s?\s*:", words.text):
            raise words.error("a semicolon before the next time")
        seconds = time.parse_seconds(fps=None)
        if seconds in moments:
            raise time.error("each time once")
        moments[seconds] = Moment(seconds, words.text)
    return sorted(moments.values(), key=lambda moment: moment.seconds)


def express_words(
    prompt: Sequence[Moment],
    bank: Bank,
    matcher: Matcher,
    *,
    seconds: float,
    rate_hz: float,
    strength: float = 1.0,
) -> ExpressionSignal:
    """The expression that words ask for, over time.

    At each moment the features are neutral + strength · (Σ weight · feature − neutral); between
    moments they change evenly, outside them they hold.

    Args:
        strength: 0 is neutral, 1 the expression as it is in the bank, more exaggerates.

    Raises:
        InputError: words that the matcher does not know, a duration of no values or too many, or
            a number outside its `limits`.
    """
    STRENGTH.check(strength)
    FPS.check(rate_hz)
    most = longest(bank.features.shape[1])
    if not 0.5 < seconds * rate_hz <= most:
        raise InputError(
            f"Text: expected {1 / rate_hz:g} s (one value) to {most / rate_hz:g} s, got "
            f"{seconds:g} s."
        )
    neutral = bank.features[bank.neutral]
    targets = [_features(bank, matcher, moment.text) for moment in prompt]
    reached = torch.stack([neutral + strength * (target - neutral) for target in targets])
    times = torch.tensor([moment.seconds for moment in prompt], dtype=torch.float64)
    at = torch.arange(round(seconds * rate_hz), dtype=torch.float64) / rate_hz
    features = _between(times, reached, at)
    words = "; ".join(f"{m.seconds:g}s: {m.text}" for m in prompt)
    return ExpressionSignal(rate_hz=rate_hz, source=f"text: {words}", features=features)


def _features(bank: Bank, matcher: Matcher, text: str) -> Tensor:
    if text.strip().lower() == NEUTRAL:
        return bank.features[bank.neutral]
    return matcher.weights(text) @ bank.features


def _between(times: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Values (n, d) of some times at others, linear between them and held outside."""
    found = torch.searchsorted(times, at, right=True)
    before, after = (found - 1).clamp(min=0), found.clamp(max=len(times) - 1)
    pause = times[after] - times[before]
    share = torch.where(pause > 0, (at - times[before]) / pause, 0).float()[:, None]
    return values[before] + share * (values[after] - values[before])
