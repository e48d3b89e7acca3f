"""A prompt over time -> an expression signal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...limits import FPS, STRENGTH
from ..grammar import Span, find_similar
from ..signals import ExpressionSignal, max_samples
from .bank import NEUTRAL, Bank
from .matchers import Matcher, find_preset
from .presets import PRESETS, SYNONYMS

NEXT_TIME = re.compile(r"(?<![\s,])[\s,]+[0-9.]+s?\s*:")
"""A comma or a space before a time, where a semicolon has to be."""
MAX_GUESSES = 5
"""So many unknown words at most are compared with the known ones."""
MAX_MOMENTS = 1000
"""Of a prompt; each is looked for in the bank."""


@dataclass(frozen=True)
class Moment:
    """A text and the time at which its expression is reached, in seconds."""

    seconds: float
    text: str


def parse_prompt(text: str) -> list[Moment]:
    """`joyful`, or texts over time: `0s: neutral; 2s: joyful; 4s: surprised`.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    moments = (Moment(seconds, words.text) for seconds, words in _read_moments(text).items())
    return sorted(moments, key=lambda moment: moment.seconds)


def check_emotions(text: str) -> None:
    """Refuse a prompt that says anything but what `PRESETS` know, as no CLIP tells what it means.

    Raises:
        InputError: says which words are unknown, or cannot be read, and where they stand.
    """
    vocabulary = [word for name in PRESETS for word in (name, *SYNONYMS.get(name, ()))]
    for words in _read_moments(text).values():
        try:
            find_preset(words.text)
        except InputError:
            parts = words.text.split(maxsplit=MAX_GUESSES)[:MAX_GUESSES]
            similar = [word for part in parts for word in find_similar(part, vocabulary)]
            expected = f"{', '.join(PRESETS)}, or a synonym, as there is no CLIP,"
            raise words.error(expected, similar[:2]) from None


def _read_moments(text: str) -> dict[float, Span]:
    """The words at each time of a prompt."""
    span = Span.from_text("Prompt", text)
    if text.count(";") + text.count("\n") > MAX_MOMENTS:
        raise span.error(f"at most {MAX_MOMENTS:,} moments")
    parts = span.split(r"[;\n]")
    if not parts:
        raise span.error("a text, such as joyful")
    if len(parts) == 1 and ":" not in parts[0].text:
        return {0.0: parts[0]}
    moments: dict[float, Span] = {}
    for part in parts:
        time, words = part.partition(":", "time: text, such as 2s: joyful")
        if not words.text:
            raise words.error("a text after the time")
        gap = NEXT_TIME.search(words.source, words.start, words.end)
        if gap:
            rest = Span(words.kind, words.source, gap.start(), words.end)
            raise rest.error("a semicolon before the next time")
        seconds = time.parse_seconds(fps=None)
        if seconds in moments:
            raise time.error("each time once")
        moments[seconds] = words
    return moments


def check_duration(seconds: float, rate_hz: float, size: int = 1) -> None:
    """Refuse a signal with no value, or with more than a file may hold.

    Args:
        size: numbers of each value.

    Raises:
        InputError: such a duration, or a rate outside its limits.
    """
    FPS.check(rate_hz)
    max_count = max_samples(size, rate_hz)
    if not 0.5 < seconds * rate_hz <= max_count:
        raise InputError(
            f"Text: expected {1 / rate_hz:g} s (one value) to {max_count / rate_hz:g} s, got "
            f"{seconds:g} s. Choose another duration."
        )


def express_words(
    prompt: Sequence[Moment],
    bank: Bank,
    matcher: Matcher,
    *,
    seconds: float,
    rate_hz: float,
    strength: float = 1.0,
) -> ExpressionSignal:
    """The expression that words ask for, over time: features (f, d), f = seconds · rate_hz.

    At each moment the features are neutral + strength · (Σ weight · feature − neutral); between
    moments they change linearly, outside them they hold.

    Args:
        strength: 0 is neutral, 1 the expression as it is in the bank, more exaggerates.

    Raises:
        InputError: words that the matcher does not know, a duration of no values or too many, or
            a number outside its `limits`.
    """
    STRENGTH.check(strength)
    check_duration(seconds, rate_hz, bank.features.shape[1])
    neutral = bank.features[bank.neutral_index]
    targets = [_features(bank, matcher, moment.text) for moment in prompt]
    values = torch.stack([neutral + strength * (target - neutral) for target in targets])
    times = torch.tensor([moment.seconds for moment in prompt], dtype=torch.float64)
    frame_times = torch.arange(round(seconds * rate_hz), dtype=torch.float64) / rate_hz
    features = _interpolate(times, values, frame_times)
    words = "; ".join(f"{moment.seconds:g}s: {moment.text}" for moment in prompt)
    return ExpressionSignal(rate_hz=rate_hz, source=f"text: {words}", features=features)


def _features(bank: Bank, matcher: Matcher, text: str) -> Tensor:
    """Features (d,) of a text; the word neutral stands for the bank's neutral entry itself."""
    if text.strip().lower() == NEUTRAL:
        return bank.features[bank.neutral_index]
    return matcher.match(text) @ bank.features


def _interpolate(times: Tensor, values: Tensor, frame_times: Tensor) -> Tensor:
    """Values (moments, c) at times (moments,) -> (f, c) at frame times (f,); held outside."""
    index = torch.searchsorted(times, frame_times, right=True)
    before, after = (index - 1).clamp(min=0), index.clamp(max=len(times) - 1)
    interval = times[after] - times[before]
    # Before the first and after the last time both neighbours are one: the interval is 0.
    share = torch.where(interval > 0, (frame_times - times[before]) / interval, 0).float()
    return values[before] + share[:, None] * (values[after] - values[before])
