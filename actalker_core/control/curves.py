"""Gates: how strongly a signal acts in each of f frames, as curves (f,) of numbers in 0…1.

0 and 1 are the trained states; what lies between is experimental.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, check_choice, quote
from ..media import Audio
from .grammar import Span

log = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]

EASES = ("linear", "hold", "ease")
ROUNDING_SECONDS = 1e-6
"""Times of frames and keys that differ by less are the same."""

MAX_TERMS = 100
"""Of a written gate; each is a curve as long as the clip."""

UNUSUAL_FPS = 23.4567
"""At this rate no key in frames falls on one in seconds by chance."""


@dataclass(frozen=True)
class Key:
    """A point of a curve.

    Attributes:
        seconds: its time.
        value: of the curve at that time.
        ease: how the curve goes on to the next key: `linear`; `hold` keeps the value until there;
            `ease` starts and ends slowly.
    """

    seconds: float
    value: float
    ease: str = "linear"


def constant_curve(value: float, frames: int) -> Tensor:
    """(f,) of one strength."""
    return torch.full((frames,), float(value))


def curve_from_values(values: Sequence[float], frames: int) -> Tensor:
    """(f,) of one number per frame; the last one holds, surplus ones are not used.

    Raises:
        InputError: there are none, or one is not finite.
    """
    if not len(values) or not all(map(math.isfinite, values)):
        raise InputError(
            f"Curve: expected finite numbers, one per frame, got {quote(values)}. Give others."
        )
    curve = torch.tensor(list(values)[:frames], dtype=torch.float32)
    return torch.cat([curve, curve[-1:].expand(frames - len(curve))])


def interpolate_keys(keys: Sequence[Key], frames: int, fps: float) -> Tensor:
    """A curve (f,) through keys; before the first and after the last one it holds.

    Raises:
        InputError: no keys, two at one time, or an unknown ease.
    """
    keys = sorted(keys, key=lambda key: key.seconds)
    times = np.array([key.seconds for key in keys])
    if not keys or bool((np.diff(times) < ROUNDING_SECONDS).any()):
        raise InputError(
            f"Keyframes: expected at least one, each at its own time, got {quote(times.tolist())}."
            " Change the times."
        )
    eases = [key.ease for key in keys]
    for ease in eases:
        check_choice("Keyframes", ease, EASES)
    values = np.array([key.value for key in keys])
    frame_times = np.arange(frames) / fps
    index = np.searchsorted(times, frame_times + ROUNDING_SECONDS, side="right") - 1
    before, after = index.clip(0), (index + 1).clip(0, len(keys) - 1)
    seconds_since_key, interval = frame_times - times[before], times[after] - times[before]
    share = seconds_since_key / np.where(interval > 0, interval, 1)
    ease = np.array(eases)[before]
    share = np.where(ease == "ease", share * share * (3 - 2 * share), share)  # smoothstep
    # On a key, and outside all keys (where both neighbours are one), the value is the key's own.
    share[(seconds_since_key < ROUNDING_SECONDS) | (interval <= 0) | (ease == "hold")] = 0
    return torch.from_numpy(values[before] + share * (values[after] - values[before])).float()


def loudness_envelope(
    audio: Audio,
    frames: int,
    fps: float,
    *,
    attack_seconds: float = 0.05,
    release_seconds: float = 0.25,
    threshold: float = 0.05,
) -> Tensor:
    """The loudness of a sound, (f,): 0 where it is silent, 1 where it is loudest.

    Args:
        attack_seconds, release_seconds: how long the curve takes to rise and to fall (to 63 %).
        threshold: loudness that counts as silence, as a share of the loudest frame.

    Raises:
        InputError: a time below 0, or a threshold outside 0…1.
    """
    times_fit = attack_seconds >= 0 and release_seconds >= 0
    if not times_fit or not 0 <= threshold < 1:
        raise InputError(
            "Envelope: expected attack and release of 0 seconds or more and a threshold from 0 to "
            f"below 1, got {attack_seconds:g}, {release_seconds:g} and {threshold:g}. Change them."
        )
    loudness = audio.loudness(frames, fps)
    loudness = loudness / loudness.max() if frames and loudness.max() > 0 else loudness
    targets = np.clip((loudness - threshold) / (1 - threshold), 0, 1)
    rise, fall = (_step_share(seconds, fps) for seconds in (attack_seconds, release_seconds))
    curve, level = np.zeros(frames), 0.0
    # Each frame takes a share of the way to its target: a larger one upwards, so that a gate opens
    # with the first syllable, and a smaller one downwards, so that it stays open between words.
    for i, target in enumerate(targets):
        level += (target - level) * (rise if target > level else fall)
        curve[i] = level
    return torch.from_numpy(curve).float()


def _step_share(seconds: float, fps: float) -> float:
    """The share of the way that one frame takes, so that 63 % (1 − 1/e) are done in the time."""
    return 1.0 if seconds == 0 else 1 - math.exp(-1 / (seconds * fps))


def multiply_curves(*curves: Tensor) -> Tensor:
    """(f,) that is open only where all curves (f,) are."""
    return reduce(torch.mul, curves)


def invert_curve(curve: Tensor) -> Tensor:
    """(f,) that is open where the curve (f,) is shut."""
    return 1 - curve


def clamp_curve(curve: Tensor, lowest: float = 0.0, highest: float = 1.0) -> Tensor:
    """A curve (f,) limited to a range."""
    return curve.clamp(lowest, highest)


# As text -----------------------------------------------------------------------------------------


def parse_curve(text: str | Span, frames: int, fps: float, audio: Audio | None = None) -> Tensor:
    """A gate written as text -> (f,) in 0…1.

    A term is a strength (`0.5`), one number per frame (`0 0 1 1`), keys (`0:1, 2.5s:0 hold,
    40f:1`, in seconds, or in frames with an f; the word after a strength says how the curve goes
    on), or `envelope` with its values (`envelope attack=0.1 release=0.3 threshold=0.05`). `invert`
    may stand before a term; terms are multiplied by `*`.

    Args:
        text: a complete one, or the part of a longer one.
        audio: the sound that `envelope` follows.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    span = text if isinstance(text, Span) else Span.from_text("Gate", text)
    products = text.count("*")
    if products >= MAX_TERMS:
        raise span.error(f"at most {MAX_TERMS} curves joined by *")
    terms = span.split_strictly(r"\*", "a strength, keys or envelope")
    curves = (_parse_term(term, frames, fps, audio) for term in terms)
    return clamp_curve(multiply_curves(*curves))


@dataclass(frozen=True)
class Curve:
    """A written curve, sampled once the length of the clip is known.

    Attributes:
        text: see `parse_curve`.
        audio: the sound that `envelope` in the text follows.
        strengths: one per frame, multiplied with the text; see `curve_from_values`.

    Raises:
        InputError: a strength outside 0…1.
    """

    text: str
    audio: Audio | None = None
    strengths: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse strengths outside 0…1, and none at all."""
        faults = [value for value in self.strengths if not 0 <= value <= 1]
        if faults or not len(self.strengths):
            raise InputError(
                f"Curve: expected numbers from 0 (off) to 1 (full), one per frame, got "
                f"{quote(faults[0]) if faults else 'none'}. Connect others."
            )

    def sample(self, frames: int, fps: float) -> Tensor:
        """(f,) in 0…1.

        Raises:
            InputError: see `parse_curve`.
        """
        curve = parse_curve(self.text, frames, fps, self.audio)
        return curve * curve_from_values(self.strengths, frames)


@dataclass(frozen=True)
class DrawnCurve:
    """A curve drawn in an editor, stretched over the length of the clip.

    Attributes:
        evaluate: positions (f,) along the clip, 0 is its first frame and 1 its last -> values (f,).
    """

    evaluate: Callable[[FloatArray], FloatArray]

    def sample(self, frames: int, fps: float) -> Tensor:
        """(f,) clipped to 0…1, whatever the rate.

        Raises:
            InputError: a value is not finite.
        """
        values = np.asarray(self.evaluate(np.linspace(0, 1, frames)), dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(
                "Curve: expected finite values, got NaN or infinity. Draw the curve anew."
            )
        return clamp_curve(torch.from_numpy(values).float())


def report_experimental(name: str, gate: Tensor) -> None:
    """Warn where a gate (f,) holds values that were never trained."""
    count = int(((gate > 0) & (gate < 1)).sum())
    if count:
        log.warning(
            "The %s gate is between 0 and 1 in %d of %d frames, which was never trained: "
            "experimental.",
            name,
            count,
            len(gate),
        )


def check_curve(text: str | Span) -> None:
    """Refuse a gate that cannot be read, before there is anything to gate.

    Raises:
        InputError: see `parse_curve`.
    """
    silence = Audio(np.zeros((1, 1), np.float32), 16_000)
    parse_curve(text, 1, UNUSUAL_FPS, silence)


def _parse_term(term: Span, frames: int, fps: float, audio: Audio | None) -> Tensor:
    is_inverse = False
    while (rest := term.remove_prefix("invert")) is not None:
        term, is_inverse = rest, not is_inverse
    curve = _parse_factor(term, frames, fps, audio)
    return invert_curve(curve) if is_inverse else curve


def _parse_factor(term: Span, frames: int, fps: float, audio: Audio | None) -> Tensor:
    """A term without `invert`."""
    options = term.remove_prefix("envelope")
    if options is not None:
        if audio is None:
            raise term.error("keys or a number, as there is no audio whose envelope to take")
        return loudness_envelope(audio, frames, fps, **_parse_options(options))
    if ":" in term.text:
        return interpolate_keys(_parse_keys(term, fps), frames, fps)
    values = [_parse_strength(part) for part in term.split(r"[\s,;]+")]
    if not values:
        raise term.error("a strength, keys or envelope")
    return curve_from_values(values, frames)


def _parse_keys(term: Span, fps: float) -> list[Key]:
    parts = term.split(r"[,;\n]")
    keys = [_parse_key(part, fps) for part in parts]
    by_time = sorted(range(len(keys)), key=lambda i: keys[i].seconds)
    repeats = [
        max(i, j)
        for i, j in pairwise(by_time)
        if keys[j].seconds - keys[i].seconds < ROUNDING_SECONDS
    ]
    if repeats:
        raise parts[min(repeats)].error("each time once")
    return keys


def _parse_key(part: Span, fps: float) -> Key:
    time, rest = part.partition(":", "time:strength, such as 2.5:0 or 40f:1 hold")
    value, *ease = rest.split(r"\s+") or [rest]
    if ease and ":" in ease[0].text:
        gap = Span(part.kind, part.source, value.end, ease[0].end)
        raise gap.error("a comma before the next key")
    for word in ease[1:]:
        raise word.error("a comma before the next key")
    for word in ease:
        word.check_word(EASES)
    return Key(time.parse_seconds(fps), _parse_strength(value), ease[0].text if ease else "linear")


def _parse_strength(part: Span) -> float:
    value = part.parse_number()
    if not 0 <= value <= 1:
        raise part.error("a strength from 0 (off) to 1 (full)")
    return value


def _parse_options(words: Span) -> dict[str, float]:
    """`attack=0.1 release=0.2` as arguments of `loudness_envelope`."""
    names = {"attack": "attack_seconds", "release": "release_seconds", "threshold": "threshold"}
    expected = " or ".join(f"{name}=number" for name in names)
    options = {}
    for word in words.split(r"\s+"):
        name, value = word.partition("=", expected)
        name.check_word(names, expected)
        limit = 1.0 if name.text == "threshold" else math.inf
        if not 0 <= value.parse_number() < limit:
            raise value.error("0 or more" if limit > 1 else "a threshold from 0 to below 1")
        options[names[name.text]] = value.parse_number()
    return options
