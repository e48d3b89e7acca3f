"""Gates: how strongly a branch acts in each frame, as curves (frames,) of numbers in 0…1.

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

from ..errors import InputError, quoted
from ..media import Audio
from .grammar import Span

log = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]

EASES = ("linear", "hold", "ease")
ROUNDING_SECONDS = 1e-6
"""Times of frames and keys that differ by less are the same."""

MOST_TERMS = 100
"""Of a written gate; each is a curve as long as the clip."""

UNUSUAL_FPS = 23.4567
"""At this rate no key in frames falls on one in seconds by chance."""


@dataclass(frozen=True)
class Key:
    """A point of a curve.

    Attributes:
        seconds: when.
        value: what the curve is then.
        ease: how it goes on to the next key: `linear`; `hold` keeps the value until there;
            `ease` starts and ends slowly.
    """

    seconds: float
    value: float
    ease: str = "linear"


def constant_curve(value: float, frames: int) -> Tensor:
    """The same strength in every frame."""
    return torch.full((frames,), float(value))


def curve_of_numbers(values: Sequence[float], frames: int) -> Tensor:
    """One number per frame; the last one holds where they end, surplus ones are not used.

    Raises:
        InputError: there are none, or one is not finite.
    """
    if not len(values) or not all(map(math.isfinite, values)):
        raise InputError(f"Curve: expected finite numbers, one per frame, got {quoted(values)}.")
    curve = torch.tensor(list(values)[:frames], dtype=torch.float32)
    return torch.cat([curve, curve[-1:].expand(frames - len(curve))])


def curve_of_keys(keys: Sequence[Key], frames: int, fps: float) -> Tensor:
    """A curve through keys; before the first and after the last one it holds.

    Raises:
        InputError: no keys, two at one time, or an unknown ease.
    """
    keys = sorted(keys, key=lambda key: key.seconds)
    times = np.array([key.seconds for key in keys])
    if not keys or bool((np.diff(times) < ROUNDING_SECONDS).any()):
        raise InputError(
            f"Keyframes: expected at least one, each at its own time, got {quoted(times.tolist())}."
        )
    eases = [key.ease for key in keys]
    unknown = set(eases) - set(EASES)
    if unknown:
        raise InputError(f"Keyframes: expected {', '.join(EASES)}, got {quoted(unknown)}.")
    values = np.array([key.value for key in keys])
    at = np.arange(frames) / fps
    found = np.searchsorted(times, at + ROUNDING_SECONDS, side="right") - 1
    before, after = found.clip(0), (found + 1).clip(0, len(keys) - 1)
    since, pause = at - times[before], times[after] - times[before]
    share = since / np.where(pause > 0, pause, 1)
    ease = np.array(eases)[before]
    share = np.where(ease == "ease", share * share * (3 - 2 * share), share)
    share[(since < ROUNDING_SECONDS) | (pause <= 0) | (ease == "hold")] = 0
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
    """The loudness of a sound: 0 where it is silent, 1 where it is loudest.

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
            f"below 1, got {attack_seconds:g}, {release_seconds:g} and {threshold:g}."
        )
    loudness = audio.loudness(frames, fps)
    loudness = loudness / loudness.max() if frames and loudness.max() > 0 else loudness
    raw = np.clip((loudness - threshold) / (1 - threshold), 0, 1)
    rise, fall = (_share(seconds, fps) for seconds in (attack_seconds, release_seconds))
    curve, level = np.zeros(frames), 0.0
    for i, value in enumerate(raw):
        level += (value - level) * (rise if value > level else fall)
        curve[i] = level
    return torch.from_numpy(curve).float()


def _share(seconds: float, fps: float) -> float:
    """How much of a step is taken in one frame."""
    return 1.0 if seconds == 0 else 1 - math.exp(-1 / (seconds * fps))


def multiply_curves(*curves: Tensor) -> Tensor:
    """Open only where all are."""
    return reduce(torch.mul, curves)


def invert_curve(curve: Tensor) -> Tensor:
    """Open where the curve is shut."""
    return 1 - curve


def clamp_curve(curve: Tensor, lowest: float = 0.0, highest: float = 1.0) -> Tensor:
    """The curve kept between two values."""
    return curve.clamp(lowest, highest)


# As text -----------------------------------------------------------------------------------------


def parse_curve(text: str, frames: int, fps: float, audio: Audio | None = None) -> Tensor:
    """A gate written as text.

    A term is a strength (`0.5`), one number per frame (`0 0 1 1`), keys (`0:1, 2.5s:0 hold,
    40f:1`, in seconds, or in frames with an f; the word after a strength says how the curve goes
    on), or `loudness_envelope` with its values (`envelope attack=0.1 release=0.3 threshold=0.05`).
    `invert_curve` may stand before a term; terms are multiplied by `*`.

    Args:
        audio: what `loudness_envelope` follows.

    Raises:
        InputError: says which part cannot be read and where it stands.
    """
    whole = Span.from_text("Gate", text)
    products = text.count("*")
    if products >= MOST_TERMS:
        raise whole.error(f"at most {MOST_TERMS} curves joined by *")
    terms = whole.split(r"\*")
    if len(terms) <= products:
        raise whole.error("a strength, keys or envelope on each side of *")
    return clamp_curve(multiply_curves(*(_term(term, frames, fps, audio) for term in terms)))


@dataclass(frozen=True)
class Curve:
    """A curve that is laid over a clip once its length is known.

    Attributes:
        text: see `parse_curve`.
        audio: what `loudness_envelope` follows.
        strengths: one per frame, multiplied with the text; see `curve_of_numbers`.

    Raises:
        InputError: a strength outside 0…1.
    """

    text: str
    audio: Audio | None = None
    strengths: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse strengths that are none."""
        wrong = [value for value in self.strengths if not 0 <= value <= 1]
        if wrong or not len(self.strengths):
            raise InputError(
                f"Curve: expected numbers from 0 (off) to 1 (full), one per frame, got "
                f"{quoted(wrong[0]) if wrong else 'none'}. Connect others."
            )

    def over(self, frames: int, fps: float) -> Tensor:
        """(frames,) in 0…1; raises as `parse_curve` does."""
        return parse_curve(self.text, frames, fps, self.audio) * curve_of_numbers(
            self.strengths, frames
        )


@dataclass(frozen=True)
class DrawnCurve:
    """A curve that was drawn in an editor, over whatever length the clip has.

    Attributes:
        values_at: places (n,) along the clip, 0 is its first frame and 1 its last -> (n,) values.
    """

    values_at: Callable[[FloatArray], FloatArray]

    def over(self, frames: int, fps: float) -> Tensor:
        """(frames,) in 0…1, whatever the rate; what was drawn outside of that is cut off.

        Raises:
            InputError: a value is not finite.
        """
        values = np.asarray(self.values_at(np.linspace(0, 1, frames)), dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(
                "Curve: expected finite values, got NaN or infinity. Draw the curve anew."
            )
        return clamp_curve(torch.from_numpy(values).float())


def report_experimental(name: str, gate: Tensor) -> None:
    """Say so where a gate holds values that were never trained."""
    between = int(((gate > 0) & (gate < 1)).sum())
    if between:
        log.info(
            "The %s gate is between 0 and 1 in %d of %d frames, which was never trained: "
            "experimental.",
            name,
            between,
            len(gate),
        )


def check_curve(text: str) -> None:
    """Refuse a gate that cannot be read, before there is anything to gate."""
    silence = Audio(np.zeros((1, 1), np.float32), 16_000)
    parse_curve(text, 1, UNUSUAL_FPS, silence)


def _term(term: Span, frames: int, fps: float, audio: Audio | None) -> Tensor:
    is_inverted = False
    while (inverted := term.remove_prefix("invert")) is not None:
        term, is_inverted = inverted, not is_inverted
    curve = _plain_term(term, frames, fps, audio)
    return invert_curve(curve) if is_inverted else curve


def _plain_term(term: Span, frames: int, fps: float, audio: Audio | None) -> Tensor:
    enveloped = term.remove_prefix("envelope")
    if enveloped is not None:
        if audio is None:
            raise term.error("keys or a number, as there is no audio whose envelope to take")
        return loudness_envelope(audio, frames, fps, **_options(enveloped))
    if ":" in term.text:
        return curve_of_keys(_keys(term, fps), frames, fps)
    values = [_strength(part) for part in term.split(r"[\s,;]+")]
    if not values:
        raise term.error("a strength, keys or envelope")
    return curve_of_numbers(values, frames)


def _keys(term: Span, fps: float) -> list[Key]:
    parts = term.split(r"[,;\n]")
    keys = [_key(part, fps) for part in parts]
    by_time = sorted(range(len(keys)), key=lambda i: keys[i].seconds)
    again = [
        max(i, j)
        for i, j in pairwise(by_time)
        if keys[j].seconds - keys[i].seconds < ROUNDING_SECONDS
    ]
    if again:
        raise parts[min(again)].error("each time once")
    return keys


def _options(words: Span) -> dict[str, float]:
    """`attack=0.1 release=0.2` as arguments of `loudness_envelope`."""
    names = {"attack": "attack_seconds", "release": "release_seconds", "threshold": "threshold"}
    expected = " or ".join(f"{name}=number" for name in names)
    found = {}
    for word in words.split(r"\s+"):
        name, value = word.partition("=", expected)
        if name.text not in names:
            raise name.error(expected)
        limit = 1.0 if name.text == "threshold" else math.inf
        if not 0 <= value.parse_number() < limit:
            raise value.error("0 or more" if limit > 1 else "a threshold from 0 to below 1")
        found[names[name.text]] = value.parse_number()
    return found


def _key(part: Span, fps: float) -> Key:
    time, rest = part.partition(":", "time:strength, such as 2.5:0 or 40f:1 hold")
    value, *ease = rest.split(r"\s+") or [rest]
    for word in ease[1:]:
        raise word.error("a comma before the next key")
    if ease and ease[0].text not in EASES:
        raise ease[0].error(" or ".join(EASES))
    return Key(time.parse_seconds(fps), _strength(value), ease[0].text if ease else "linear")


def _strength(part: Span) -> float:
    value = part.parse_number()
    if not 0 <= value <= 1:
        raise part.error("a strength from 0 (off) to 1 (full)")
    return value
