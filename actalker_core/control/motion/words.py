"""Words over time -> motion: presets by name, or any text by CLIP's nearest caption of a preset."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..words.bank import Bank
from ..words.clip import CLIPEncoder
from ..words.matchers import CLIPMatcher, Matcher, find_preset
from ..words.presets import SYNONYMS
from ..words.prompt import Moment, express_words
from .columns import build_motion
from .expressions import EXPRESSIONS
from .signal import MotionSignal

NUMBERS = tuple(dict.fromkeys(name for numbers in EXPRESSIONS.values() for name in numbers))
"""The numbers of motion that any expression moves."""


class PresetChoice:
    """Gives all weight to the preset that a text calls."""

    def __init__(self, bank: Bank) -> None:
        self._names = bank.names

    def match(self, text: str) -> Tensor:
        """Weights (entries,), all but one of them 0.

        Raises:
            InputError: no preset is called so.
        """
        index = torch.tensor(self._names.index(find_preset(text)))
        return torch.nn.functional.one_hot(index, len(self._names)).float()


def make_expression_bank() -> Bank:
    """The expressions as a bank: features (11, c) are their numbers, captions their adjectives."""
    features = [[numbers.get(name, 0.0) for name in NUMBERS] for numbers in EXPRESSIONS.values()]
    captions = [name if name == "neutral" else SYNONYMS[name][0] for name in EXPRESSIONS]
    return Bank(tuple(EXPRESSIONS), torch.tensor(features), captions=tuple(captions))


def move_by_words(
    prompt: Sequence[Moment],
    *,
    seconds: float,
    rate_hz: float,
    strength: float = 1.0,
    clip: CLIPEncoder | None = None,
) -> MotionSignal:
    """The motion that words ask for: at each moment its expression, between them a mix.

    Args:
        prompt: see `control.words.prompt.parse_prompt`.
        strength: 0 is rest, 1 the expression as it is listed, more exaggerates.
        clip: matches any text; None knows the presets and their synonyms alone.

    Raises:
        InputError: words that are no preset's, a duration of no values or too many, or a number
            outside its `limits`.
    """
    bank = make_expression_bank()
    matcher: Matcher = PresetChoice(bank) if clip is None else CLIPMatcher(bank, clip)
    expression = express_words(
        prompt, bank, matcher, seconds=seconds, rate_hz=rate_hz, strength=strength
    )
    courses = dict(zip(NUMBERS, expression.features.T, strict=True))
    return build_motion(courses, rate_hz, expression.source)
